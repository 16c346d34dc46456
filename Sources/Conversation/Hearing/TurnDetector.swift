internal import Core

/// Finds the turns of one person in 10 ms findings: where speech begins, where it has ended, and what was none.
///
/// Does no I/O and reads no clock; time passes with the samples it is given.
struct TurnDetector: Sendable {
    /// 10 ms of sound and what it was found to be.
    struct Frame: Sendable {
        /// 16 kHz.
        var samples: [Int16]
        var time: Instant
        var isVoice: Bool
        /// A voice, but the avatar's own.
        var isEcho: Bool
        var isAvatarSpeaking: Bool
    }
    enum Output: Equatable, Sendable {
        /// Sound from ``preRoll`` before this on follows.
        case speechStarted(at: Instant)
        /// Right behind the start: the avatar is being interrupted.
        case bargeIn
        case sound([Int16])
        /// `at` is where the voice ended, before the pause.
        case turnEnded(at: Instant)
        /// It was too short to be a turn.
        case abandoned
    }
    static let frame: Duration = .milliseconds(10)
    /// What is kept before the first voice: the soft beginnings of words are taken for none.
    static let preRoll: Duration = .milliseconds(300)
    /// Voice that makes a beginning, where there is nothing to interrupt.
    static let onset: Duration = .milliseconds(60)
    /// Frames without voice that do not break a beginning: a stop consonant holds its breath for so long.
    static let onsetGap: Duration = .milliseconds(150)

    private enum State: Sendable {
        case quiet
        /// Voice since `start`; `voiced` of it so far, and `gap` since the last.
        case beginning(start: Instant, voiced: Duration, gap: Duration)
        /// `lastVoice` is where the last voice ended, `gap` the time since; `length` counts from the start.
        case speaking(voiced: Duration, lastVoice: Instant, gap: Duration, length: Duration)
    }
    private let configuration: HearingConfiguration
    private var state = State.quiet
    /// The latest frames while nobody speaks yet, oldest first.
    private var kept: [[Int16]] = []
    /// How many of ``kept`` lie behind the first voice.
    private var keptSinceStart = 0

    init(_ configuration: HearingConfiguration) {
        self.configuration = configuration
    }

    var isInTurn: Bool { if case .speaking = state { true } else { false } }

    mutating func handle(_ frame: Frame) -> [Output] {
        let isMuted = frame.isAvatarSpeaking && !configuration.bargeIn
        let isVoice = frame.isVoice && !frame.isEcho && !isMuted
        switch state {
        case .quiet:
            keep(frame)
            guard isVoice else { return [] }
            keptSinceStart = 1
            state = .beginning(start: frame.time, voiced: Self.frame, gap: .zero)
            return begin(frame)
        case .beginning(let start, let voiced, let gap):
            keep(frame)
            keptSinceStart += 1
            if isVoice {
                state = .beginning(start: start, voiced: voiced + Self.frame, gap: .zero)
                return begin(frame)
            }
            let silent = gap + Self.frame
            state = silent > Self.onsetGap ? .quiet : .beginning(start: start, voiced: voiced, gap: silent)
            return []
        case .speaking(let voiced, let lastVoice, let gap, let length):
            return go(on: frame, isVoice, voiced: voiced, lastVoice: lastVoice, gap: gap, length: length)
        }
    }

    /// Ends what is going on: the microphone is gone.
    mutating func end() -> [Output] {
        guard case .speaking(let voiced, let lastVoice, _, _) = state else {
            state = .quiet
            return []
        }
        return finish(voiced, lastVoice)
    }

    /// Forgets what is going on, and says nothing of it.
    mutating func reset() {
        state = .quiet
        kept.removeAll()
    }

    private mutating func keep(_ frame: Frame) {
        // An echo before a person's first word is not for the recogniser.
        kept.append(frame.isEcho ? [Int16](repeating: 0, count: frame.samples.count) : frame.samples)
        let limit = Int(Self.preRoll.nanoseconds / Self.frame.nanoseconds)
        let beginning: Int = if case .beginning = state { keptSinceStart + 1 } else { 1 }
        if kept.count > limit + beginning { kept.removeFirst(kept.count - limit - beginning) }
    }

    private mutating func begin(_ frame: Frame) -> [Output] {
        guard case .beginning(let start, let voiced, _) = state else { return [] }
        let isInterruption = frame.isAvatarSpeaking
        guard voiced >= (isInterruption ? configuration.bargeInSpeech : Self.onset) else { return [] }
        let length = Self.frame * keptSinceStart
        state = .speaking(voiced: voiced, lastVoice: frame.time + Self.frame, gap: .zero, length: length)
        defer { kept.removeAll(keepingCapacity: true) }
        return [.speechStarted(at: start)] + (isInterruption ? [.bargeIn] : []) + kept.map { .sound($0) }
    }

    private mutating func go(
        on frame: Frame, _ isVoice: Bool, voiced: Duration, lastVoice: Instant, gap: Duration, length: Duration
    ) -> [Output] {
        let sound = Output.sound(frame.samples)
        let longer = length + Self.frame
        if isVoice {
            let (voiced, lastVoice) = (voiced + Self.frame, frame.time + Self.frame)
            if longer >= configuration.maximumTurn { return [sound] + finish(voiced, lastVoice) }
            state = .speaking(voiced: voiced, lastVoice: lastVoice, gap: .zero, length: longer)
            return [sound]
        }
        let silent = gap + Self.frame
        if silent >= configuration.pause || longer >= configuration.maximumTurn {
            return [sound] + finish(voiced, lastVoice)
        }
        state = .speaking(voiced: voiced, lastVoice: lastVoice, gap: silent, length: longer)
        return [sound]
    }

    private mutating func finish(_ voiced: Duration, _ lastVoice: Instant) -> [Output] {
        state = .quiet
        kept.removeAll(keepingCapacity: true)
        return [voiced >= configuration.minimumSpeech ? .turnEnded(at: lastVoice) : .abandoned]
    }
}
