internal import CZeroMQ

/// Why ZeroMQ refused.
package struct ZeroMQError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// Text that is no endpoint, or of a transport that ZeroMQ lacks.
        case invalidEndpoint
        case addressInUse
        /// Not a key of 40 characters of Z85.
        case invalidKey
        /// Any other error number.
        case system(errno: Int32)
    }

    package let code: Code
    /// What was being done, and where.
    package let place: String
    package let reason: String

    package init(code: Code, place: String, reason: String) {
        self.code = code
        self.place = place
        self.reason = reason
    }

    /// From the error number of the call that just failed.
    static func last(_ place: String) -> ZeroMQError {
        let number = zmq_errno()
        let code: Code =
            switch number {
            case EINVAL, EPROTONOSUPPORT, ENODEV: .invalidEndpoint
            case EADDRINUSE: .addressInUse
            default: .system(errno: number)
            }
        let reason = unsafe zmq_strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        return ZeroMQError(code: code, place: place, reason: reason)
    }

    package var description: String { "\(place): \(reason)" }
}
