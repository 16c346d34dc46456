import Core
import Foundation
import MediaPipeline
import Testing

@testable import Conversation

/// Questions asked by the built-in voice, heard by the built-in recogniser.
///
/// What is understood is tested in a process of its own: the voice hisses with `rand()`, whose numbers hang on what else of
/// the process asks for some.
@Suite(.timeLimit(.minutes(15)), .serialized) struct PocketSphinxTests {
    static let questions = [
        ("What is the weather like today?", ["weather", "today"]),
        ("Please explain the history of the university.", ["explain", "history", "university"]),
        ("How many students are in the class?", ["how", "many", "students"]),
        ("What time does the library open tomorrow?", ["time", "library", "tomorrow"]),
    ]

    private static let acousticFiles = [
        "mdef", "means", "variances", "transition_matrices", "feat.params", "noisedict", "sendump",
    ].map { "en-us/\($0)" }

    /// Gives the sound in pieces of 20 ms, as an ear does.
    private static func listen(_ session: any RecognitionSession, to samples: [Int16]) {
        for start in stride(from: 0, to: samples.count, by: 320) {
            session.append(Array(samples[start..<min(start + 320, samples.count)]))
        }
    }

    private static func words(_ text: String) -> Set<String> { Set(text.split(separator: " ").map(String.init)) }

    @Test("Spoken questions are understood")
    func questions() async {
        await #expect(processExitsWith: .success) {
            let recogniser = try PocketSphinxRecogniser()
            for (question, key) in Self.questions {
                let session = recogniser.begin()
                Self.listen(session, to: try await SpokenQuestion(question).at16kHz)
                let text = try await session.finish()
                #expect(Self.words(text).isSuperset(of: key), "\(question) was heard as: \(text)")
            }
        }
    }

    @Test("They are understood through Opus and a path that loses one packet in twenty, as an ear cuts them out")
    func overTheWire() async {
        await #expect(processExitsWith: .success) {
            let recogniser = try PocketSphinxRecogniser()
            var missed: [String] = []
            for (question, key) in Self.questions {
                let heard = try await SpokenQuestion(question).sent(loses: { $0 % 20 == 13 })
                #expect(heard.contains { $0.isConcealed })
                let notes = EarTests.Notes()
                let ear = Ear(
                    configuration: HearingConfiguration(), level: { _ in 0 }, isAvatarSpeaking: { false },
                    deliver: notes.add)
                for sound in heard { ear.hear(sound) }
                #expect(notes.names == ["start", "end"])
                let session = recogniser.begin()
                Self.listen(session, to: notes.sound)
                let text = try await session.finish()
                for word in key where !Self.words(text).contains(word) { missed.append("\(word) in: \(text)") }
            }
            // Of eleven words.
            #expect(missed.count <= 1, "\(missed)")
        }
    }

    @Test("Several persons are heard at once, more than there are decoders, and nobody's words reach another")
    func atOnce() async {
        await #expect(processExitsWith: .success) {
            let recogniser = try PocketSphinxRecogniser(maximumDecoders: 2)
            var sounds: [[Int16]] = []
            for (question, _) in Self.questions { sounds.append(try await SpokenQuestion(question).at16kHz) }
            let texts = try await withThrowingTaskGroup(of: (Int, String).self) { [sounds] group in
                for index in 0..<6 {
                    group.addTask {
                        let session = recogniser.begin()
                        Self.listen(session, to: sounds[index % 4])
                        return (index, try await session.finish())
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
            for index in 0..<6 {
                #expect(Self.words(texts[index] ?? "").isSuperset(of: Self.questions[index % 4].1))
            }
            // The same sound gives the same words, whoever spoke before.
            #expect(texts[0] == texts[4])
        }
    }

    @Test("Silence, noise and nothing at all give no words, or none to speak of")
    func nothing() async throws {
        let recogniser = try PocketSphinxRecogniser()
        let unheard = recogniser.begin()
        #expect(try await unheard.finish() == "")
        let silent = recogniser.begin()
        silent.append([Int16](repeating: 0, count: 32_000))
        #expect(try await silent.finish() == "")
    }

    @Test("A turn that is called off gives no words and frees its decoder; so does one that is let go")
    func cancelled() async {
        await #expect(processExitsWith: .success) {
            let recogniser = try PocketSphinxRecogniser(maximumDecoders: 1)
            let samples = try await SpokenQuestion(Self.questions[2].0).at16kHz
            let session = recogniser.begin()
            Self.listen(session, to: samples)
            session.cancel()
            let error = await #expect(throws: BackendError.self) { try await session.finish() }
            #expect(error?.code == .cancelled)
            do {
                let forgotten = recogniser.begin()
                Self.listen(forgotten, to: samples)
            }
            let task = Task {
                let third = recogniser.begin()
                Self.listen(third, to: samples)
                return try await third.finish()
            }
            task.cancel()
            #expect(await task.result.isFailure)
            let next = recogniser.begin()
            Self.listen(next, to: samples)
            #expect(Self.words(try await next.finish()).isSuperset(of: Self.questions[2].1))
        }
    }

    @Test("A model that is missing or damaged is said to be, with the command that mends it")
    func missingModel() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "model-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let missing = #expect(throws: BackendError.self) {
            try PocketSphinxRecogniser(modelDirectory: folder.path())
        }
        #expect(missing?.code == .unavailable)
        #expect(missing?.remedy == "apt install pocketsphinx-en-us")
        #expect(missing?.reason.contains(folder.lastPathComponent) == true)
        try FileManager.default.createDirectory(
            at: folder.appending(path: "en-us"), withIntermediateDirectories: true)
        let model = URL(filePath: PocketSphinxRecogniser.defaultModelDirectory)
        for name in ["cmudict-en-us.dict", "en-us.lm.bin"] + Self.acousticFiles {
            try FileManager.default.copyItem(at: model.appending(path: name), to: folder.appending(path: name))
        }
        #expect(throws: Never.self) { try PocketSphinxRecogniser(modelDirectory: folder.path()) }
        try Data("no model".utf8).write(to: folder.appending(path: "en-us/mdef"))
        let damaged = #expect(throws: BackendError.self) {
            try PocketSphinxRecogniser(modelDirectory: folder.path())
        }
        #expect(damaged?.code == .unavailable)
        #expect(damaged?.reason.contains("en-us/mdef") == true)
    }

    @Test("A recording is understood as well as a microphone")
    func recording() async {
        await #expect(processExitsWith: .success) {
            let question = try await SpokenQuestion(Self.questions[0].0)
            let sound = try RecordedSound(Self.wav(question.at16kHz), sampleRateHz: 16_000)
            let session = try PocketSphinxRecogniser().begin()
            session.append(sound.samples)
            #expect(Self.words(try await session.finish()).isSuperset(of: Self.questions[0].1))
        }
    }

    /// A WAV file of 16 kHz, one channel.
    private static func wav(_ samples: [Int16]) -> [UInt8] {
        func bytes(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
        let size = UInt32(samples.count * 2)
        let head: [[UInt8]] = [
            Array("RIFF".utf8), bytes(size + 36, 4), Array("WAVEfmt ".utf8), bytes(16, 4), bytes(1, 2), bytes(1, 2),
            bytes(16_000, 4), bytes(32_000, 4), bytes(2, 2), bytes(16, 2), Array("data".utf8), bytes(size, 4),
        ]
        return head.flatMap(\.self) + samples.flatMap { bytes(UInt32(UInt16(bitPattern: $0)), 2) }
    }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
