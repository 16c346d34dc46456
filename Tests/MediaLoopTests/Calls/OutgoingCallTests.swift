import Core
import Networking
import PeerConnection
import PeerSupport
import TestSupport
import Testing

@testable import MediaLoop

@Suite("Outgoing call", .timeLimit(.minutes(1)))
struct OutgoingCallTests {
    @Test("A call connects over loopback, and sound and picture flow both ways")
    func media() async throws {
        let bench = try await CallBench.start()
        try await bench.connect()
        _ = await bench.loop.perform {
            for number in UInt8(0)..<5 {
                bench.call?.sendSound(CallBench.sound(number))
            }
        }
        #expect(await bench.heard.wait { $0.sounds.count == 5 })
        let heard = bench.heard.current.sounds
        #expect(heard.map(\.payload) == (0..<5).map { [UInt8($0), 7, 7] })
        #expect(zip(heard.dropFirst(), heard).allSatisfy { $0.timestamp &- $1.timestamp == 960 })
        await bench.stop()
    }

    @Test("The offer names one host candidate a socket, one ufrag and one fingerprint, and the application last")
    func offer() async throws {
        let bench = try await CallBench.start()
        let offer = await bench.loop.perform { bench.call?.offer() ?? "" } ?? ""
        let lines = offer.split(whereSeparator: \.isNewline).map(String.init)
        #expect(lines.filter { $0.hasPrefix("a=candidate:") }.count == 1)
        #expect(Set(lines.filter { $0.hasPrefix("a=ice-ufrag:") }).count == 1)
        #expect(Set(lines.filter { $0.hasPrefix("a=ice-pwd:") }).count == 1)
        let fingerprints = lines.filter { $0.hasPrefix("a=fingerprint:") }
        #expect(Set(fingerprints).count == 1 && fingerprints.allSatisfy { $0.hasPrefix("a=fingerprint:sha-256 ") })
        #expect(lines.last { $0.hasPrefix("m=") }?.hasPrefix("m=application") == true)
        #expect(offer.utf8.count < 4000)
        await bench.stop()
    }

    @Test("A channel that was opened beforehand carries messages both ways")
    func channel() async throws {
        let bench = try await CallBench.start()
        try await bench.connect()
        #expect(await bench.told.wait { $0.isAssociated })
        _ = await bench.loop.perform {
            guard let channel = bench.channel else { return }
            try? bench.call?.send(DataChannelMessage(text: "hello"), on: channel)
        }
        #expect(await bench.told.wait { $0.messages == ["hello back"] })
        await bench.stop()
    }

    @Test("Closing says goodbye, even where the first one is lost")
    func goodbye() async throws {
        let bench = try await CallBench.start()
        try await bench.connect()
        // The first of the repeats is lost as well.
        let lost = Watched(0)
        bench.peer.lose { direction, bytes in
            guard direction == .incoming, let first = bytes.first, (20...63).contains(first) else { return false }
            lost.update { $0 += 1 }
            return lost.current <= 1
        }
        let began = SystemClock.now()
        await bench.hangUp()
        // 120 ms on a machine that has time; it waits for no answer, and for no consent to run out.
        #expect(SystemClock.now() - began < .seconds(8))
        #expect(await bench.heard.wait { $0.isClosed })
        await bench.stop()
    }

    @Test("A peer that says goodbye is told of")
    func closedByPeer() async throws {
        let bench = try await CallBench.start()
        try await bench.connect()
        await bench.peer.close()
        #expect(await bench.told.wait { $0.isClosed })
        await bench.stop()
    }

    @Test("A peer that vanishes is lost when its consent runs out")
    func consent() async throws {
        let bench = try await CallBench.start(consentTimeout: .milliseconds(500))
        try await bench.connect()
        bench.peer.vanish()
        #expect(await bench.told.wait { $0.failure != nil })
        #expect(bench.told.current.failure?.code == .noPath)
        await bench.stop()
    }

    @Test("A peer with another certificate than it promised is refused")
    func fingerprint() async throws {
        let bench = try await CallBench.start()
        try await bench.connect { answer in
            CallBench.editing(answer, "a=fingerprint:sha-256 ") { value in
                String(value.dropLast()) + (value.hasSuffix("0") ? "1" : "0")
            }
        }
        #expect(await bench.told.wait { $0.failure != nil })
        #expect(bench.told.current.failure?.code == .fingerprint)
        await bench.stop()
    }

    @Test("What checks showed is counted: refused ones where the peer has other credentials of ours")
    func credentials() async throws {
        let bench = try await CallBench.start()
        try await bench.connect(offered: { offer in
            CallBench.editing(offer, "a=ice-pwd:") { String($0.reversed()) }
        })
        var statistics: CallStatistics?
        repeat {
            statistics = await bench.loop.perform { bench.call?.statistics } ?? nil
        } while statistics?.checksRefused == 0 && !Task.isCancelled
        #expect(statistics?.remoteCandidates == [bench.peer.address])
        await bench.stop()
    }
}

