import Conversation
import Core
import FoundationEssentials
import MediaPipeline
import Signaling
import Testing

@testable import AvatarStreamer

@Suite("Back ends of conversations")
struct ConversationBackendsTests {
    private struct Listener: Recogniser {
        var name: String
        func begin() -> any RecognitionSession { preconditionFailure("nobody speaks in this test") }
    }

    private func configuration(_ text: String) throws -> Configuration {
        try ConfigurationReader.read(Array(text.utf8), file: "", environment: [:])
    }

    private func backends() -> ConversationBackends {
        ConversationBackends { (directory) throws(BackendError) in Listener(name: "listens by \(directory)") }
    }

    private func reason(_ stream: AsyncThrowingStream<String, any Error>) async -> String? {
        do {
            for try await _ in stream {}
            return nil
        } catch {
            return (error as? BackendError)?.reason
        }
    }

    @Test("Each avatar's profile names its own back ends, the rest is everybody's")
    func profiles() throws {
        let settings = try configuration(
            """
            answering:
              backend: openai
              url: http://127.0.0.1:11434/v1
              model: gemma3
              system_prompt: You are a tutor.
              history_messages: 6
              apology: Sorry.
            hearing: {pause_ms: 900, barge_in: false}
            profiles:
              anna:
                voice: {backend: openai, url: "http://127.0.0.1:8000/v1", model: kokoro, voice: af_bella}
                answering: {system_prompt: "You are Anna."}
              ben:
                hearing: {backend: "off"}
            """)
        var backends = backends()
        let profiles = backends.profiles(settings)
        #expect(backends.degraded.isEmpty)
        #expect(
            profiles.names
                == ConversationNames(
                    voice: "flite (built in, English)", hearing: "listens by /usr/share/pocketsphinx/model/en-us",
                    answering: "gemma3 at http://127.0.0.1:11434"))
        #expect(profiles.standard.systemPrompt == "You are a tutor.")
        #expect(profiles.standard.historyMessages == 6)
        #expect(profiles.standard.apology == "Sorry.")
        #expect(profiles.standard.hearing.pause == .milliseconds(900))
        #expect(profiles.standard.hearing.bargeIn == false)
        let anna = profiles.profile(of: "anna")
        #expect(anna.voice.name == "af_bella of kokoro at http://127.0.0.1:8000")
        #expect(anna.systemPrompt == "You are Anna.")
        #expect(anna.answerer.name == "gemma3 at http://127.0.0.1:11434")
        #expect(profiles.profile(of: "ben").recogniser == nil)
        #expect(profiles.profile(of: "nobody").systemPrompt == "You are a tutor.")
        #expect(profiles.profile(of: nil).recogniser != nil)
    }

    @Test("What cannot be made is degraded with its remedy, and says so when it is used; the rest works")
    func unavailable() async throws {
        let settings = try configuration(
            """
            hearing: {model_directory: /nowhere/en-us}
            answering: {dialogue_file: /nowhere/dialogue.yaml}
            profiles:
              anna:
                voice: {backend: openai, url: "http://h/v1", model: m, api_key_file: /nowhere/key}
                answering: {backend: openai, url: "http://h/v1", model: m, api_key_env: AVATAR_TEST_NO_SUCH_VARIABLE}
            """)
        var backends = ConversationBackends()
        let profiles = backends.profiles(settings)
        #expect(backends.degraded.map(\.part) == ["hearing", "answering", "voice:anna", "answering:anna"])
        let text = backends.degraded.map { "\($0.reason) \($0.remedy)" }
        try #require(text.count == 4)
        #expect(text[0].contains("/nowhere/en-us") && text[0].contains("pocketsphinx-en-us"))
        #expect(text[1].contains("/nowhere/dialogue.yaml") && text[1].contains("answering.dialogue_file"))
        #expect(text[2].contains("/nowhere/key"))
        #expect(text[3].contains("AVATAR_TEST_NO_SUCH_VARIABLE"))
        #expect(profiles.names.voice == "flite (built in, English)")
        #expect(profiles.names.hearing.hasPrefix("unavailable: "))
        let question = [DialogueMessage(role: .user, content: "hello")]
        #expect(await reason(profiles.standard.answerer.answer(question))?.contains("/nowhere/dialogue.yaml") == true)
        await #expect(throws: BackendError.self) {
            _ = try await profiles.standard.recogniser?.begin().finish()
        }
    }

    @Test("Avatars with the same settings share one back end, and a fault is told once")
    func shared() throws {
        let made = Made()
        var backends = ConversationBackends { (directory) throws(BackendError) in
            made.count += 1
            return Listener(name: directory)
        }
        let profiles = backends.profiles(
            try configuration(
                """
                answering: {dialogue_file: /nowhere}
                profiles:
                  anna: {hearing: {pause_ms: 1500}}
                  ben: {hearing: {model_directory: /other}}
                """))
        #expect(made.count == 2)
        #expect(profiles.byAvatar["ben"]?.recogniser?.name == "/other")
        #expect(backends.degraded.map(\.part) == ["answering"])
    }

    private final class Made {
        var count = 0
    }

    @Test("The dialogue that comes with the server is one")
    func sampleDialogue() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let dialogue = try DialogueFile.load(root.appending(path: "config/dialogue.yaml").path)
        var answer = ""
        for try await word in dialogue.answer([DialogueMessage(role: .user, content: "hello who are you")]) {
            answer += word
        }
        #expect(answer.count > 10)
    }

    @Test("What is wrong in a dialogue is told with its line")
    func dialogueFaults() {
        func reason(_ text: String) -> String? {
            do throws(BackendError) {
                _ = try DialogueFile.parse(Array(text.utf8), file: "d.yaml")
                return nil
            } catch {
                return error.reason
            }
        }
        let good = "entries:\n  - any: [hello]\n    answer: Hi.\nfallbacks: [What?]\n"
        #expect(reason(good) == nil)
        #expect(reason("fallbacks: [a]\nanswers: []\n") == "d.yaml:2: found answers, expected entries or fallbacks")
        #expect(reason("entries: 7\n") == "d.yaml:1: found \"7\", expected a list")
        #expect(reason("entries:\n  - any: hello\n") == "d.yaml:2: found \"hello\", expected a list")
        #expect(reason("entries:\n  - any: [hello]\n    anser: x\n") == "d.yaml:3: found anser, expected any or answer")
        #expect(reason("entries:\n  - any: [[a]]\n")?.contains("expected a text") == true)
        #expect(reason("entries: [a\n")?.hasPrefix("d.yaml:") == true)
        #expect(reason("entries: []\n") != nil)
    }

    @Test("Engines and profiles become the modules' configurations")
    func engines() throws {
        let settings = try configuration(
            """
            engines:
              e1: {command: [run], environment: ["A=b=c", "D="], idle_memory_megabytes: 2, maximum_restarts: 3}
            profiles:
              anna: {engine: e1}
              ben: {engine: e1, engine_avatar: b.2}
              carl: {}
            """)
        let engine = Composition.engine("e1", try #require(settings.engines["e1"]))
        #expect(
            engine
                == EngineConfiguration(
                    name: "e1", command: ["run"], maximumRestarts: 3, idleMemoryLimit: 2 << 20,
                    environment: ["A": "b=c", "D": ""]))
        #expect(
            Composition.pictures(settings) == [
                "anna": .engine(name: "e1", avatar: "anna"), "ben": .engine(name: "e1", avatar: "b.2"),
                "carl": .builtIn,
            ])
    }
}
