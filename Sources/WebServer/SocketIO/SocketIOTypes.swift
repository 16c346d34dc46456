package import Core

/// What a client's CONNECT to a namespace brings.
package struct SocketIOHandshake: Sendable {
    package var namespace: String
    package var auth: JSONValue
    package var headers: HTTPHeaders
    package var query: [String: String]
    package var remoteAddress: SocketAddress
}

/// One event that is sent.
package struct SocketIOEmission: Sendable {
    package var event: String
    package var arguments: [JSONValue]

    package init(_ event: String, _ arguments: [JSONValue]) {
        self.event = event
        self.arguments = arguments
    }
}

/// The answer to a CONNECT.
package enum SocketIOAdmission: Sendable {
    case accept
    /// `before`: events that are sent ahead of the refusal.
    case refuse(JSONValue, before: [SocketIOEmission] = [])

    /// The refusal that says no more than that.
    package static func refuse(_ message: String) -> SocketIOAdmission { .refuse(["message": .string(message)]) }
}

/// A binary argument of an event, or a text that is too long to be a string. Its place in the arguments is an object
/// `{"_placeholder": true, "num": n}`.
package enum SocketIOAttachment: Sendable, Equatable {
    case bytes([UInt8])
    /// Binary, and large; `isBase64`: still to be decoded.
    case large(SpooledSlice, isBase64: Bool)
    /// A string of the JSON.
    case text(SpooledSlice)
}

/// One event of a client's.
package struct SocketIOEvent: Sendable {
    package var name: String
    package var arguments: [JSONValue]
    package var attachments: [SocketIOAttachment]
    private let answer: (@Sendable ([JSONValue], [[UInt8]]) -> Void)?

    init(
        name: String, arguments: [JSONValue], attachments: [SocketIOAttachment],
        answer: (@Sendable ([JSONValue], [[UInt8]]) -> Void)?
    ) {
        self.name = name
        self.arguments = arguments
        self.attachments = attachments
        self.answer = answer
    }

    package var wantsAcknowledgement: Bool { answer != nil }

    /// Answers it. Does nothing where the client did not ask for that; only the first answer is sent.
    /// - Parameter attachments: what the placeholders among the arguments stand for.
    package func acknowledge(_ arguments: [JSONValue], attachments: [[UInt8]] = []) {
        answer?(arguments, attachments)
    }
}

/// Takes what comes for one socket, one event after another, on whatever thread brings it: both functions return at once.
package struct SocketIOReceiver: Sendable {
    /// False: it can take no more, which ends the connection.
    package var received: @Sendable (SocketIOEvent) -> Bool
    /// The last call: the socket is over.
    package var closed: @Sendable () -> Void

    package init(
        received: @escaping @Sendable (SocketIOEvent) -> Bool, closed: @escaping @Sendable () -> Void
    ) {
        self.received = received
        self.closed = closed
    }
}
