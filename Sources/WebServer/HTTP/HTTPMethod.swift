/// The request methods that the server answers; any other is 501.
/// - SeeAlso: [RFC 9110 §9](https://www.rfc-editor.org/rfc/rfc9110#section-9)
package enum HTTPMethod: String, Hashable, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
}
