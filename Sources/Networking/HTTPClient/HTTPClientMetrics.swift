internal import Core

/// What the client counts.
struct HTTPClientMetrics: Sendable {
    /// Seconds, from a service on this machine to one that thinks for a minute.
    private static let bounds = [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]

    let requests: Counter
    let retries: Counter
    let sentBytes: Counter
    let receivedBytes: Counter
    let active: Gauge
    let pauses: Counter
    let firstByte: Histogram
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        requests = registry.counter("avatar_http_client_requests_total", help: "Requests to other services.")
        retries = registry.counter(
            "avatar_http_client_retries_total", help: "Attempts after the first of a request to another service.")
        sentBytes = registry.counter("avatar_http_client_sent_bytes_total", help: "Bytes of bodies sent to services.")
        receivedBytes = registry.counter(
            "avatar_http_client_received_bytes_total", help: "Bytes of bodies received from services.")
        active = registry.gauge("avatar_http_client_active_requests", help: "Requests that wait for their end.")
        pauses = registry.counter(
            "avatar_http_client_pauses_total", help: "Times that a slow reader made a service wait.")
        firstByte = registry.histogram(
            "avatar_http_client_first_byte_seconds", help: "From a request's first attempt to its answer's head.",
            bounds: Self.bounds)
    }

    func ended(_ code: HTTPClientError.Code) {
        registry.counter(
            "avatar_http_client_failures_total", help: "Requests to other services that got no whole answer.",
            labels: ["reason": code.label]
        ).increment()
    }

    func answered(_ status: Int) {
        registry.counter(
            "avatar_http_client_answers_total", help: "Answers of other services by class of status.",
            labels: ["status": "\(status / 100)xx"]
        ).increment()
    }
}
