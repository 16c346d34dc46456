import Core
import MediaPipeline
import TestSupport

/// A playout on a hand-moved clock, with what it orders.
struct PlayoutBench {
    var clock = ManualClock()
    var playout: Playout
    var outputs: [Playout.Output] = []

    init(_ configuration: Playout.Configuration = Playout.Configuration(framesPerSecond: 30)) {
        playout = Playout(configuration: configuration, origin: clock.now)
    }

    mutating func handle(_ input: Playout.Input) {
        playout.handle(input, now: clock.now)
        while let output = playout.pollOutput() { outputs.append(output) }
    }

    /// An utterance that brings `parts` at once.
    mutating func say(_ id: UtteranceID, _ parts: [SpokenPart], isComplete: Bool = true) {
        handle(.utteranceBegan(id))
        for part in parts { handle(.soundArrived(id, part)) }
        if isComplete { handle(.utteranceEnded(id)) }
    }

    mutating func run(milliseconds: Int) {
        for _ in 0..<milliseconds {
            clock.advance(by: .milliseconds(1))
            if let deadline = playout.deadline, deadline <= clock.now { handle(.timeout) }
        }
    }

    mutating func take() -> [Playout.Output] {
        defer { outputs.removeAll() }
        return outputs
    }
}

extension [Playout.Output] {
    var pictures: [(Playout.Picture, Playout.Stamp)] {
        compactMap { if case .show(let picture, let stamp) = $0 { (picture, stamp) } else { nil } }
    }

    var livePictures: [Playout.LivePicture] {
        pictures.compactMap { if case .live(let live) = $0.0 { live } else { nil } }
    }

    var loopFrames: [Int] {
        pictures.compactMap { if case .loopFrame(let index) = $0.0 { index } else { nil } }
    }

    var sounds: [(Playout.Sound, Playout.Stamp)] {
        compactMap { if case .play(let sound, let stamp) = $0 { (sound, stamp) } else { nil } }
    }

    /// The voice's packets with their times.
    var voice: [(samples: [Int16], time: Instant)] {
        sounds.compactMap { sound, stamp in
            if case .samples(let samples, _) = sound { (samples, stamp.presentationTime) } else { nil }
        }
    }

    var events: [StageEvent] {
        compactMap { if case .report(let event) = $0 { event } else { nil } }
    }

    var activities: [StageActivity] {
        events.compactMap { if case .activityChanged(let activity) = $0 { activity } else { nil } }
    }
}

extension SpokenPart {
    /// So many samples of one loudness, with the lips of one phone.
    static func steady(samples: Int, value: Int16 = 1000, phone: String = "aa") -> SpokenPart {
        let seconds = Double(samples) / Double(OpusFormat.sampleRateHz)
        return SpokenPart(
            samples: [Int16](repeating: value, count: samples),
            visemes: VisemeTrack(phones: [PhoneInterval(phone: phone, start: 0, end: seconds)]))
    }

    static func tone(packets: Int, phone: String = "aa") -> SpokenPart {
        steady(samples: packets * OpusFormat.samplesPerPacket, phone: phone)
    }
}
