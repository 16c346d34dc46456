internal import Core

/// Counts what was refused, by reason: `web_refused_total{reason="…"}`.
struct Refusals: Sendable {
    enum Reason: String, CaseIterable {
        case connectionLimit = "connection_limit"
        case addressConnectionLimit = "address_connection_limit"
        case requestRate = "request_rate"
        case malformedRequest = "malformed_request"
        case method
        case bodyTooLarge = "body_too_large"
        case bodiesInFlight = "bodies_in_flight"
        case bodyTimeout = "body_timeout"
        case chunkedBody = "chunked_body"
        case pipelined
        case stalledReader = "stalled_reader"
        case upgradeNotFound = "upgrade_not_found"
        case upgradeUnsupported = "upgrade_unsupported"
        case messageTooBig = "message_too_big"
        case messageRate = "message_rate"
        case messageNotUTF8 = "message_not_utf8"
        case slowReader = "slow_reader"
        case slowHandler = "slow_handler"
        case silentPeer = "silent_peer"
        case spool
        case webSocketAdmission = "websocket_admission"
        case draining
    }

    private let counters: [Reason: Counter]

    init(_ metrics: MetricsRegistry) {
        var counters: [Reason: Counter] = [:]
        for reason in Reason.allCases {
            counters[reason] = metrics.counter(
                "web_refused_total", help: "Connections, requests and messages refused, by reason",
                labels: ["reason": reason.rawValue])
        }
        self.counters = counters
    }

    func count(_ reason: Reason) {
        counters[reason]?.increment()
    }
}
