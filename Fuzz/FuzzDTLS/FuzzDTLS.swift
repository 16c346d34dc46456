import Core
import PeerConnection
import TURNClient

/// Made once: only what a datagram touches is worth the fuzzer's time.
private let context: DTLSContext? = {
    guard let certificate = try? DTLSCertificate() else { return nil }
    return try? DTLSContext(certificate: certificate)
}()

/// Datagrams for a DTLS connection in any state: as server and as client, before, amid and after a handshake.
///
/// The first byte chooses how far a genuine handshake goes first; then each datagram is preceded by two bytes of length.
@c(LLVMFuzzerTestOneInput)
package func fuzzDTLS(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let context, let first = input.first else { return 0 }
    let now = Instant(nanoseconds: 1_000_000_000)
    let fingerprint = context.certificate.fingerprint
    guard
        var server = try? DTLSConnection(context: context, role: .server, remoteFingerprints: [fingerprint], now: now),
        var client = try? DTLSConnection(context: context, role: .client, remoteFingerprints: [fingerprint], now: now)
    else { return 0 }
    for _ in 0..<(first & 7) {
        while let datagram = client.pollTransmit() { datagram.withUnsafeBytes { server.handle($0, now: now) } }
        while let datagram = server.pollTransmit() { datagram.withUnsafeBytes { client.handle($0, now: now) } }
    }
    let isServerMeant = first & 8 == 0
    var offset = 1
    while offset + 2 <= input.count {
        let length = min(Int(input[offset]) << 8 | Int(input[offset + 1]), input.count - offset - 2)
        let datagram = UnsafeRawBufferPointer(rebasing: input[(offset + 2)..<(offset + 2 + length)])
        if isServerMeant { server.handle(datagram, now: now) } else { client.handle(datagram, now: now) }
        offset += 2 + length
    }
    server.handleTimeout(now: now + .seconds(1))
    client.handleTimeout(now: now + .seconds(1))
    while let datagram = server.pollTransmit() {
        precondition(datagram.count <= 2 * DTLSConnection.maximumDatagram, "a datagram is larger than a path carries")
    }
    while let datagram = client.pollTransmit() {
        precondition(datagram.count <= 2 * DTLSConnection.maximumDatagram, "a datagram is larger than a path carries")
    }
    while let event = server.pollEvent() { check(event) }
    while let event = client.pollEvent() { check(event) }
    return 0
}

/// Keys are given out whole or not at all.
private func check(_ event: DTLSConnection.Event) {
    guard case .connected(let keys) = event else { return }
    precondition(keys.outbound.key.count == keys.profile.keyLength)
    precondition(keys.inbound.salt.count == keys.profile.saltLength)
}
