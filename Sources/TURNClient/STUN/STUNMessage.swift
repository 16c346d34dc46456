/// One STUN message: an ICE check, a TURN request, its answer, or an indication.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |0 0|     STUN Message Type     |         Message Length        |
/// |                         Magic Cookie                          |
/// |                     Transaction ID (96 bits)                  |
/// ```
/// MESSAGE-INTEGRITY and FINGERPRINT are not among ``attributes``: they speak of the raw bytes, so they are checked
/// there and appended by ``encoded(key:fingerprint:)``.
/// - SeeAlso: [RFC 8489 §5](https://www.rfc-editor.org/rfc/rfc8489#section-5)
package struct STUNMessage: Sendable {
    /// Bits 4 and 8 of the message type.
    package enum Class: UInt16, Sendable {
        case request = 0x000
        case indication = 0x010
        case successResponse = 0x100
        case errorResponse = 0x110
    }

    /// The other twelve bits of the message type, joined.
    package struct Method: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let binding = Method(rawValue: 0x001)
        package static let allocate = Method(rawValue: 0x003)
        package static let refresh = Method(rawValue: 0x004)
        package static let send = Method(rawValue: 0x006)
        package static let data = Method(rawValue: 0x007)
        package static let createPermission = Method(rawValue: 0x008)
        package static let channelBind = Method(rawValue: 0x009)
    }

    package static let headerByteCount = 20
    package static let magicCookie: UInt32 = 0x2112_A442
    /// More attributes than any message of ours or of a browser has; a message beyond it is hostile.
    package static let maximumAttributeCount = 48

    package var messageClass: Class
    package var method: Method
    package var transactionID: STUNTransactionID
    package var attributes: [STUNAttribute]
    /// Whether the bytes that this was parsed from carried MESSAGE-INTEGRITY (of which validity nothing is said).
    package internal(set) var carriesIntegrity = false
    /// Whether the bytes that this was parsed from carried FINGERPRINT.
    package internal(set) var carriesFingerprint = false

    package init(
        _ messageClass: Class, _ method: Method, transactionID: STUNTransactionID, attributes: [STUNAttribute] = []
    ) {
        self.messageClass = messageClass
        self.method = method
        self.transactionID = transactionID
        self.attributes = attributes
    }

    package static func request(
        _ method: Method, transactionID: STUNTransactionID, attributes: [STUNAttribute] = []
    ) -> STUNMessage {
        STUNMessage(.request, method, transactionID: transactionID, attributes: attributes)
    }

    package static func indication(
        _ method: Method, transactionID: STUNTransactionID, attributes: [STUNAttribute] = []
    ) -> STUNMessage {
        STUNMessage(.indication, method, transactionID: transactionID, attributes: attributes)
    }

    package static func success(to request: STUNMessage, attributes: [STUNAttribute] = []) -> STUNMessage {
        STUNMessage(
            .successResponse, request.method, transactionID: request.transactionID, attributes: attributes)
    }

    /// `code` is 300...699 ([RFC 8489 §14.8](https://www.rfc-editor.org/rfc/rfc8489#section-14.8)).
    package static func error(
        to request: STUNMessage, code: Int, reason: String, attributes: [STUNAttribute] = []
    ) -> STUNMessage {
        STUNMessage(
            .errorResponse, request.method, transactionID: request.transactionID,
            attributes: [.errorCode(code: code, reason: reason)] + attributes)
    }
}

extension STUNMessage: Equatable {
    /// Two messages are equal where their headers and attributes are; who signed them is another question.
    package static func == (left: STUNMessage, right: STUNMessage) -> Bool {
        left.messageClass == right.messageClass && left.method == right.method
            && left.transactionID == right.transactionID && left.attributes == right.attributes
    }
}
