/// Why a request got no whole answer. A status such as 500 is an answer, not an error of this kind.
package struct HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// It cannot be sent as it is: another scheme, a line break in a header.
        case invalidRequest
        /// The host's name has no address.
        case unresolvable
        /// No connection: refused, unreachable.
        case connectionFailed
        /// The certificate does not fit, or the other side speaks no TLS.
        case tlsFailed
        case timedOut(Phase)
        /// The connection ended before the answer did.
        case closedEarly
        /// The answer is not HTTP.
        case malformedAnswer
        /// The answer is larger than the request allows.
        case tooLarge
        /// The reader ended, or its task was cancelled.
        case cancelled
        /// The client was stopped, or its thread could not be started.
        case stopped
        /// libcurl failed otherwise: no memory, no descriptors.
        case system
    }
    package enum Phase: String, Sendable {
        case connect, firstByte, idle, total
    }

    package let code: Code
    /// Method and URL, without query.
    package let place: String
    /// In words; never holds a header or a body.
    package let reason: String
    /// The `errno` behind ``Code/connectionFailed``, `ECONNREFUSED` or another; 0 where there is none.
    package let systemError: Int32

    package init(code: Code, place: String, reason: String, systemError: Int32 = 0) {
        self.code = code
        self.place = place
        self.reason = reason
        self.systemError = systemError
    }

    package var description: String { "\(place): \(reason)" }
}

extension HTTPClientError.Code {
    /// For the metrics' label.
    var label: String {
        switch self {
        case .invalidRequest: "invalid_request"
        case .unresolvable: "unresolvable"
        case .connectionFailed: "connection_failed"
        case .tlsFailed: "tls_failed"
        case .timedOut(let phase): phase == .firstByte ? "timed_out_first_byte" : "timed_out_\(phase.rawValue)"
        case .closedEarly: "closed_early"
        case .malformedAnswer: "malformed_answer"
        case .tooLarge: "too_large"
        case .cancelled: "cancelled"
        case .stopped: "stopped"
        case .system: "system"
        }
    }

    /// Whether the request surely did not reach the service.
    var neverArrived: Bool {
        switch self {
        case .unresolvable, .connectionFailed, .timedOut(.connect): true
        case .invalidRequest, .tlsFailed, .timedOut, .closedEarly, .malformedAnswer, .tooLarge, .cancelled, .stopped,
            .system:
            false
        }
    }
}
