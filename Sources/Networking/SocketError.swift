internal import Glibc

/// Why a socket could not be had or used.
package struct SocketError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// Another process (or another socket of ours) has the port.
        case addressInUse
        /// The address belongs to no interface of this machine.
        case addressNotAvailable
        /// Binding needs a right that we lack (ports below 1024).
        case permissionDenied
        case connectionRefused
        /// The process or the machine has no descriptors left.
        case tooManyDescriptors
        /// Any other errno.
        case system(errno: Int32)
    }

    package let code: Code
    /// What was being done, and where: `bind udp 0.0.0.0:10110`.
    package let place: String
    /// Who holds the port, where the code is ``Code/addressInUse`` and the holder could be found.
    package let holder: String?

    package init(code: Code, place: String, holder: String? = nil) {
        self.code = code
        self.place = place
        self.holder = holder
    }

    /// From a negative return value of CLinux.
    init(returned value: Int32, place: String, holder: @autoclosure () -> String? = nil) {
        let code = Code(errno: -value)
        self.init(code: code, place: place, holder: code == .addressInUse ? holder() : nil)
    }

    package var description: String {
        let reason =
            switch code {
            case .addressInUse: "the port is in use" + (holder.map { " by \($0)" } ?? "")
            case .addressNotAvailable: "no interface of this machine has that address"
            case .permissionDenied: "permission denied"
            case .connectionRefused: "connection refused"
            case .tooManyDescriptors: "too many open files"
            case .system(let number): "errno \(number)"
            }
        return "\(place): \(reason)"
    }
}

extension SocketError.Code {
    init(errno number: Int32) {
        switch number {
        case EADDRINUSE: self = .addressInUse
        case EADDRNOTAVAIL: self = .addressNotAvailable
        case EACCES, EPERM: self = .permissionDenied
        case ECONNREFUSED: self = .connectionRefused
        case EMFILE, ENFILE: self = .tooManyDescriptors
        default: self = .system(errno: number)
        }
    }
}
