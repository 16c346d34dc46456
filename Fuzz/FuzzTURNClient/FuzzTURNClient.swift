import Core
import TURNClient

/// A hostile TURN server: the input says what it answers, when time passes, and what the driver wishes for.
///
/// Each step is an operation byte, a length byte, and so many bytes. Whatever happens, nothing traps, the client never has
/// more than a few messages to send at once, and its deadline moves on.
@c(LLVMFuzzerTestOneInput)
package func fuzzTURNClient(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var scene = Scene(UnsafeBufferPointer(start: start, count: count).first ?? 0)
    var rest = Array(UnsafeBufferPointer(start: start, count: count).dropFirst())[...]
    while let operation = rest.popFirst(), let length = rest.popFirst() {
        let bytes = Array(rest.prefix(Int(length)))
        rest = rest.dropFirst(Int(length))
        scene.step(operation, bytes)
        scene.drain()
    }
    return 0
}

private struct Scene {
    var client: TURNClient
    var now = Instant.zero
    /// The last few requests, so that answers can meet them.
    var requests: [STUNMessage] = []
    let key = LongTermCredential.key(username: "user", realm: "r", password: "secret")

    init(_ flags: UInt8) {
        var configuration = TURNClient.Configuration(
            server: SocketAddress(.v4(0xC000_0201), 3478), username: "user", password: "secret")
        configuration.isStream = flags & 1 != 0
        configuration.maximumPermissions = 8
        configuration.probeInterval = .seconds(60)
        let saved = SavedAllocation(
            server: configuration.server, username: "user", realm: "r", nonce: "n",
            relayedAddress: SocketAddress(.v4(0xC000_0201), 10_111), mappedAddress: nil)
        client = TURNClient(configuration, random: .seeded(1), restoring: flags & 2 != 0 ? saved : nil)
        client.start(now: now)
        drain()
    }

    mutating func step(_ operation: UInt8, _ bytes: [UInt8]) {
        let peer = SocketAddress(.v4(UInt32(bytes.first ?? 1)), UInt16(bytes.count))
        switch operation % 12 {
        case 0: receive(bytes)
        case 1, 2, 3: answer(.successResponse, bytes, isSigned: true)
        case 4, 5: answer(.errorResponse, bytes, isSigned: operation & 16 != 0)
        case 6: advance(by: .milliseconds(Int(bytes.first ?? 0) * 4000))
        case 7: client.permit(peer.ip, now: now)
        case 8: client.bindChannel(peer, now: now)
        case 9:
            client.forget(peer.ip, now: now)
            client.unbindChannel(peer, now: now)
        case 10: operation & 16 != 0 ? client.release(now: now) : client.start(now: now)
        default:
            _ = client.wrap(bytes.span, to: peer)
            if operation & 16 != 0 { client.transportClosed(now: now) }
        }
    }

    /// The input's bytes are the attributes of an answer to one of the last requests.
    mutating func answer(_ messageClass: STUNMessage.Class, _ bytes: [UInt8], isSigned: Bool) {
        guard let selector = bytes.first, !requests.isEmpty else { return }
        let request = requests[Int(selector) % requests.count]
        var attributes: [STUNAttribute] = []
        if messageClass == .successResponse {
            attributes = [
                .xorRelayedAddress(SocketAddress(.v4(0xC000_0202), 10_111)), .lifetime(.seconds(Int64(selector) * 4)),
            ]
        } else if bytes.count > 1 {
            let codes = [300, 400, 401, 403, 437, 438, 441, 442, 486, 500, 508]
            attributes = [
                .errorCode(code: codes[Int(bytes[1]) % codes.count], reason: ""), .realm("r"), .nonce("n"),
                .alternateServer(SocketAddress(.v4(UInt32(selector)), 3478)),
            ]
        }
        attributes += stride(from: 2, to: bytes.count - 4, by: 8).map {
            .unknown(type: UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), value: Array(bytes[$0..<($0 + 4)]))
        }
        let message = STUNMessage(
            messageClass, request.method, transactionID: request.transactionID, attributes: attributes)
        receive(message.encoded(key: isSigned ? key : nil))
    }

    mutating func receive(_ bytes: [UInt8]) {
        guard case .data(_, let payload) = client.handleDatagram(bytes.span, now: now) else { return }
        precondition(payload.lowerBound >= 4 && payload.upperBound <= bytes.count, "a payload outside its datagram")
    }

    mutating func advance(by duration: Duration) {
        let end = now + duration
        var steps = 0
        while let deadline = client.deadline, deadline <= end {
            steps += 1
            precondition(steps < 100_000, "the deadline does not move on")
            now = max(now, deadline)
            client.handleTimeout(now: now)
            drain()
        }
        now = end
    }

    mutating func drain() {
        var count = 0
        while let bytes = client.pollTransmit() {
            count += 1
            precondition(count <= 64, "more messages at once than requests may be under way")
            guard let request = try? STUNMessage(bytes.span) else { preconditionFailure("our own bytes are refused") }
            requests.append(request)
        }
        requests = requests.suffix(16)
        var events = 0
        while client.pollEvent() != nil {
            events += 1
            precondition(events <= 64, "more events than anything can cause at once")
        }
    }
}
