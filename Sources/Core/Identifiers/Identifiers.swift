/// A name that is its own type, so that a viewer's id cannot be passed where a session's is meant.
package protocol Identifier: Hashable, Sendable, CustomStringConvertible {
    var value: String { get }
    init(_ value: String)
}

extension Identifier {
    package var description: String { value }
}

/// An avatar session made through `POST /v1/sessions` or a sessionless user.
package struct SessionID: Identifier {
    package let value: String
    package init(_ value: String) { self.value = value }
}

/// A stage: one playout clock, one picture, one voice, any number of viewers.
package struct StageID: Identifier {
    package let value: String
    package init(_ value: String) { self.value = value }
}

/// One utterance that an avatar was asked to say.
package struct UtteranceID: Identifier {
    package let value: String
    package init(_ value: String) { self.value = value }
}

/// One viewer: one remote peer connection.
package struct ViewerID: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package var description: String { "v\(value)" }
}
