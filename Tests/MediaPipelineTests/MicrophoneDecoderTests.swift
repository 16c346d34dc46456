import Core
import Dispatch
import PeerConnection
import TestSupport
import Testing

@testable import MediaPipeline

/// A tone through Opus, a path that loses packets, the jitter buffer, and Opus again.
struct MicrophoneDecoderTests {
    /// Packets of a sweeping tone at speech-like loudness.
    static func packets(_ count: Int) throws -> [[UInt8]] {
        var encoder = try OpusPacketEncoder(bitRate: 32_000)
        var phase = 0.0
        return try (0..<count).map { packet in
            let samples = (0..<960).map { index -> Int16 in
                let time = Double(packet * 960 + index) / 48_000
                phase += (200 + 150 * sinOf(time * 3)) * 2 * .pi / 48_000
                return Int16(9000 * sinOf(phase))
            }
            return try encoder.encode(samples)
        }
    }

    private static func sinOf(_ value: Double) -> Double {
        // Taylor is exact enough for a tone after the argument is brought into one turn.
        let turn = value - (value / (2 * .pi)).rounded() * 2 * .pi
        let square = turn * turn
        return turn * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))))
    }

    static func received(_ number: Int, _ payload: [UInt8]) -> ReceivedPacket {
        ReceivedPacket(
            kind: .audio, payloadType: 111, ssrc: SSRC(1), sequenceNumber: UInt16(truncatingIfNeeded: number),
            timestamp: UInt32(truncatingIfNeeded: number * 960), marker: false, isRetransmitted: false,
            payload: payload)
    }

    /// Sends the packets but for the lost ones, 20 ms apart; what was heard until the last.
    static func hear(_ packets: [[UInt8]], lost: (Int) -> Bool) throws -> [MicrophoneSound] {
        var decoder = try MicrophoneDecoder()
        var clock = ManualClock()
        var heard: [MicrophoneSound] = []
        for (number, packet) in packets.enumerated() {
            while let due = decoder.deadline, due <= clock.now {
                decoder.handleTimeout(now: clock.now) { heard.append($0) }
            }
            if !lost(number) { decoder.handle(received(number, packet), now: clock.now) { heard.append($0) } }
            clock.advance(by: .milliseconds(20))
        }
        clock.advance(by: .milliseconds(100))
        decoder.handleTimeout(now: clock.now) { heard.append($0) }
        return heard
    }

    private func energy(_ samples: some Collection<Int16>) -> Double {
        samples.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(samples.count, 1))
    }

    @Test("Pieces of 20 ms at 16 kHz come out, in an unbroken row of times")
    func pieces() throws {
        let heard = try Self.hear(Self.packets(50), lost: { _ in false })
        #expect(heard.count == 50)
        #expect(heard.allSatisfy { $0.samples.count == 320 && !$0.isConcealed })
        #expect(zip(heard, heard.dropFirst()).allSatisfy { abs(($1.time - $0.time).milliseconds - 20) < 1 })
        #expect(energy(heard.flatMap(\.samples)) > 1e7)
    }

    @Test("A packet that was lost is made up for, and the made-up sound says so")
    func concealment() throws {
        let heard = try Self.hear(Self.packets(50), lost: { $0 % 10 == 7 })
        #expect(heard.count == 50)
        #expect(heard.count(where: \.isConcealed) == 5)
        for sound in heard where sound.isConcealed { #expect(energy(sound.samples) > 1e6) }
    }

    @Test("Sound recovered from the next packet is nearer to what was said than a guess")
    func recovery() throws {
        let voice = Self.speech()
        try #require(voice.count > 48_000)
        var encoder = try OpusPacketEncoder(bitRate: 32_000)
        let packets = try stride(from: 0, to: voice.count - 960, by: 960).map {
            try encoder.encode(Array(voice[$0..<$0 + 960]))
        }
        var whole = try OpusSpeechDecoder()
        let truth = try packets.map { try whole.decode($0) }
        var recovering = try OpusSpeechDecoder()
        var guessing = try OpusSpeechDecoder()
        var errors = (recovered: 0.0, guessed: 0.0)
        for number in 0..<(packets.count - 1) {
            guard number % 8 == 5 else {
                _ = try (recovering.decode(packets[number]), guessing.decode(packets[number]))
                continue
            }
            let recovered = try recovering.recover(320, from: packets[number + 1])
            let guessed = try guessing.conceal(320)
            errors.recovered += energy(zip(recovered, truth[number]).map { $0 &- $1 })
            errors.guessed += energy(zip(guessed, truth[number]).map { $0 &- $1 })
        }
        #expect(errors.recovered < errors.guessed * 0.8)
    }

    private static func speech() -> [Int16] {
        guard let voice = FliteVoice(),
            let speech = voice.synthesise("The quick brown fox jumps over the lazy dog, again and again."),
            var resampler = VoiceResampler(from: FliteVoice.sampleRateHz)
        else { return [] }
        return resampler.convert(speech.samples)
    }

    @Test("Bytes that are no Opus sound are concealed and counted, and the sound after them is heard")
    func rubbish() throws {
        var packets = try Self.packets(30)
        packets[10] = [0x7F, 0xFF, 0xFF, 0xFF]
        packets[11] = [0xFE, 0xFF]
        let heard = try Self.hear(packets, lost: { _ in false })
        #expect(heard.count >= 27)
        #expect(energy(heard.suffix(5).flatMap(\.samples)) > 1e7)
    }

    @Test("A receiver hears on its own thread, and is told the end last")
    func receiver() async throws {
        let registry = MetricsRegistry()
        let (stream, continuation) = AsyncStream.makeStream(of: MicrophoneSound.self)
        let receiver = MicrophoneReceiver(metrics: MicrophoneMetrics(registry)) { sound in
            continuation.yield(sound)
        } ended: {
            continuation.finish()
        }
        for (number, packet) in try Self.packets(40).enumerated() {
            receiver.receive(Self.received(number, packet), now: SystemClock.now())
        }
        receiver.ended()
        receiver.receive(Self.received(41, [0xF8]), now: SystemClock.now())
        var count = 0
        for await sound in stream {
            #expect(sound.samples.count == 320)
            count += 1
        }
        #expect(count == 40)
    }

    @Test("A receiver whose thread has no time keeps the newest hundred packets")
    func overrun() async throws {
        let registry = MetricsRegistry()
        // The thread is shared: it is held up inside another receiver's delivery.
        let gate = DispatchSemaphore(value: 0)
        let (entered, isIn) = AsyncStream.makeStream(of: Void.self)
        let blocker = MicrophoneReceiver(metrics: MicrophoneMetrics(registry)) { _ in
            isIn.yield()
            // Once open it stays so: silence is delivered after the packet.
            gate.wait()
            gate.signal()
        }
        let packets = try Self.packets(150)
        blocker.receive(Self.received(0, packets[0]), now: SystemClock.now())
        var iterator = entered.makeAsyncIterator()
        await iterator.next()
        let (stream, continuation) = AsyncStream.makeStream(of: MicrophoneSound.self)
        let receiver = MicrophoneReceiver(metrics: MicrophoneMetrics(registry)) {
            continuation.yield($0)
        } ended: {
            continuation.finish()
        }
        for (number, packet) in packets.enumerated() {
            receiver.receive(Self.received(number, packet), now: SystemClock.now())
        }
        receiver.ended()
        gate.signal()
        blocker.ended()
        var count = 0
        for await _ in stream { count += 1 }
        #expect(count == MicrophoneReceiver.maximumWaiting)
        let overrun = registry.counter(
            "avatar_microphone_troubled_packets_total", help: "", labels: ["outcome": "overrun"])
        #expect(overrun.current == 50)
    }
}
