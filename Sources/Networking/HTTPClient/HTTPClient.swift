package import Core

/// HTTP and HTTPS to other services: timeouts, limits, retries where they are safe, connections that are kept.
///
/// One thread of its own, "http", from the first request on; readers wait without one. TLS certificates are checked, no
/// redirect is followed, nothing of the environment (`http_proxy`, `.netrc`) is obeyed.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        /// The URL of a proxy; empty: none, whatever the environment says.
        package var proxy = ""
        /// PEM file of the authorities that certificates are checked against; empty: the system's.
        package var certificateAuthorityFile = ""
        /// Connections at a time; further requests wait for one, which counts towards their first byte.
        package var maximumConnections = 64
        /// Idle connections that are kept for the next request.
        package var keptConnections = 16
        /// Requests at a time; any further one fails at once.
        package var maximumRequests = 256
        package init() {}
    }

    /// The process's client.
    package static let shared = HTTPClient()

    private let thread: HTTPTransferThread

    /// `clock` is what timeouts and pauses between attempts go by.
    package init(
        configuration: Configuration = Configuration(), metrics: MetricsRegistry = MetricsRegistry(),
        random: RandomSource = .system, clock: @escaping @Sendable () -> Instant = { SystemClock.now() }
    ) {
        thread = HTTPTransferThread(configuration, metrics, random: random, clock: clock)
    }

    deinit {
        thread.stopSoon()
    }

    /// Counts into `registry` from now on; for ``shared``, which is there before any registry.
    package func report(to registry: MetricsRegistry) {
        thread.report(to: registry)
    }

    /// The answer as it arrives. Every iteration sends the request; ending it, or its task, calls the request off and
    /// closes the connection. A reader that is slow makes the service wait.
    package func stream(_ request: HTTPClientRequest) -> HTTPClientEvents {
        HTTPClientEvents(client: self, request: request)
    }

    /// The whole answer. Cancelling the task calls the request off.
    package func send(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
        var response = HTTPClientResponse(status: 0, headers: [:], body: [])
        let events = stream(request).makeAsyncIterator()
        while let event = try await events.next() {
            switch event {
            case .head(let status, let headers): (response.status, response.headers) = (status, headers)
            case .body(let bytes): response.body += bytes
            }
        }
        return response
    }

    /// Fails what is under way with ``HTTPClientError/Code/stopped`` and takes nothing more.
    package func stop() async {
        await thread.stop()
    }

    func begin(_ request: HTTPClientRequest) -> HTTPExchange {
        thread.begin(request)
    }
}

/// The events of one request: one head, then bodies. Throws ``HTTPClientError``.
package struct HTTPClientEvents: AsyncSequence, Sendable {
    package typealias Element = HTTPClientEvent
    package typealias Failure = HTTPClientError

    let client: HTTPClient
    let request: HTTPClientRequest

    package func makeAsyncIterator() -> Iterator {
        Iterator(client, client.begin(request))
    }

    /// Calls the request off when nobody holds it any more.
    package final class Iterator: AsyncIteratorProtocol {
        /// The thread ends with the last client, so a reader holds it.
        private let client: HTTPClient
        private let exchange: HTTPExchange

        init(_ client: HTTPClient, _ exchange: HTTPExchange) {
            self.client = client
            self.exchange = exchange
        }

        deinit {
            exchange.cancel()
        }

        package func next() async throws(HTTPClientError) -> HTTPClientEvent? {
            try await exchange.next().get()
        }

        package func next(isolation actor: isolated (any Actor)?) async throws(HTTPClientError) -> HTTPClientEvent? {
            try await exchange.next().get()
        }
    }
}
