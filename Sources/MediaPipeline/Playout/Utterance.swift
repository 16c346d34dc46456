internal import Core

/// A piece of synthesised speech: usually one sentence.
package struct SpokenPart: Sendable {
    /// 48 kHz, one channel.
    package var samples: [Int16]
    /// The mouth over these samples; nil where no phones are known: the lips follow the sound.
    package var visemes: VisemeTrack?

    package init(samples: [Int16], visemes: VisemeTrack? = nil) {
        self.samples = samples
        self.visemes = visemes
    }
}

/// One utterance on its way to the viewers: its parts arrive from the voice while earlier ones play.
struct Utterance: Sendable {
    let id: UtteranceID
    /// True once the voice has delivered the last part.
    var isComplete = false
    /// Samples that went out so far, over all parts.
    private(set) var playedSamples = 0
    private var parts: [SpokenPart] = []
    private var current = 0
    private var cursor = 0

    init(id: UtteranceID) {
        self.id = id
    }

    var hasStarted: Bool { playedSamples > 0 }
    var position: Duration {
        .nanoseconds(Int64(playedSamples) * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
    }

    mutating func append(_ part: SpokenPart) {
        guard !part.samples.isEmpty else { return }
        parts.append(part)
    }

    var hasSamples: Bool { current < parts.count }
    /// Nothing is left to play and nothing more will come.
    var isFinished: Bool { isComplete && !hasSamples }

    /// The mouth's track and the time in it at the next sample to be played.
    var visemesAtCursor: (track: VisemeTrack, offset: Double)? {
        guard current < parts.count else { return nil }
        return (parts[current].visemes ?? VisemeTrack(), Double(cursor) / Double(OpusFormat.sampleRateHz))
    }

    /// Takes one packet's samples, filled up with silence at the end of a part that no other part follows.
    mutating func takePacket() -> [Int16] {
        var packet: [Int16] = []
        packet.reserveCapacity(OpusFormat.samplesPerPacket)
        while packet.count < OpusFormat.samplesPerPacket, current < parts.count {
            let samples = parts[current].samples
            let count = min(OpusFormat.samplesPerPacket - packet.count, samples.count - cursor)
            packet.append(contentsOf: samples[cursor..<(cursor + count)])
            cursor += count
            if cursor == samples.count {
                // Played parts are let go at once: an hour of talk must not stay in memory.
                parts[current].samples = []
                current += 1
                cursor = 0
            }
        }
        playedSamples += packet.count
        if packet.count < OpusFormat.samplesPerPacket {
            packet.append(
                contentsOf: [Int16](repeating: 0, count: OpusFormat.samplesPerPacket - packet.count))
        }
        return packet
    }
}
