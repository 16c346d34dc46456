/// Why an offer or an answer cannot be taken.
package struct NegotiationError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        /// The text is no session description.
        case malformed
        /// No section has media that both sides can speak.
        case nothingInCommon
        /// ICE credentials are missing or break RFC 8839 §5.4.
        case iceCredentials
        /// No fingerprint of a hash that we accept.
        case fingerprint
        /// `a=setup` has a value that cannot be used here.
        case setup
        /// The DTLS association or its role would have to change while the peer connection lives.
        case dtlsAssociationChanged
        /// The answer does not fit the offer it answers.
        case answerMismatch
        /// An answer came although nothing was offered.
        case unexpectedAnswer
        /// The peer connection has ended.
        case closed
    }

    package let code: Code
    package let reason: String
    /// The section it is about, by its index; nil for the session.
    package let mediaIndex: Int?

    package init(_ code: Code, _ reason: String, mediaIndex: Int? = nil) {
        self.code = code
        self.reason = reason
        self.mediaIndex = mediaIndex
    }

    init(_ error: SDPParseError) {
        let reason =
            switch error {
            case .tooLong: "the session description is longer than \(SessionDescription.maximumLength) bytes"
            case .tooManyLines: "the session description has more than \(SessionDescription.maximumLines) lines"
            case .malformedLine(let line): "line \(line) is not of the form letter=value, or too long"
            case .version: "the session description does not begin with v=0"
            case .origin: "the session description has no proper o= line"
            case .malformedMedia(let line): "the m= line \(line) lacks media, port, protocol or formats"
            case .tooManyMedia: "the session description has more than \(SessionDescription.maximumMedia) sections"
            }
        self.init(.malformed, reason)
    }
}
