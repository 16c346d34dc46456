internal import Core
internal import Networking
internal import Synchronization

/// One avatar of one engine, which may not be there yet, or be gone at the moment.
package final class EngineAvatar: Sendable, Equatable {
    /// What the engine says of it, while it serves.
    struct Service: Sendable {
        var avatar: EngineAvatarDescription
        var offset: Duration
        var lookahead: Duration
        var providesAudio: Bool
    }
    private struct State {
        /// Nil while no engine serves the avatar.
        var service: Service?
        /// Kept while the engine is away.
        var pictures: IdlePictures?
    }

    /// The engine's name for it.
    package let id: String
    let host: EngineHost
    private let state = Mutex(State())

    init(id: String, host: EngineHost) {
        self.id = id
        self.host = host
    }

    package static func == (left: EngineAvatar, right: EngineAvatar) -> Bool {
        left === right
    }

    /// What the engine last said of it; nil before its first hello.
    package var description: EngineAvatarDescription? { state.withLock { $0.pictures?.avatar } }

    var service: Service? { state.withLock { $0.service } }
    var pictures: IdlePictures? { state.withLock { $0.pictures } }

    func set(_ service: Service?) {
        state.withLock { $0.service = service }
    }

    func set(_ pictures: IdlePictures) {
        state.withLock { $0.pictures = pictures }
    }
}

/// A session with both of its ends: the stage's thread and the engine host's.
final class EngineLink: Sendable {
    typealias Events = @Sendable (SourceEvent) -> Void

    let id: String
    let avatar: EngineAvatar
    let key: IdleLoop.Key
    let events: Events
    private let session: Mutex<EngineSession<EnginePicture>>

    init(id: String, avatar: EngineAvatar, key: IdleLoop.Key, events: @escaping Events) {
        self.id = id
        self.avatar = avatar
        self.key = key
        self.events = events
        session = Mutex(
            EngineSession(id: id, framesPerSecond: key.framesPerSecond, width: key.width, height: key.height))
    }

    func withSession<Result: Sendable>(_ body: (inout EngineSession<EnginePicture>) -> Result) -> Result {
        session.withLock { body(&$0) }
    }
}

/// A picture as it came: converted only if it is shown.
struct EnginePicture: Sendable {
    var header: EngineFrameHeader
    /// Nil for an idle picture.
    var payload: ZeroMQFrame?
}
