/// Why the web server could not start.
package struct WebServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case addressInUse
        case cannotListen
        case cannotCreateContext
    }

    package let code: Code
    /// The listener's name and address: `management 0.0.0.0:9000`.
    package let place: String
    package let reason: String
    package let remedy: String

    package var description: String { "\(place): \(reason)" }
}
