internal import Core
internal import Networking

/// One endpoint of an OpenAI-compatible service: makes its requests and puts what went wrong into words.
struct ServiceEndpoint: Sendable {
    let access: ServiceAccess
    /// `voice`, `hearing` or `answering`.
    let part: String
    /// Behind the base: `/chat/completions`.
    let path: String
    let maximumAnswerBytes: Int

    /// Attempts after the first: asking twice does no harm, it only costs.
    private static let retries = 2
    /// For the connection, TLS included.
    private static let connectTimeout: Duration = .seconds(5)

    func request(_ body: [UInt8], contentType: String, accept: String) -> HTTPClientRequest {
        var base = access.url
        while base.hasSuffix("/") { base.removeLast() }
        var request = HTTPClientRequest(.post, base + path, body: body, isRepeatable: true)
        request.headers = ["Content-Type": contentType, "Accept": accept, "User-Agent": "avatar-streamer"]
        if let key = access.apiKey { request.headers.append("Authorization", "Bearer \(key.revealed())") }
        request.connectTimeout = min(Self.connectTimeout, access.timeout)
        request.firstByteTimeout = access.timeout
        request.idleTimeout = access.timeout
        request.totalTimeout = access.longestAnswer
        request.maximumResponseBytes = maximumAnswerBytes
        request.retries = Self.retries
        return request
    }

    // MARK: What went wrong

    func error(_ error: HTTPClientError) -> BackendError {
        let (code, remedy): (BackendError.Code, String) =
            switch error.code {
            case .invalidRequest:
                (.unavailable, "set \(part).url to the service's address with its version: http://host/v1")
            case .unresolvable, .connectionFailed: (.unreachable, "start the service, or correct \(part).url")
            case .tlsFailed: (.unreachable, "correct the service's certificate, or \(part).url")
            case .timedOut(.connect): (.unreachable, "start the service, or correct \(part).url")
            case .timedOut: (.timedOut, "look at the service's load, or raise \(part).timeout_seconds")
            case .closedEarly, .malformedAnswer, .tooLarge: (.malformedAnswer, "look at the service's log")
            case .cancelled: (.cancelled, "ask again")
            case .stopped, .system: (.unavailable, "look at this server's log")
            }
        return make(code, error.description, remedy)
    }

    /// An answer whose status is not success.
    func refusal(_ status: Int, _ headers: HTTPClientHeaders, _ body: [UInt8]) -> BackendError {
        var reason = "\(access.origin) answered \(status)"
        let detail = ServiceExcerpt.errorMessage(body) ?? ServiceExcerpt.clean(body)
        if !detail.isEmpty { reason += ": \(detail)" }
        let remedy =
            switch status {
            case 300..<400:
                "redirects are not followed: set \(part).url to \(ServiceExcerpt.clean(Array((headers["Location"] ?? "the new address").utf8)))"
            case 401, 403: "give the service's key by \(part).api_key_env or \(part).api_key_file"
            case 404: "correct \(part).url or \(part).model"
            case 429: "the service limits requests: ask less often, or raise its limit"
            case 500...: "look at the service's log"
            default: "correct \(part).model and the service's other settings"
            }
        return make(.refused, reason, remedy)
    }

    func error(_ fault: ServiceAnswerFault) -> BackendError {
        switch fault {
        case .malformed(let reason):
            make(.malformedAnswer, "\(access.origin): \(reason)", "look at the service's log and at \(part).url")
        case .refused(let reason):
            make(.refused, "\(access.origin): \(reason)", "look at the service's log")
        }
    }

    /// Runs what reads an answer; what it finds wrong becomes an error of this endpoint.
    func reading<Result>(_ body: () throws(ServiceAnswerFault) -> Result) throws(BackendError) -> Result {
        do throws(ServiceAnswerFault) {
            return try body()
        } catch {
            throw self.error(error)
        }
    }

    /// The one place where reasons are made, so that none holds the key: a service may repeat it in its answer.
    private func make(_ code: BackendError.Code, _ reason: String, _ remedy: String) -> BackendError {
        BackendError(code: code, part: part, reason: redacted(reason), remedy: redacted(remedy))
    }

    private func redacted(_ text: String) -> String { access.apiKey?.redacting(text) ?? text }
}

/// What a service's answer is not.
enum ServiceAnswerFault: Error, Equatable, Sendable {
    /// Not what its protocol says; the text tells what it is instead.
    case malformed(String)
    /// An error in the words of the service, inside an answer that began as a success.
    case refused(String)
}

/// The first words of a stranger's answer, for an error's reason.
enum ServiceExcerpt {
    /// Bytes that are looked at.
    static let maximumBytes = 2048
    /// Characters that are kept.
    static let maximumLength = 160

    /// On one line, without control characters and without HTML's tags.
    static func clean(_ bytes: [UInt8]) -> String {
        var text = ""
        var isInTag = false
        var gap = false
        for scalar in String(decoding: bytes.prefix(maximumBytes), as: UTF8.self).unicodeScalars {
            // Two places: the next one may bring a space along.
            if text.unicodeScalars.count > maximumLength - 2 { return text + "…" }
            switch scalar {
            case "<": isInTag = true
            case ">" where isInTag: (isInTag, gap) = (false, true)
            case _ where isInTag: continue
            case _ where isUnprintable(scalar): gap = true
            default:
                if gap && !text.isEmpty { text.unicodeScalars.append(" ") }
                gap = false
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Format characters would turn the direction of a log line around.
        case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse,
            .surrogate:
            true
        default: false
        }
    }

    /// `error.message`, `error`, `message` or `detail` of a JSON answer.
    static func errorMessage(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= 64 << 10, let value = JSONValue(parsing: bytes) else { return nil }
        return errorMessage(value)
    }

    static func errorMessage(_ value: JSONValue) -> String? {
        let error = value["error"]
        let found = error?["message"] ?? error ?? value["message"] ?? value["detail"]
        guard let text = found?.stringValue else { return nil }
        return clean(Array(text.utf8.prefix(maximumBytes)))
    }
}
