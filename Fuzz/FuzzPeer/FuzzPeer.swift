import Core
import TURNClient

@testable import PeerConnection

/// A whole peer whose remote side is hostile but holds the keys: what it sends is encrypted for it here, so that what lies behind
/// SRTP is reached too. Whatever happens, nothing traps, and no input makes it send or remember without bound.
///
/// Each step is `operation, length, bytes…`.
@c(LLVMFuzzerTestOneInput)
package func fuzzPeer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var script = Array(UnsafeBufferPointer(start: start, count: count))[...]
    guard let flags = script.popFirst(), var scene = Scene.make(flags) else { return 0 }
    var steps = 0
    while let operation = script.popFirst(), let length = script.popFirst(), steps < 200 {
        let bytes = Array(script.prefix(Int(length)))
        script = script.dropFirst(Int(length))
        scene.perform(operation, bytes)
        scene.drain()
        steps += 1
    }
    return 0
}

/// Made once: only what a peer is sent is worth the fuzzer's time.
private let context: DTLSContext? = {
    guard let certificate = try? DTLSCertificate() else { return nil }
    return try? DTLSContext(certificate: certificate)
}()

private struct Scene: ~Copyable {
    static let remote = SocketAddress(.v4(0x0500_0001), 1000)
    static let wallTime = WallTime(secondsSince1970: 1_800_000_000)

    var peer: PeerConnection
    /// The remote side's own: makes the offers, and protects what it sends.
    var offerer: OfferAnswer
    var sender: SRTPSendContext
    var now: Instant
    var picture: UInt32 = 0
    let transport: LocalTransport

    /// A peer that has answered an offer and whose handshake is over.
    static func make(_ flags: UInt8) -> Scene? {
        guard let context, let fingerprint = CertificateFingerprint(algorithm: .sha256, digest: Array(0..<32)) else {
            return nil
        }
        let profile: SRTPProfile = flags & 1 == 0 ? .aeadAES128GCM : .aes128CMSHA1With80BitTag
        let key = SRTPMasterKey(key: Array(0..<16), salt: [UInt8](repeating: 7, count: profile.saltLength))
        guard let sender = try? SRTPSendContext(key, profile: profile) else { return nil }
        let capabilities = MediaCapabilities(receivesVideo: flags & 2 == 0, usesTransportFeedback: flags & 4 == 0)
        let start = Instant(nanoseconds: 1_000_000_000)
        let peer = PeerConnection(
            configuration: PeerConnection.Configuration(
                role: .answerer, capabilities: capabilities, deliversReceivedMedia: flags & 8 == 0),
            context: context, random: .seeded(1), now: start)
        let offerer = OfferAnswer(
            capabilities: MediaCapabilities(receivesVideo: true, usesTransportFeedback: true), random: .seeded(2))
        let transport = LocalTransport(
            usernameFragment: "theirs", password: "theirpasswordtheirpassword", fingerprint: fingerprint)
        var scene = Scene(peer: peer, offerer: offerer, sender: sender, now: start, transport: transport)
        scene.connect(with: key, profile)
        return scene
    }

    /// The handshake has a fuzz target of its own: here the keys are simply there.
    mutating func connect(with key: SRTPMasterKey, _ profile: SRTPProfile) {
        let address = SocketAddress(.v4(0x0600_0001), 2000)
        peer.addLocalCandidate(LocalCandidateID(0), Candidate(type: .host, address: address), now: now)
        guard (try? peer.acceptOffer(offerer.offer(transport: transport).text, now: now)) != nil else {
            preconditionFailure("our own offer is refused")
        }
        peer.outbound = try? SRTPSendContext(key, profile: profile)
        peer.inbound = try? SRTPReceiveContext(key, profile: profile)
        peer.profile = profile
        peer.phase = .connected
        peer.path = MediaPath(local: LocalCandidateID(0), remote: Self.remote)
        peer.nextReport = now
        write(isKeyFrame: true, count: 3000)
        precondition(peer.packetsSent > 0, "a connected peer sends no picture")
        drain()
    }

    mutating func perform(_ operation: UInt8, _ bytes: [UInt8]) {
        switch operation & 0x0F {
        case 0: receive(bytes)
        case 1, 2, 3: receiveControl(bytes)
        case 4, 5: receiveMedia(bytes, payloadType: operation >> 4)
        case 6: receiveNACK(bytes)
        case 7: _ = peer.addRemoteCandidate(String(decoding: bytes, as: UTF8.self), now: now)
        case 8: write(isKeyFrame: operation & 16 != 0, count: bytes.count * 16 + 1)
        case 9, 10: advance(by: .milliseconds(Int64(bytes.first ?? 1) * (operation & 16 == 0 ? 1 : 100)))
        case 11: renegotiate(bytes)
        case 12:
            if let description = String(validating: bytes, as: UTF8.self) {
                _ = try? peer.acceptOffer(description, now: now)
            }
        case 13: peer.requestKeyFrame(now: now)
        case 14: _ = peer.statistics
        default: if operation == 0xFF { peer.close(now: now) }
        }
    }

