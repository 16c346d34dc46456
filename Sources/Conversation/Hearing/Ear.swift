package import Core
package import MediaPipeline
internal import Synchronization

/// What an ear makes out.
package enum EarEvent: Equatable, Sendable {
    /// Somebody began to speak; their sound follows, from 300 ms before on.
    case speechStarted(at: Instant)
    /// Right behind a start: the avatar was speaking.
    case bargeIn
    /// 16 kHz, only between a start and its end.
    case sound([Int16])
    /// `at` is where the voice ended, before the pause.
    case turnEnded(at: Instant)
    /// What had started was too short to be a turn.
    case abandoned
}

/// Listens to one microphone: finds voices in its sound, leaves the avatar's echo aside, and cuts the rest into turns.
///
/// Called on the thread "hearing" by one caller at a time; its lock is for the compiler's sake and never contended.
package final class Ear: Sendable {
    private struct Listening: ~Copyable {
        /// Nil where the library refuses; then the level alone decides.
        var detector: VoiceActivityDetector?
        /// Most viewers never speak, and a detector takes its memory: it is made with the first sound.
        var hasDetector = false
        var echoGuard = EchoGuard()
        var turns: TurnDetector
    }
    /// Mean amplitude that counts as a voice where there is no detector: -40 dBFS.
    private static let loudness: Float = 0.01

    private let listening: Mutex<Listening>
    private let level: @Sendable (Instant) -> Float
    private let isAvatarSpeaking: @Sendable () -> Bool
    private let deliver: @Sendable (EarEvent) -> Void

    /// - Parameters:
    ///   - level: the mean amplitude, 0...1, of what the stage sent at a time (``VoiceLevel``).
    ///   - deliver: called on the thread that ``hear(_:)`` was called on; must return soon.
    package init(
        configuration: HearingConfiguration, level: @escaping @Sendable (Instant) -> Float,
        isAvatarSpeaking: @escaping @Sendable () -> Bool, deliver: @escaping @Sendable (EarEvent) -> Void
    ) {
        listening = Mutex(Listening(turns: TurnDetector(configuration)))
        self.level = level
        self.isAvatarSpeaking = isAvatarSpeaking
        self.deliver = deliver
    }

    package func hear(_ sound: MicrophoneSound) {
        let isSpeaking = isAvatarSpeaking()
        let events = listening.withLock { listening in
            let samples = sound.samples
            if !listening.hasDetector {
                listening.detector = VoiceActivityDetector()
                listening.hasDetector = true
            }
            let findings = listening.detector?.detect(samples) ?? Self.findings(samples)
            var outputs: [TurnDetector.Output] = []
            for (index, finding) in findings.enumerated() {
                let time = sound.time + EchoGuard.step * index
                // Asked at every step, voice or not: the course of the levels must have no holes.
                let isEcho = listening.echoGuard.isEcho(level: finding.level, sent: level(time), at: time)
                let start = index * VoiceActivityDetector.frameSize
                outputs += listening.turns.handle(
                    TurnDetector.Frame(
                        samples: Array(samples[start..<start + VoiceActivityDetector.frameSize]), time: time,
                        isVoice: finding.isVoice, isEcho: finding.isVoice && isEcho, isAvatarSpeaking: isSpeaking))
            }
            return outputs
        }
        pass(events)
    }

    /// Nothing more will come: ends a turn that is going on.
    package func end() {
        pass(listening.withLock { $0.turns.end() })
    }

    /// Leaves out the rest of what is being said, without a word of it.
    package func forget() {
        listening.withLock { $0.turns.reset() }
    }

    /// Sound of one turn is delivered in as few pieces as it came in.
    private func pass(_ outputs: [TurnDetector.Output]) {
        var sound: [Int16] = []
        func flush() {
            if !sound.isEmpty { deliver(.sound(sound)) }
            sound = []
        }
        for output in outputs {
            if case .sound(let samples) = output {
                sound += samples
                continue
            }
            flush()
            switch output {
            case .speechStarted(let at): deliver(.speechStarted(at: at))
            case .bargeIn: deliver(.bargeIn)
            case .turnEnded(let at): deliver(.turnEnded(at: at))
            case .abandoned: deliver(.abandoned)
            case .sound: break
            }
        }
        flush()
    }

    private static func findings(_ samples: [Int16]) -> [VoiceActivityDetector.Finding] {
        stride(from: 0, through: samples.count - VoiceActivityDetector.frameSize, by: VoiceActivityDetector.frameSize)
            .map { start in
                let sum = samples[start..<start + VoiceActivityDetector.frameSize].reduce(Int32(0)) {
                    $0 + Int32($1.magnitude)
                }
                let level = Float(sum) / Float(VoiceActivityDetector.frameSize) / 32768
                return VoiceActivityDetector.Finding(isVoice: level >= loudness, level: level)
            }
    }
}
