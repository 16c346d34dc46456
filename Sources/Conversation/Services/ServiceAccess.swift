internal import Networking

/// How an OpenAI-compatible service is reached.
package struct ServiceAccess: Sendable, Equatable {
    /// The base of its endpoints, with the version: `http://127.0.0.1:11434/v1`.
    package var url: String
    /// Sent as `Authorization: Bearer …` to that URL's host alone.
    package var apiKey: Secret?
    package var model: String
    /// The longest silence: before the first byte of an answer, and between two.
    package var timeout: Duration
    /// The longest that a whole answer may take, attempts that failed included.
    package var longestAnswer: Duration

    package init(
        url: String, apiKey: Secret? = nil, model: String, timeout: Duration = .seconds(30),
        longestAnswer: Duration = .seconds(300)
    ) {
        self.url = url
        self.apiKey = apiKey
        self.model = model
        self.timeout = timeout
        self.longestAnswer = longestAnswer
    }

    /// Why nothing can be asked under that URL; nil where something may. For whoever reads the setting.
    package var fault: String? {
        if url.contains("?") || url.contains("#") { return "the URL has a query" }
        return HTTPClientRequest(.post, url).fault
    }

    /// As `/health` names it, without path: `gemma3 at http://127.0.0.1:11434`.
    package var name: String { "\(model) at \(origin)" }

    /// Scheme, host and port.
    package var origin: String {
        let place = HTTPClientRequest(.post, url).place
        return place.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
    }
}
