internal import Conversation
internal import Core
internal import MediaPipeline
internal import Networking
internal import Signaling

/// Makes the back ends that the configuration names; avatars with the same settings share one.
///
/// What cannot be made is reported and takes no other's place: whoever uses it is told its reason.
struct ConversationBackends {
    /// What could not be made.
    private(set) var degraded: [DegradedPart] = []
    private var voices: [Configuration.Voice: any Voice] = [:]
    private var recognisers: [RecogniserSettings: any Recogniser] = [:]
    private var answerers: [Configuration.Answering: any Answerer] = [:]
    private let client: HTTPClient
    /// Reads Debian's model for the built-in recogniser; tests take another.
    private let makePocketSphinx: (String) throws(BackendError) -> any Recogniser

    /// What makes recognisers differ: not when a turn ends.
    private struct RecogniserSettings: Hashable {
        var backend: Configuration.Hearing.Backend
        var modelDirectory: String
        var service: Configuration.Service
        var language: String
    }

    /// `client` asks every service.
    init(
        client: HTTPClient = .shared,
        makePocketSphinx: @escaping (String) throws(BackendError) -> any Recogniser = {
            (directory) throws(BackendError) in try PocketSphinxRecogniser(modelDirectory: directory)
        }
    ) {
        self.client = client
        self.makePocketSphinx = makePocketSphinx
    }

    /// Everybody's profile, and those of the avatars that have their own.
    mutating func profiles(_ configuration: Configuration) -> ConversationProfiles {
        var profiles = ConversationProfiles(standard: profile(configuration.conversation, avatarID: nil))
        for (id, one) in configuration.profiles.sorted(by: { $0.key < $1.key }) {
            profiles.byAvatar[id] = profile(one.conversation, avatarID: id)
        }
        return profiles
    }

    private mutating func profile(
        _ settings: Configuration.Conversation, avatarID: String?
    ) -> ConversationProfile {
        var profile = ConversationProfile(
            voice: voice(settings.voice, avatarID), recogniser: recogniser(settings.hearing, avatarID),
            answerer: answerer(settings.answering, avatarID))
        profile.hearing = HearingConfiguration(
            pause: .milliseconds(settings.hearing.pauseMilliseconds),
            minimumSpeech: .milliseconds(settings.hearing.minimumSpeechMilliseconds),
            bargeIn: settings.hearing.allowsBargeIn,
            bargeInSpeech: .milliseconds(settings.hearing.bargeInMilliseconds),
            maximumTurn: .seconds(settings.hearing.maximumTurnSeconds))
        profile.systemPrompt = settings.answering.systemPrompt.isEmpty ? nil : settings.answering.systemPrompt
        profile.historyMessages = settings.answering.historyMessages
        profile.historyCharacters = settings.answering.historyCharacters
        profile.maximumQuestionCharacters = settings.answering.maximumQuestionCharacters
        profile.apology = settings.answering.apology
        profile.patience = Self.patience(settings)
        return profile
    }

    /// Twice the longest silence that a service may make: one that only drips is given up, too.
    private static func patience(_ settings: Configuration.Conversation) -> Duration {
        var seconds: [Int] = []
        if settings.voice.backend == .openai { seconds.append(settings.voice.service.timeoutSeconds) }
        if settings.hearing.backend == .openai { seconds.append(settings.hearing.service.timeoutSeconds) }
        if settings.answering.backend == .openai { seconds.append(settings.answering.service.timeoutSeconds) }
        return .seconds(2 * (seconds.max() ?? 30))
    }

    // MARK: Parts

    private mutating func voice(_ settings: Configuration.Voice, _ avatarID: String?) -> any Voice {
        if let known = voices[settings] { return known }
        let made: any Voice
        do throws(BackendError) {
            switch settings.backend {
            case .flite: made = FliteVoice()
            case .openai:
                made = OpenAIVoice(
                    access: try access(settings.service, "voice"), voice: settings.voice, client: client)
            }
        } catch {
            made = unavailable(error, avatarID)
        }
        voices[settings] = made
        return made
    }

    private mutating func recogniser(
        _ settings: Configuration.Hearing, _ avatarID: String?
    ) -> (any Recogniser)? {
        guard settings.backend != .off else { return nil }
        let key = RecogniserSettings(
            backend: settings.backend, modelDirectory: settings.modelDirectory, service: settings.service,
            language: settings.language)
        if let known = recognisers[key] { return known }
        let made: any Recogniser
        do throws(BackendError) {
            if settings.backend == .openai {
                made = OpenAIRecogniser(
                    access: try access(settings.service, "hearing"),
                    language: settings.language.isEmpty ? nil : settings.language, client: client)
            } else {
                made = try makePocketSphinx(settings.modelDirectory)
            }
        } catch {
            made = unavailable(error, avatarID)
        }
        recognisers[key] = made
        return made
    }

    private mutating func answerer(_ settings: Configuration.Answering, _ avatarID: String?) -> any Answerer {
        if let known = answerers[settings] { return known }
        let made: any Answerer
        do throws(BackendError) {
            switch settings.backend {
            case .script: made = try DialogueFile.load(settings.dialogueFile)
            case .openai:
                made = OpenAIAnswerer(
                    access: try access(settings.service, "answering"), temperature: settings.temperature,
                    maximumTokens: settings.maximumTokens == 0 ? nil : settings.maximumTokens, client: client)
            }
        } catch {
            made = unavailable(error, avatarID)
        }
        answerers[settings] = made
        return made
    }

    /// A service with its key, which is read here and kept nowhere else.
    private func access(_ service: Configuration.Service, _ part: String) throws(BackendError) -> ServiceAccess {
        var key: Secret?
        if !service.apiKeyEnvironment.isEmpty {
            key = try Secret.environment(service.apiKeyEnvironment, part: part)
        } else if !service.apiKeyFile.isEmpty {
            key = try Secret.file(service.apiKeyFile, part: part)
        }
        let access = ServiceAccess(
            url: service.url, apiKey: key, model: service.model, timeout: .seconds(service.timeoutSeconds))
        if let fault = access.fault {
            throw BackendError(
                code: .unavailable, part: part, reason: "\(part).url: \(fault)", remedy: "set \(part).url")
        }
        return access
    }

    private mutating func unavailable(_ error: BackendError, _ avatarID: String?) -> UnavailableBackend {
        var part = error.degradedPart
        if let avatarID { part.part += ":\(avatarID)" }
        degraded.append(part)
        Logger("startup").warning(
            "conversation part is not available",
            ["part": LogValue(part.part), "reason": LogValue(part.reason), "remedy": LogValue(part.remedy)])
        return UnavailableBackend(error: error)
    }
}

/// Stands where a back end could not be made, and says why to everybody who needs it.
struct UnavailableBackend: Voice, Recogniser, Answerer {
    let error: BackendError

    var name: String { "unavailable: \(error.reason)" }

    func synthesise(_ sentence: String) -> AsyncThrowingStream<SpokenPart, any Error> {
        AsyncThrowingStream { $0.finish(throwing: error) }
    }

    func answer(_ history: [DialogueMessage]) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { $0.finish(throwing: error) }
    }

    func begin() -> any RecognitionSession { Session(error: error) }

    private struct Session: RecognitionSession {
        let error: BackendError
        func append(_ samples: [Int16]) {}
        func finish() async throws(BackendError) -> String { throw error }
        func cancel() {}
    }
}
