internal import Networking

/// A service's answer that began well and is being read. Letting go of it closes the connection.
final class ServiceAnswer {
    let headers: HTTPClientHeaders
    private let events: HTTPClientEvents.Iterator
    private let endpoint: ServiceEndpoint

    private init(_ headers: HTTPClientHeaders, _ events: HTTPClientEvents.Iterator, _ endpoint: ServiceEndpoint) {
        self.headers = headers
        self.events = events
        self.endpoint = endpoint
    }

    /// Sends the request and waits for the head of a success.
    static func begin(
        _ request: HTTPClientRequest, at endpoint: ServiceEndpoint, by client: HTTPClient
    ) async throws(BackendError) -> ServiceAnswer {
        let events = client.stream(request).makeAsyncIterator()
        guard case .head(let status, let headers) = try await next(of: events, endpoint) else {
            throw endpoint.error(.malformed("the answer has no head"))
        }
        let answer = ServiceAnswer(headers, events, endpoint)
        if status == 200 { return answer }
        var body: [UInt8] = []
        // The status says enough; a body that breaks off only says less.
        while body.count < ServiceExcerpt.maximumBytes, let bytes = try? await answer.next() { body += bytes }
        throw endpoint.refusal(status, headers, body)
    }

    /// The next bytes; nil at the end.
    func next() async throws(BackendError) -> [UInt8]? {
        while let event = try await Self.next(of: events, endpoint) {
            if case .body(let bytes) = event { return bytes }
        }
        return nil
    }

    private static func next(
        of events: HTTPClientEvents.Iterator, _ endpoint: ServiceEndpoint
    ) async throws(BackendError) -> HTTPClientEvent? {
        do throws(HTTPClientError) {
            return try await events.next()
        } catch {
            throw endpoint.error(error)
        }
    }
}