/// A call of ours on one loop and its peer on another.
// SAFETY: `call` and `channel` are touched on the loop's thread alone.
final class CallBench: @unchecked Sendable {
    struct Heard: Sendable {
        var sounds: [ReceivedPacket] = []
        var isConnected = false
        var isClosed = false
    }
    struct Told: Sendable {
        var isConnected = false
        var isAssociated = false
        var messages: [String] = []
        var failure: CallFailure?
        var isClosed = false
    }

    let loop: EventLoop
    let peer: AnsweringPeer
    /// What the peer heard of us, and what the call told.
    let heard: Watched<Heard>
    let told = Watched(Told())
    private(set) var call: OutgoingCall?
    private(set) var channel: DataChannelID?

    private init(_ loop: EventLoop, _ peer: AnsweringPeer, _ heard: Watched<Heard>) {
        self.loop = loop
        self.peer = peer
        self.heard = heard
    }

    static func start(consentTimeout: Duration = .seconds(10)) async throws -> CallBench {
        let loop = try EventLoop(name: "calls")
        try loop.start()
        let peerLoop = try EventLoop(name: "peer")
        try peerLoop.start()
        let heard = Watched(Heard())
        let limits = DataChannelLimits()
        let peer = try await AnsweringPeer.make(
            on: peerLoop,
            capabilities: MediaCapabilities(
                sendsVideo: true, sendsAudio: true, videoCodecs: [.h264], dataChannels: limits), dataChannels: limits
        ) { peer, event in
            switch event {
            case .rtpReceived(let packet): heard.update { $0.sounds.append(packet) }
            case .connected: heard.update { $0.isConnected = true }
            case .closed: heard.update { $0.isClosed = true }
            case .dataChannelMessage(let channel, let message):
                peer.send(
                    DataChannelMessage(text: String(decoding: message.bytes, as: UTF8.self) + " back"), on: channel)
            default: break
            }
        }
        let bench = CallBench(loop, peer, heard)
        let context = try DTLSContext(certificate: DTLSCertificate())
        let failure = await loop.perform { () -> SocketError? in
            do throws(SocketError) {
                try bench.makeCall(context, limits, consentTimeout)
                return nil
            } catch {
                return error
            }
        }
        if let failure = failure ?? nil { throw failure }
        return bench
    }

    private func makeCall(
        _ context: DTLSContext, _ limits: DataChannelLimits, _ consentTimeout: Duration
    ) throws(SocketError) {
        var configuration = OutgoingCall.Configuration(
            capabilities: MediaCapabilities(
                sendsVideo: false, receivesVideo: true, videoCodecs: [.h264], offersRetransmission: false,
                dataChannels: limits), dataChannels: limits, addresses: [.loopbackV4])
        configuration.consentTimeout = consentTimeout
        configuration.consentInterval = consentTimeout / 5
        call = try OutgoingCall(configuration, loop: loop, context: context) { [told] event in
            switch event {
            case .connected: told.update { $0.isConnected = true }
            case .sctpConnected: told.update { $0.isAssociated = true }
            case .message(let message, _):
                told.update { $0.messages.append(String(decoding: message.bytes, as: UTF8.self)) }
            case .failed(_, let failure): told.update { $0.failure = failure }
            case .closed: told.update { $0.isClosed = true }
            default: break
            }
        }
        channel = try? call?.openDataChannel(DataChannelSettings(label: "data"))
    }

    /// Exchanges the descriptions; both may be changed on their way. Waits for both sides' keys where they are not.
    func connect(
        offered: ((String) -> String)? = nil, answered: ((String) -> String)? = nil
    ) async throws {
        let offer = await loop.perform { self.call?.offer() ?? "" } ?? ""
        let answer = try await peer.answer(offered?(offer) ?? offer)
        let changed = answered?(answer) ?? answer
        let failure = await loop.perform { () -> NegotiationError? in
            do throws(NegotiationError) {
                try self.call?.accept(answer: changed)
                return nil
            } catch {
                return error
            }
        }
        if let failure = failure ?? nil { throw failure }
        guard offered == nil, answered == nil else { return }
        #expect(await told.wait { $0.isConnected })
        #expect(await heard.wait { $0.isConnected })
    }

    func connect(_ answered: @escaping (String) -> String) async throws {
        try await connect(offered: nil, answered: answered)
    }

    func hangUp() async {
        await withCheckedContinuation { continuation in
            loop.submit {
                guard let call = self.call else { return continuation.resume() }
                self.call = nil
                call.close { continuation.resume() }
            }
        }
    }

    func stop() async {
        await hangUp()
        await peer.close()
        await loop.stop()
        await peer.loop.stop()
    }

    /// Replaces what follows `prefix` in each line that begins with it.
    static func editing(_ sdp: String, _ prefix: String, _ change: (String) -> String) -> String {
        sdp.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix(prefix) ? prefix + change(String(line.dropFirst(prefix.count))) : String(line)
        }.joined(separator: "\r\n")
    }

    static func sound(_ number: UInt8) -> ReceivedPacket {
        ReceivedPacket(
            kind: .audio, payloadType: 111, ssrc: SSRC(99), sequenceNumber: UInt16(number),
            timestamp: 5000 + 960 * UInt32(number), marker: false, isRetransmitted: false, payload: [number, 7, 7])
    }
}
