import Core
import MediaLoop
import MediaPipeline
import PeerConnection
import TestSupport
import Testing

/// What a viewer's microphone sends reaches whoever listens, and nobody else.
@Suite(.timeLimit(.minutes(15))) struct MicrophoneTests {
    /// Remembers what it was given.
    final class Listener: MicrophoneSink {
        struct Heard: Sendable {
            var packets: [ReceivedPacket] = []
            var endings = 0
        }
        let heard = Watched(Heard())

        func receive(_ packet: ReceivedPacket, now: Instant) { heard.update { $0.packets.append(packet) } }
        func ended() { heard.update { $0.endings += 1 } }
    }

    private func talker(on bench: LoopBench) async throws -> LoopbackViewer {
        try await LoopbackViewer.make(on: bench.viewerLoop, hasMicrophone: true)
    }

    @Test("A viewer that speaks is heard: payloads, numbers and times as they were sent")
    func heard() async throws {
        let bench = try await LoopBench.start()
        let listener = Listener()
        let joined = try await bench.join(talker(on: bench), microphone: listener)
        #expect(await joined.isConnected())
        for number in UInt8(0)..<5 { await joined.viewer.speak([0xF8, number], rtpTimestamp: UInt32(number) * 960) }
        #expect(await listener.heard.wait { $0.packets.count == 5 })
        let packets = listener.heard.current.packets
        #expect(packets.map(\.payload) == (0..<5).map { [0xF8, $0] })
        #expect(packets.allSatisfy { $0.kind == .audio })
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $1.timestamp &- $0.timestamp == 960 })
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $1.sequenceNumber &- $0.sequenceNumber == 1 })
        #expect(listener.heard.current.endings == 0)
        await bench.stop()
    }

    @Test("Opus that a viewer sends arrives as sound, 20 ms a packet")
    func sound() async throws {
        let bench = try await LoopBench.start()
        let (sounds, continuation) = AsyncStream.makeStream(of: MicrophoneSound.self)
        let receiver = MicrophoneReceiver(metrics: MicrophoneMetrics(bench.metrics)) {
            continuation.yield($0)
        } ended: {
            continuation.finish()
        }
        let joined = try await bench.join(talker(on: bench), microphone: receiver)
        #expect(await joined.isConnected())
        var encoder = try OpusPacketEncoder(bitRate: 32_000)
        // A buzz of 400 Hz.
        let buzz = (0..<960).map { Int16($0 % 120 < 60 ? 6000 : -6000) }
        for number in UInt32(0)..<30 {
            await joined.viewer.speak(try encoder.encode(buzz), rtpTimestamp: number * 960)
        }
        #expect(await bench.awaits { await $0.media.statistics(viewer: joined.id)?.soundPacketsReceived == 30 })
        bench.media.removeViewer(joined.id, reason: "the test has heard enough")
        var heard: [MicrophoneSound] = []
        for await sound in sounds where !sound.isConcealed { heard.append(sound) }
        #expect(heard.count == 30)
        #expect(heard.suffix(20).allSatisfy { $0.samples.contains { $0.magnitude > 2000 } })
        await bench.stop()
    }

    @Test("A listener is told once that its viewer is gone")
    func ended() async throws {
        let bench = try await LoopBench.start()
        let (first, second) = (Listener(), Listener())
        let leaving = try await bench.join(talker(on: bench), microphone: first)
        let removed = try await bench.join(talker(on: bench), microphone: second)
        #expect(await leaving.isConnected())
        #expect(await removed.isConnected())
        await leaving.viewer.leave()
        bench.media.removeViewer(removed.id, reason: "the test says so")
        #expect(await first.heard.wait { $0.endings == 1 })
        #expect(await second.heard.wait { $0.endings == 1 })
        await bench.stop()
        #expect(first.heard.current.endings == 1)
        #expect(second.heard.current.endings == 1)
    }

    @Test("A listener whose viewer's offer is refused is told its end at once")
    func refused() async throws {
        let bench = try await LoopBench.start()
        let listener = Listener()
        await #expect(throws: ViewerError.self) {
            _ = try await bench.media.addViewer(
                stage: bench.stage, offer: "no offer", remoteAddress: nil, includeCandidates: false,
                microphone: listener)
        }
        #expect(listener.heard.current.endings == 1)
        await bench.stop()
    }

    @Test("Sound that nobody listens to is counted and not kept; a listener that comes later hears what follows")
    func nobodyListens() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join(talker(on: bench))
        #expect(await joined.isConnected())
        for number in UInt8(0)..<50 { await joined.viewer.speak([0xF8, number], rtpTimestamp: UInt32(number) * 960) }
        #expect(await bench.awaits { await $0.media.statistics(viewer: joined.id)?.soundPacketsReceived == 50 })
        #expect(bench.metrics.counter("avatar_microphone_packets_total", help: "").current == 0)
        let listener = Listener()
        let answer = try await bench.media.renegotiate(
            viewer: joined.id, offer: await joined.viewer.offer(), microphone: listener)
        try await joined.viewer.accept(answer)
        await joined.viewer.speak([0xF8, 99], rtpTimestamp: 99 * 960)
        #expect(await listener.heard.wait { !$0.packets.isEmpty })
        // None of the fifty before lay in wait.
        #expect(listener.heard.current.packets.map(\.payload) == [[0xF8, 99]])
        #expect(bench.metrics.counter("avatar_microphone_packets_total", help: "").current == 1)
        await bench.stop()
    }

    @Test("A renegotiation without a listener changes nothing for the one that is there")
    func renegotiated() async throws {
        let bench = try await LoopBench.start()
        let listener = Listener()
        let joined = try await bench.join(talker(on: bench), microphone: listener)
        #expect(await joined.isConnected())
        let answer = try await bench.media.renegotiate(viewer: joined.id, offer: await joined.viewer.offer())
        try await joined.viewer.accept(answer)
        await joined.viewer.speak([0xF8, 7], rtpTimestamp: 0)
        #expect(await listener.heard.wait { $0.packets.map(\.payload) == [[0xF8, 7]] })
        #expect(listener.heard.current.endings == 0)
        await bench.stop()
    }
}
