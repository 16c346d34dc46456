import Core
import MediaPipeline
import Synchronization
import TestSupport
import Testing

@testable import Conversation

/// Real speech in, turns out: WebRTC's detector, the echo guard and the turn detector together.
@Suite(.timeLimit(.minutes(15))) struct EarTests {
    /// Remembers what an ear made out.
    final class Notes: Sendable {
        private let list = Mutex<[EarEvent]>([])
        func add(_ event: EarEvent) { list.withLock { $0.append(event) } }
        var events: [EarEvent] { list.withLock { $0 } }
        var sound: [Int16] {
            events.flatMap { event -> [Int16] in if case .sound(let samples) = event { samples } else { [] } }
        }
        /// All but the sound.
        var names: [String] {
            events.compactMap { event in
                switch event {
                case .speechStarted: "start"
                case .bargeIn: "interruption"
                case .sound: nil
                case .turnEnded: "end"
                case .abandoned: "abandoned"
                }
            }
        }
    }

    /// The mean amplitude of 10 ms of 48 kHz sound that was sent from `start` on.
    private static func level(_ samples: [Int16], from start: Instant, at time: Instant) -> Float {
        let first = Int((time - start).nanoseconds / 1_000_000) * 48
        guard first >= 0, first + 480 <= samples.count else { return 0 }
        return samples[first..<first + 480].reduce(Float(0)) { $0 + abs(Float($1)) } / 480 / 32768
    }

    private static func sounds(_ samples: [Int16], from start: Instant) -> [MicrophoneSound] {
        stride(from: 0, through: samples.count - 320, by: 320).map {
            MicrophoneSound(
                samples: Array(samples[$0..<$0 + 320]), time: start + .milliseconds($0 / 16), isConcealed: false)
        }
    }

    @Test("A spoken question is one turn, with all its sound, and it ends where the voice ends")
    func question() async throws {
        let question = try await SpokenQuestion("What is the weather like today?")
        let notes = Notes()
        let ear = Ear(
            configuration: HearingConfiguration(), level: { _ in 0 }, isAvatarSpeaking: { false }, deliver: notes.add)
        let heard = try question.sent()
        for sound in heard { ear.hear(sound) }
        #expect(notes.names == ["start", "end"])
        let start = try #require(heard.first?.time)
        let end = start + .milliseconds(900) + .milliseconds(question.samples.count / 48)
        guard case .turnEnded(let at) = notes.events.last else { return #expect(Bool(false), "no turn ended") }
        #expect(abs((at - end).milliseconds) < 250)
        #expect(notes.sound.count > question.at16kHz.count)
    }

    @Test("Noise and silence are no turn")
    func noise() {
        let notes = Notes()
        let ear = Ear(
            configuration: HearingConfiguration(), level: { _ in 0 }, isAvatarSpeaking: { false }, deliver: notes.add)
        var state: UInt64 = 1
        let hiss = (0..<80_000).map { _ -> Int16 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int16(truncatingIfNeeded: Int64(bitPattern: state) >> 54)
        }
        for sound in Self.sounds([Int16](repeating: 0, count: 32_000) + hiss, from: ManualClock().now) {
            ear.hear(sound)
        }
        #expect(notes.names.filter { $0 != "abandoned" && $0 != "start" }.isEmpty)
    }

    @Test("The avatar's voice out of a loudspeaker interrupts nobody; a person over it does")
    func echoAndPerson() async throws {
        let avatar = try await SpokenQuestion(
            "The university was founded long ago, and its library is open to everybody. "
                + "Students meet there in the evening, and read, and talk about what they have read. "
                + "In summer they sit outside under the trees, until the sun goes down behind the hills.")
        let person = try await SpokenQuestion("Excuse me, please stop now and tell me something else.")
        let start = ManualClock().now
        for hasPerson in [false, true] {
            let notes = Notes()
            let ear = Ear(
                configuration: HearingConfiguration(),
                level: { Self.level(avatar.samples, from: start, at: $0) }, isAvatarSpeaking: { true },
                deliver: notes.add)
            // A room: 180 ms late, a quarter as loud, and an echo of the echo.
            let (direct, spoken) = (avatar.at16kHz, person.at16kHz)
            let personStart = 16 * 5000
            let room = (0..<direct.count).map { index -> Int16 in
                var sample = 0.0
                if index >= 2880 { sample += 0.25 * Double(direct[index - 2880]) }
                if index >= 3600 { sample += 0.1 * Double(direct[index - 3600]) }
                if hasPerson, index >= personStart, index - personStart < spoken.count {
                    sample += Double(spoken[index - personStart])
                }
                return Int16(max(-32768, min(32767, sample)))
            }
            for sound in Self.sounds(room, from: start) { ear.hear(sound) }
            if hasPerson {
                #expect(notes.names.starts(with: ["start", "interruption"]))
                guard case .speechStarted(let at) = notes.events.first else { continue }
                #expect(abs((at - (start + .milliseconds(5000))).milliseconds) < 700)
            } else {
                #expect(notes.names.isEmpty)
            }
        }
    }

    @Test("A microphone that ends in mid-sentence ends its turn")
    func end() async throws {
        let question = try await SpokenQuestion("How many students are in the class?")
        let notes = Notes()
        let ear = Ear(
            configuration: HearingConfiguration(), level: { _ in 0 }, isAvatarSpeaking: { false }, deliver: notes.add)
        for sound in Self.sounds(question.at16kHz, from: ManualClock().now).prefix(60) { ear.hear(sound) }
        #expect(notes.names == ["start"])
        ear.end()
        #expect(notes.names == ["start", "end"])
    }
}
