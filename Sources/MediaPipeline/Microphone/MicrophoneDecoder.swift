package import Core
package import PeerConnection

/// Turns one viewer's packets of sound into an unbroken row of 20 ms pieces.
///
/// Does no I/O: feed it with ``handle(_:now:deliver:)``, and with ``handleTimeout(now:deliver:)`` once ``deadline`` has passed.
package struct MicrophoneDecoder: ~Copyable {
    private var buffer = JitterBuffer()
    private var decoder: OpusSpeechDecoder
    /// What does not fill a piece yet, and when its first sample was spoken.
    private var rest: [Int16] = []
    private var restTime = Instant.zero
    private var isRestConcealed = false
    /// Packets that libopus refused.
    package private(set) var undecodable: UInt64 = 0

    package init() throws(CodecError) {
        decoder = try OpusSpeechDecoder()
    }

    package var deadline: Instant? { buffer.deadline }
    package var counts: JitterBuffer.Counts { buffer.counts }

    package mutating func handle(_ packet: ReceivedPacket, now: Instant, deliver: (MicrophoneSound) -> Void) {
        buffer.handle(packet, now: now)
        drain(deliver)
    }

    package mutating func handleTimeout(now: Instant, deliver: (MicrophoneSound) -> Void) {
        buffer.handleTimeout(now: now)
        drain(deliver)
    }

    private mutating func drain(_ deliver: (MicrophoneSound) -> Void) {
        while let piece = buffer.pollOutput() {
            switch piece.output {
            case .restart:
                decoder.reset()
                rest.removeAll(keepingCapacity: true)
            case .packet(let packet):
                let expected = OpusPacketHeader(packet).map { $0.samples / 3 } ?? 0
                var samples = (try? decoder.decode(packet)) ?? []
                let isDecoded = !samples.isEmpty
                if !isDecoded {
                    undecodable &+= 1
                    samples = (try? decoder.conceal(expected - expected % 40)) ?? []
                }
                append(samples, from: piece.time, isConcealed: !isDecoded, deliver)
            case .recovery(let count, let packet):
                let samples = (try? decoder.recover(count / 3, from: packet)) ?? Self.silence(count)
                append(samples, from: piece.time, isConcealed: true, deliver)
            case .concealment(let count):
                let samples = (try? decoder.conceal(count / 3)) ?? Self.silence(count)
                append(samples, from: piece.time, isConcealed: true, deliver)
            case .silence(let count):
                append(Self.silence(count), from: piece.time, isConcealed: true, deliver)
            }
        }
    }

    /// - Parameter count: at 48 kHz.
    private static func silence(_ count: Int) -> [Int16] {
        [Int16](repeating: 0, count: count / 3)
    }

    private mutating func append(
        _ samples: [Int16], from time: Instant, isConcealed: Bool, _ deliver: (MicrophoneSound) -> Void
    ) {
        guard !samples.isEmpty else { return }
        if rest.isEmpty {
            restTime = time
            isRestConcealed = false
        }
        isRestConcealed = isRestConcealed || isConcealed
        rest += samples
        let size = MicrophoneSound.sampleCount
        var start = 0
        while rest.count - start >= size {
            deliver(
                MicrophoneSound(
                    samples: Array(rest[start..<start + size]), time: restTime, isConcealed: isRestConcealed))
            start += size
            restTime += MicrophoneSound.duration
            isRestConcealed = isConcealed
        }
        if start > 0 { rest.removeFirst(start) }
    }
}
