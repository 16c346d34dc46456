/// What an engine says (docs/protocols/engine.md, "Engine to server"). Payloads travel beside it.
package enum EngineMessage: Equatable, Sendable {
    case hello(EngineHello)
    case frame(EngineFrameHeader)
    case utteranceDone(EngineUtterance)
    case audio(EngineUtterance, firstSample: Int64, rateHz: Int)
    case idlePicture(avatar: String, index: Int)
    case cleared(session: String, epoch: Int)
    case statistics(EngineStatistics)
    case pong(id: Int64)
    case prepareProgress(avatar: String, progress: Double)
    case prepared(EngineAvatarDescription)
    case refused(EngineRefusal)
    case bye(reason: String)
}

/// An utterance of a session, in an epoch.
package struct EngineUtterance: Equatable, Sendable {
    package var session: String
    package var epoch: Int
    package var utterance: String
}

/// An engine's first message.
package struct EngineHello: Equatable, Sendable {
    package var engine: String
    package var token: String?
    package var avatars: [EngineAvatarDescription]
    package var providesAudio: Bool
    /// Pictures are shown so much later than their first sample says.
    package var offset: Duration
    package var lookahead: Duration
    package var batchSize: Int
    package var canPrepare: Bool
}

/// One picture's header.
package struct EngineFrameHeader: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case full
        /// Over an idle picture, at a place in the avatar's pixels.
        case patch(idleIndex: Int, EnginePatch)
        case idle(idleIndex: Int)
    }
    package var place: EngineUtterance
    /// At 16 kHz, from the utterance's first: heard while the picture is shown.
    package var firstSample: Int64
    package var kind: Kind
    /// Nil: the avatar's own.
    package var pixelFormat: EnginePixelFormat?
}

/// A rectangle in pixels, even on all sides.
package struct EnginePatch: Equatable, Sendable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int
}

package struct EngineStatistics: Equatable, Sendable {
    package var inferenceFramesPerSecond: Double
    package var queue: Int
    /// 0...1, where the engine knows.
    package var gpu: Double?
}

/// One side's no to a message of the other.
package struct EngineRefusal: Error, Equatable, Sendable {
    package var what: String
    package var code: String
    package var reason: String
    package var session: String?
    package var avatar: String?
    package var retryAfter: Duration?

    package init(
        what: String, code: String, reason: String, session: String? = nil, avatar: String? = nil,
        retryAfter: Duration? = nil
    ) {
        self.what = what
        self.code = code
        self.reason = reason
        self.session = session
        self.avatar = avatar
        self.retryAfter = retryAfter
    }
}

/// Why bytes are no message of this protocol.
package struct EngineMessageError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        case malformed, unsupported, version
        case wrongSize = "wrong_size"
    }
    package let code: Code
    /// The type that was being read, as far as it is known.
    package let type: String
    package let reason: String
}