    mutating func receive(_ bytes: [UInt8]) {
        var bytes = bytes
        let instant = now
        bytes.withUnsafeMutableBytes { buffer in
            _ = peer.handleDatagram(buffer, from: Self.remote, on: LocalCandidateID(0), now: instant)
        }
    }

    mutating func receiveControl(_ bytes: [UInt8]) {
        guard bytes.count >= 8 else { return }
        var packet = bytes
        packet[0] = 0x80 | packet[0] & 0x3F
        packet[1] = 192 | packet[1] & 31
        packet += [UInt8](repeating: 0, count: sender.profile.controlOverhead)
        let length = packet.withUnsafeMutableBytes { try? sender.protectControl($0, length: bytes.count) }
        if length != nil { receive(packet) }
    }

    /// The payload types are those that the answer settled on, so that a packet gets past the first look.
    mutating func receiveMedia(_ bytes: [UInt8], payloadType selector: UInt8) {
        let known = (peer.session?.sections ?? []).compactMap(\.media).compactMap(\.receiving).flatMap {
            [$0.payloadType, $0.retransmissionPayloadType ?? $0.payloadType]
        }
        guard !known.isEmpty, bytes.count >= 12 else { return }
        var packet = bytes
        packet[0] = 0x80 | packet[0] & 0x3F
        packet[1] = packet[1] & 0x80 | known[Int(selector) % known.count]
        // Few streams, as libsrtp keeps a context for each.
        for index in 8..<11 { packet[index] = 0 }
        packet[11] &= 3
        packet += [UInt8](repeating: 0, count: sender.profile.tagLength)
        let length = packet.withUnsafeMutableBytes {
            try? sender.protect($0, headerLength: 12, length: bytes.count)
        }
        if length != nil { receive(packet) }
    }

    /// Numbers that were sent and numbers that were not.
    mutating func receiveNACK(_ bytes: [UInt8]) {
        guard let media = peer.video?.ssrc else { return }
        let lost = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        receiveControl(RTCPPacket.encode([.genericNACK(GenericNACK(sender: SSRC(9), media: media, lost: lost))]))
    }

    /// An offer of the remote side's own, changed in one place.
    mutating func renegotiate(_ bytes: [UInt8]) {
        var lines = offerer.offer(transport: transport).text.split(separator: "\r\n").map(String.init)
        if let place = bytes.first.map({ Int($0) % lines.count }) {
            lines[place] = String(decoding: bytes.dropFirst(), as: UTF8.self)
        }
        guard let answer = try? peer.acceptOffer(lines.joined(separator: "\r\n") + "\r\n", now: now) else { return }
        precondition((try? SessionDescription(answer)) != nil, "our own answer is refused")
    }

    mutating func write(isKeyFrame: Bool, count: Int) {
        picture &+= 1
        let payloads = VP8Packetizer.packetize(frame: [UInt8](repeating: 1, count: count), isKeyFrame: isKeyFrame)
        let frame = MediaFrame(
            codec: .vp8, payloads: payloads, rtpTimestamp: picture &* 3000, presentationTime: now, epoch: 0,
            capturedAt: now)
        let instant = now
        let size = peer.batchByteCount(of: frame, reservingBefore: 4)
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { batch in
            let written = peer.write(frame, into: batch, reservingBefore: 4, now: instant)
            precondition(written.byteCount <= size, "more was written than there is room")
        }
    }

    mutating func advance(by duration: Duration) {
        let end = now + duration
        var turns = 0
        while let deadline = peer.deadline, deadline <= end {
            turns += 1
            precondition(turns < 10_000, "the deadline does not move on")
            now = max(now, deadline)
            peer.handleTimeout(now: now, wallTime: Self.wallTime)
            drain()
        }
        now = end
    }

    mutating func drain() {
        var transmits = 0
        while let transmit = peer.pollTransmit() {
            transmits += 1
            precondition(transmit.bytes.count <= 1500, "a datagram is larger than a path carries")
            precondition(transmits <= 1024, "one input is answered by a flood")
        }
        var events = 0
        while peer.pollEvent() != nil {
            events += 1
            precondition(events <= 256, "more events than anything can cause at once")
        }
    }
}
