internal import Core
internal import Synchronization

/// Who has the floor: of all the microphones of a conversation, the first to speak is heard until its speech ends.
///
/// Called on the hearing thread. Sound goes straight to the recogniser; only what a conversation must know is posted.
final class Floor: Sendable {
    enum Event: Sendable {
        case began
        case bargedIn
        case gaveUp
        case finished(any RecognitionSession, ended: Instant)
    }
    private struct State {
        var holder: UInt64?
        var session: (any RecognitionSession)?
        var lastMicrophone: UInt64 = 0
        var isClosed = false
    }

    /// For one reader.
    let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let recogniser: (any Recogniser)?
    private let state = Mutex(State())
    private let avatarSpeaks = Atomic<Bool>(false)

    init(recogniser: (any Recogniser)?) {
        self.recogniser = recogniser
        // Few events an utterance, but none may be lost: a person who never ceases to speak would block the floor.
        (events, continuation) = AsyncStream.makeStream()
    }

    var isAvatarSpeaking: Bool {
        get { avatarSpeaks.load(ordering: .relaxed) }
        set { avatarSpeaks.store(newValue, ordering: .relaxed) }
    }

    func makeMicrophone() -> UInt64 {
        state.withLock { state in
            state.lastMicrophone += 1
            return state.lastMicrophone
        }
    }

    /// The microphone's owner began to speak.
    func began(_ microphone: UInt64) {
        guard let recogniser else { return }
        state.withLock { state in
            guard state.holder == nil, !state.isClosed else { return }
            state.holder = microphone
            state.session = recogniser.begin()
            continuation.yield(.began)
        }
    }

    func heard(_ samples: [Int16], _ microphone: UInt64) {
        state.withLock { $0.holder == microphone ? $0.session : nil }?.append(samples)
    }

    func bargedIn(_ microphone: UInt64) {
        state.withLock { state in
            guard !state.isClosed, recogniser != nil, state.holder == nil || state.holder == microphone else { return }
            continuation.yield(.bargedIn)
        }
    }

    func finished(_ microphone: UInt64, ended: Instant) {
        state.withLock { state in
            guard let session = Self.release(microphone, &state) else { return }
            continuation.yield(.finished(session, ended: ended))
        }
    }

    /// It was no speech, or the microphone is gone.
    func gaveUp(_ microphone: UInt64) {
        state.withLock { state in
            guard let session = Self.release(microphone, &state) else { return }
            session.cancel()
            continuation.yield(.gaveUp)
        }
    }

    func close() {
        let session = state.withLock { state in
            state.isClosed = true
            state.holder = nil
            defer { state.session = nil }
            return state.session
        }
        session?.cancel()
        continuation.finish()
    }

    private static func release(_ microphone: UInt64, _ state: inout State) -> (any RecognitionSession)? {
        guard state.holder == microphone else { return nil }
        state.holder = nil
        defer { state.session = nil }
        return state.session
    }
}
