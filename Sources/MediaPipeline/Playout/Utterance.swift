internal import Core

/// A piece of speech: usually one sentence.
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
    /// The source has the first picture.
    var hasPictures = false
    /// From when on its sound has been waiting for pictures.
    var picturesAwaitedSince: Instant?
    /// From when on it has been waiting for sound, at the head of the queue.
    var soundAwaitedSince: Instant?
    /// Samples that went out so far, over all parts.
    private(set) var playedSamples = 0
    /// Samples that are there and did not go out yet.
    private(set) var waitingSamples = 0
    private var parts: [SpokenPart] = []
    private var current = 0
    private var cursor = 0
    private var lips = LipFollower()

    init(id: UtteranceID) {
        self.id = id
    }

    var hasStarted: Bool { playedSamples > 0 }
    var position: Duration {
        .nanoseconds(Int64(playedSamples) * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
    }

    mutating func append(_ part: SpokenPart) {
        guard !part.samples.isEmpty else { return }
        var part = part
        if part.visemes == nil { part.visemes = lips.track(part.samples) }
        parts.append(part)
        waitingSamples += part.samples.count
    }

    var hasSamples: Bool { waitingSamples > 0 }
    /// There is enough to begin with.
    var hasPacket: Bool { waitingSamples >= OpusFormat.samplesPerPacket || isComplete && hasSamples }
    /// It cannot go on, though it is not at its end.
    var lacksSound: Bool { !isComplete && (hasStarted ? !hasSamples : !hasPacket) }
    /// Nothing is left to play and nothing more will come.
    var isFinished: Bool { isComplete && !hasSamples }

    /// The mouth's track and the time in it at the next sample to be played.
    var visemesAtCursor: (track: VisemeTrack, offset: Double)? {
        guard current < parts.count, let visemes = parts[current].visemes else { return nil }
        return (visemes, Double(cursor) / Double(OpusFormat.sampleRateHz))
    }

    /// Takes at most one packet's samples.
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
                parts[current].visemes = nil
                current += 1
                cursor = 0
            }
        }
        if current == parts.count {
            parts.removeAll(keepingCapacity: true)
            current = 0
        }
        playedSamples += packet.count
        waitingSamples -= packet.count
        return packet
    }
}
