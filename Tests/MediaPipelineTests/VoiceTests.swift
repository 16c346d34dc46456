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

    @Test("cuts the first piece short, at a comma if it can, so that it is heard soon")
    func firstPiece() {
        let text =
            "As far as I can see, there is nothing at all that would keep you from going there today or tomorrow."
        let pieces = Sentences.split(text)
        #expect(pieces.first == "As far as I can see,")
        #expect(pieces.joined(separator: " ") == text && pieces.count == 2)
        // A sentence that is short enough stays whole, commas or not; "Yes," alone is no piece.
        #expect(Sentences.split("Yes, I can see you, and hear you.") == ["Yes, I can see you, and hear you."])
        let words = Sentences.split("Yes, " + String(repeating: "word ", count: 100))
        guard words.count > 1 else {
            Issue.record("a sentence without end is not cut: \(words)")
            return
        }
        #expect((40...60).contains(words[0].count) && words[1].count > 150)
        #expect(Sentences.split(text, firstMaximumLength: .max) == [text])
        #expect(Sentences.split(text, firstMaximumLength: 0).joined().count <= text.count)
    }

    @Test("writes out what Flite cannot read")
    func plainText() {
        #expect(Sentences.plain("Caf\u{E9} \u{2013} it\u{2019}s 20\u{20AC}") == "Cafe ,  it's 20 euros ")
        #expect(Sentences.plain("\u{1F600}\u{0}\u{7}ok") == "ok")
    }
}

@Suite("Lips that follow the sound")
struct LipFollowerTests {
    /// The same text's lips by its phones and by its sound, every 20 ms.
    private func spoken(_ text: String) async throws -> (part: SpokenPart, phones: [Double]) {
        let events = AsyncStream<SpeechSynthesizer.Event>.makeStream()
        SpeechSynthesizer.shared.speak(text, cancellation: SpeechSynthesizer.Cancellation()) { event in
            events.continuation.yield(event)
            if case .part = event { return }
            events.continuation.finish()
        }
        for await event in events.stream {
            guard case .part(let part) = event else { continue }
            let track = try #require(part.visemes)
            let seconds = Double(part.samples.count) / 48_000
            return (part, stride(from: 0, to: seconds, by: 0.02).map { track.shape(at: $0).opening })
        }
        throw CodecError(code: .unavailable, reason: "no voice")
    }

    private func correlation(_ one: [Double], _ other: [Double]) -> Double {
        let (meanOne, meanOther) = (
            one.reduce(0, +) / Double(one.count), other.reduce(0, +) / Double(other.count)
        )
        var (product, squareOne, squareOther) = (0.0, 0.0, 0.0)
        for (left, right) in zip(one, other) {
            product += (left - meanOne) * (right - meanOther)
            squareOne += (left - meanOne) * (left - meanOne)
            squareOther += (right - meanOther) * (right - meanOther)
        }
        return product / (squareOne * squareOther).squareRoot()
    }

    @Test("open and close much as the phones do")
    func agreesWithPhones() async throws {
        let (part, phones) = try await spoken("My father and mother have a papa bear at home, by the open window.")
        var follower = LipFollower()
        let track = follower.track(part.samples)
        let guessed = phones.indices.map { track.shape(at: Double($0) * 0.02).opening }
        #expect(guessed.allSatisfy { (0...1).contains($0) })
        #expect(guessed.max()! > 0.4 && guessed.min()! < 0.05)
        #expect(correlation(phones, guessed) > 0.4, "correlation \(correlation(phones, guessed))")
    }

    @Test("spread for ee, round for oo, open for ah")
    func vowels() async throws {
        func mean(_ word: String) async throws -> MouthShape {
            let (part, _) = try await spoken(word)
            var follower = LipFollower()
            let track = follower.track(part.samples)
            let shapes = stride(from: 0.0, to: Double(part.samples.count) / 48_000, by: 0.01).map(track.shape)
                .filter { $0.opening > 0.15 }
            let share = 1 / Double(max(1, shapes.count))
            return MouthShape(
                opening: shapes.reduce(0) { $0 + $1.opening } * share,
                spread: shapes.reduce(0) { $0 + $1.spread } * share,
                rounding: shapes.reduce(0) { $0 + $1.rounding } * share)
        }
        let bee = try await mean("she sees three green trees")
        let boo = try await mean("who knew you would choose two")
        let bah = try await mean("hot pots got lost")
        #expect(bee.spread > boo.spread + 0.1 && bee.spread > bah.spread, "\(bee) \(boo) \(bah)")
        #expect(boo.rounding > bee.rounding + 0.1, "\(bee) \(boo)")
        #expect(bah.opening > bee.opening && bah.opening > boo.opening, "\(bee) \(boo) \(bah)")
    }

    @Test("rest in silence and in noise too low to be a voice, and glide over the borders of parts")
    func silenceAndBorders() {
        var follower = LipFollower()
        let silence = follower.track([Int16](repeating: 3, count: 9_600))
        #expect(silence.shape(at: 0.1) == .rest)
        let tone = (0..<48_000).map { Int16(truncatingIfNeeded: ($0 / 60 % 2) * 8_000) }
        var tracks: [(VisemeTrack, Double)] = []
        for first in stride(from: 0, to: tone.count, by: 3_001) {
            let piece = Array(tone[first..<min(first + 3_001, tone.count)])
            tracks.append((follower.track(piece), Double(piece.count) / 48_000))
        }
        for (one, next) in zip(tracks, tracks.dropFirst()) {
            #expect(abs(one.0.shape(at: one.1).opening - next.0.shape(at: 0).opening) < 0.01)
        }
        #expect(tracks[8].0.shape(at: 0.03).opening > 0.2)
        // Everything at full scale, nothing at all: no trap, no shape outside its range.
        let extreme = follower.track((0..<5_000).map { $0 % 2 == 0 ? .min : .max })
        #expect((0...1).contains(extreme.shape(at: 0.05).opening))
        #expect(follower.track([]).shape(at: 0).opening >= 0)
    }
}
