import Core
import TestSupport
import Testing

@testable import Conversation

/// A person in front of a microphone, 10 ms at a time.
struct TurnDetectorTests {
    struct Person {
        var detector: TurnDetector
        var clock = ManualClock()
        var outputs: [TurnDetector.Output] = []
        var frameCount = 0

        init(_ configuration: HearingConfiguration = HearingConfiguration()) {
            detector = TurnDetector(configuration)
        }

        /// Each frame holds its own number, so that what is heard can be told.
        mutating func make(
            voice: Bool, milliseconds: Int, echo: Bool = false, avatarSpeaks: Bool = false
        ) {
            for _ in 0..<(milliseconds / 10) {
                outputs += detector.handle(
                    TurnDetector.Frame(
                        samples: [Int16](repeating: Int16(clamping: frameCount + 1), count: 160), time: clock.now,
                        isVoice: voice, isEcho: echo, isAvatarSpeaking: avatarSpeaks))
                frameCount += 1
                clock.advance(by: .milliseconds(10))
            }
        }
        mutating func speak(_ milliseconds: Int, avatarSpeaks: Bool = false) {
            make(voice: true, milliseconds: milliseconds, avatarSpeaks: avatarSpeaks)
        }
        mutating func pause(_ milliseconds: Int, avatarSpeaks: Bool = false) {
            make(voice: false, milliseconds: milliseconds, avatarSpeaks: avatarSpeaks)
        }

        /// All but the sound.
        var events: [TurnDetector.Output] { outputs.filter { if case .sound = $0 { false } else { true } } }
        /// The numbers of the frames that were passed on.
        var heard: [Int] {
            outputs.compactMap { if case .sound(let samples) = $0 { samples.first.map(Int.init) } else { nil } }
        }
        static func instant(_ milliseconds: Int) -> Instant { ManualClock().now + .milliseconds(milliseconds) }
    }

    @Test("A turn begins with the first voice and ends 700 ms after the last, as of which it is told")
    func turn() {
        var person = Person()
        person.pause(1000)
        person.speak(800)
        person.pause(690)
        #expect(person.events == [.speechStarted(at: Person.instant(1000))])
        person.pause(10)
        #expect(
            person.events == [
                .speechStarted(at: Person.instant(1000)), .turnEnded(at: Person.instant(1800)),
            ])
    }

    @Test("The sound of a turn begins 300 ms before its first voice and has no hole")
    func preRoll() {
        var person = Person()
        person.pause(1000)
        person.speak(500)
        person.pause(2000)
        #expect(person.heard.first == 100 - 30 + 1)
        #expect(person.heard == Array(71...220))
    }

    @Test("A turn at the very beginning has what there is before it")
    func shortPreRoll() {
        var person = Person()
        person.pause(50)
        person.speak(400)
        person.pause(700)
        #expect(person.heard.first == 1)
    }

    @Test("Pauses within a turn do not end it")
    func pauses() {
        var person = Person()
        for _ in 0..<5 {
            person.speak(300)
            person.pause(600)
        }
        #expect(person.events == [.speechStarted(at: Person.instant(0))])
        person.pause(100)
        #expect(person.events.last == .turnEnded(at: Person.instant(4 * 900 + 300)))
    }

    @Test("A pause is as long as it is configured")
    func configuredPause() {
        var person = Person(HearingConfiguration(pause: .milliseconds(300)))
        person.speak(300)
        person.pause(300)
        #expect(person.events.count == 2)
    }

    @Test("A click is nothing, and a cough is abandoned")
    func tooShort() {
        var person = Person()
        person.speak(30)
        person.pause(1000)
        #expect(person.outputs.isEmpty)
        person.speak(120)
        person.pause(700)
        #expect(person.events == [.speechStarted(at: Person.instant(1030)), .abandoned])
    }

    @Test("Clicks now and then never add up to a turn")
    func clicks() {
        var person = Person()
        for _ in 0..<50 {
            person.speak(20)
            person.pause(200)
        }
        #expect(person.outputs.isEmpty)
    }

    @Test("A turn without end is cut after its maximum, and the rest is the next one")
    func maximumTurn() {
        var person = Person(HearingConfiguration(maximumTurn: .seconds(2)))
        person.speak(4500)
        person.pause(700)
        #expect(person.events.count == 6)
        #expect(person.events.count { if case .turnEnded = $0 { true } else { false } } == 3)
        #expect(Set(person.heard).count == person.heard.count)
        #expect(person.heard.starts(with: 1...450))
    }

    @Test("While the avatar speaks 250 ms of voice are an interruption, and less are none")
    func bargeIn() {
        var person = Person()
        person.pause(500, avatarSpeaks: true)
        person.speak(240, avatarSpeaks: true)
        person.pause(500, avatarSpeaks: true)
        #expect(person.outputs.isEmpty)
        person.speak(240, avatarSpeaks: true)
        #expect(person.outputs.isEmpty)
        person.speak(10, avatarSpeaks: true)
        #expect(person.events == [.speechStarted(at: Person.instant(1240)), .bargeIn])
        person.speak(500)
        person.pause(700)
        #expect(person.events.last == .turnEnded(at: Person.instant(1240 + 750)))
        // Nothing of the first word is lost, however long it took to be believed.
        #expect(person.heard.first == 124 - 30 + 1)
    }

    @Test("The avatar's echo is no voice, neither at a beginning nor within a turn")
    func echo() {
        var person = Person()
        person.make(voice: true, milliseconds: 3000, echo: true, avatarSpeaks: true)
        #expect(person.outputs.isEmpty)
        person.speak(300, avatarSpeaks: true)
        #expect(person.events.contains(.bargeIn))
        // What was echo before the interruption is silence to the recogniser.
        #expect(person.heard.prefix(30).allSatisfy { $0 == 0 })
        person.make(voice: true, milliseconds: 700, echo: true)
        #expect(person.events.last == .turnEnded(at: Person.instant(3300)))
    }

    @Test("Without barge-in nobody is heard while the avatar speaks")
    func noBargeIn() {
        var person = Person(HearingConfiguration(bargeIn: false))
        person.speak(3000, avatarSpeaks: true)
        #expect(person.outputs.isEmpty)
        person.speak(300)
        #expect(person.events == [.speechStarted(at: Person.instant(3000))])
    }

    @Test("A turn that the microphone's end cuts short is ended; what is forgotten is not told")
    func ends() {
        var person = Person()
        person.speak(500)
        #expect(person.detector.end() == [.turnEnded(at: Person.instant(500))])
        #expect(person.detector.end().isEmpty)
        person.speak(500)
        person.detector.reset()
        #expect(person.detector.end().isEmpty)
    }
}
