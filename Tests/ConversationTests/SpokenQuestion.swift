import Core
import MediaPipeline
import PeerConnection
import Synchronization
import TestSupport
import Testing

@testable import Conversation

/// A question asked by the built-in voice, as a microphone would send it.
struct SpokenQuestion {
    /// 48 kHz.
    let samples: [Int16]

    init(_ text: String) async throws {
        let (parts, continuation) = AsyncThrowingStream.makeStream(of: [Int16].self)
        SpeechSynthesizer.shared.speak(text, cancellation: SpeechSynthesizer.Cancellation()) { event in
            switch event {
            case .part(let part): continuation.yield(part.samples)
            case .ended: continuation.finish()
            case .failed: continuation.finish(throwing: CancellationError())
            }
        }
        var samples: [Int16] = []
        for try await part in parts { samples += part }
        self.samples = samples
    }

    /// Every third sample: the voice holds nothing above 8 kHz.
    var at16kHz: [Int16] { stride(from: 0, to: samples.count, by: 3).map { samples[$0] } }

    /// Through Opus and a path that loses the packets that `loses` names, with silence before and after.
    func sent(silence: Duration = .milliseconds(900), loses: (Int) -> Bool = { _ in false }) throws -> [MicrophoneSound]
    {
        let padding = [Int16](repeating: 0, count: Int(silence.nanoseconds / 1_000_000) * 48)
        let sound = padding + samples + padding
        var encoder = try OpusPacketEncoder(bitRate: 32_000)
        var decoder = try MicrophoneDecoder()
        var clock = ManualClock()
        var heard: [MicrophoneSound] = []
        for (number, start) in stride(from: 0, through: sound.count - 960, by: 960).enumerated() {
            let packet = ReceivedPacket(
                kind: .audio, payloadType: 111, ssrc: SSRC(1), sequenceNumber: UInt16(truncatingIfNeeded: number),
                timestamp: UInt32(number * 960), marker: false, isRetransmitted: false,
                payload: try encoder.encode(Array(sound[start..<start + 960])))
            while let due = decoder.deadline, due <= clock.now {
                decoder.handleTimeout(now: clock.now) { heard.append($0) }
            }
            if !loses(number) { decoder.handle(packet, now: clock.now) { heard.append($0) } }
            clock.advance(by: .milliseconds(20))
        }
        return heard
    }
}
