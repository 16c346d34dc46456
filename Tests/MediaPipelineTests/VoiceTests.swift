import Synchronization
import Testing

@testable import MediaPipeline

@Suite("The voice")
struct VoiceTests {
    @Test("speaks sentence by sentence, with phones that fill the sound")
    func parts() async throws {
        let events = AsyncStream<SpeechSynthesizer.Event>.makeStream()
        SpeechSynthesizer.shared.speak(
            "Mamma mia. Here we go again!", cancellation: SpeechSynthesizer.Cancellation()
        ) { event in
            events.continuation.yield(event)
            if case .part = event { return }
            events.continuation.finish()
        }
        var parts: [SpokenPart] = []
        var isEnded = false
        for await event in events.stream {
            if case .part(let part) = event { parts.append(part) }
            if case .ended = event { isEnded = true }
        }
        #expect(isEnded && parts.count == 2)
        for part in parts {
            let seconds = Double(part.samples.count) / 48_000
            let visemes = try #require(part.visemes)
            #expect((0.4...3).contains(seconds))
            #expect(rms(part.samples) > 500)
            // Heard almost at once: Flite's own long lead-in is cut off.
            #expect(rms(part.samples.prefix(9_600)) > 100)
            let openings = stride(from: 0, to: seconds, by: 0.02).map { visemes.shape(at: $0).opening }
            #expect(openings.max()! > 0.3)
            #expect(visemes.shape(at: seconds + 1) == .rest)
        }
        // "Mamma": the lips close for the m in the middle of the word.
        let firstTrack = try #require(parts[0].visemes)
        let mamma = stride(from: 0.0, to: 0.5, by: 0.01).map { firstTrack.shape(at: $0).opening }
        let peak = try #require(mamma.firstIndex { $0 > 0.3 })
        #expect(mamma[peak...].contains { $0 < 0.12 })
    }

    @Test("says nothing of what was called off")
    func cancellation() async {
        let cancellation = SpeechSynthesizer.Cancellation()
        cancellation.cancel()
        let isHeard = Atomic<Bool>(false)
        SpeechSynthesizer.shared.speak("Never to be heard.", cancellation: cancellation) { _ in
            isHeard.store(true, ordering: .relaxed)
        }
        // The synthesiser takes orders in turn: once the second one ends, the first would have been heard.
        await withCheckedContinuation { continuation in
            SpeechSynthesizer.shared.speak("Heard.", cancellation: SpeechSynthesizer.Cancellation()) { event in
                if case .ended = event { continuation.resume() }
            }
        }
        let wasHeard = isHeard.load(ordering: .relaxed)
        #expect(!wasHeard)
    }

    @Test("cuts text at sentences, and long ones at commas or words")
    func sentences() {
        #expect(Sentences.split("One. Two!  Three?\nFour") == ["One.", "Two!", "Three?", "Four"])
        #expect(Sentences.split("Version 2.5 is out.") == ["Version 2.5 is out."])
        #expect(Sentences.split(" ... !! ") == [])
        let long = Sentences.split(String(repeating: "word ", count: 200))
        #expect(long.count >= 5 && long.allSatisfy { $0.count <= Sentences.maximumLength })
        #expect(long.joined(separator: " ").split(separator: " ").count == 200)
        #expect(Sentences.split(String(repeating: "x", count: 1000)).joined().count == 1000)
    }

    @Test("writes out what Flite cannot read")
    func plainText() {
        #expect(Sentences.plain("Caf\u{E9} \u{2013} it\u{2019}s 20\u{20AC}") == "Cafe ,  it's 20 euros ")
        #expect(Sentences.plain("\u{1F600}\u{0}\u{7}ok") == "ok")
    }
}
