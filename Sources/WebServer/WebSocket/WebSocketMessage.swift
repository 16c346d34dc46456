/// One whole message, reassembled from its frames.
package enum WebSocketMessage: Sendable, Equatable {
    /// Valid UTF-8: anything else closed the connection with 1007.
    case text(String)
    case binary([UInt8])
    /// A large one, where the listener spools.
    case spooled(SpooledSlice, isText: Bool)
}

/// Why a WebSocket was closed.
/// - SeeAlso: [RFC 6455 §7.4.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1)
package struct WebSocketCloseCode: Hashable, Sendable {
    package let value: UInt16
    package init(_ value: UInt16) { self.value = value }

    package static let normal = WebSocketCloseCode(1000)
    package static let goingAway = WebSocketCloseCode(1001)
    package static let protocolError = WebSocketCloseCode(1002)
    package static let unsupportedData = WebSocketCloseCode(1003)
    /// Never sent: the connection ended without a close frame.
    package static let abnormal = WebSocketCloseCode(1006)
    package static let invalidPayload = WebSocketCloseCode(1007)
    package static let policyViolation = WebSocketCloseCode(1008)
    package static let messageTooBig = WebSocketCloseCode(1009)
    package static let internalError = WebSocketCloseCode(1011)
    package static let tryAgainLater = WebSocketCloseCode(1013)
}
