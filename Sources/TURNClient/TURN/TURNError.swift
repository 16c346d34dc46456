/// Why a TURN server did not do what was asked, with what an operator can do about it.
package struct TURNError: Error, Equatable, Sendable {
    package enum Code: String, Equatable, Sendable {
        /// 300, where following it would go in circles.
        case redirected
        /// 401 to a request that was signed.
        case wrongCredentials
        /// 403.
        case forbidden
        /// 437 to Allocate: the 5-tuple still holds an allocation; to anything else: it holds none any more.
        case allocationMismatch
        /// 438 again and again.
        case staleNonce
        /// 441: the allocation on this 5-tuple belongs to another user name.
        case allocationOfAnotherUser
        /// 442.
        case unsupportedTransport
        /// 486.
        case quotaReached
        /// 508.
        case insufficientCapacity
        /// Any other error code.
        case refused
        /// A response lacks what it must carry.
        case malformedResponse
        /// No response at all.
        case unreachable
        /// The allocation's lifetime ended before a refresh came through.
        case expired
        /// The connection to the server was closed.
        case transportClosed
        /// The peer's address is one that no datagram can be sent to.
        case unroutablePeer
        /// Our own limit on permissions was reached.
        case limitReached
    }

    package var code: Code
    /// The number of the STUN error response, where there was one.
    package var statusCode: Int?
    package var reason: String
    package var remedy: String

    package init(_ code: Code, statusCode: Int? = nil, reason: String, remedy: String) {
        self.code = code
        self.statusCode = statusCode
        self.reason = reason
        self.remedy = remedy
    }

    /// The error of an error response: its code says which, `reason` is the server's own phrase.
    /// - SeeAlso: [RFC 8656 §19](https://www.rfc-editor.org/rfc/rfc8656#section-19)
    init(statusCode: Int, reason phrase: String, method: STUNMessage.Method) {
        let (code, remedy): (Code, String) =
            switch statusCode {
            case 300: (.redirected, "name the server that really serves relays, not one that redirects")
            case 401: (.wrongCredentials, "compare user name and password (or shared secret) with the TURN server's")
            case 403 where method == .allocate:
                (.forbidden, "the TURN server refuses this client; see its access rules")
            case 403: (.forbidden, Self.deniedPeerRemedy)
            case 437: (.allocationMismatch, "none needed if it passes within seconds; else use another local port")
            case 438: (.staleNonce, "check the TURN server's clock and its stale-nonce setting")
            case 441: (.allocationOfAnotherUser, "use another local port, or wait until the old allocation expires")
            case 442: (.unsupportedTransport, "enable UDP relaying on the TURN server (coturn: remove no-udp-relay)")
            case 486: (.quotaReached, "raise coturn's user-quota and total-quota, or free other allocations")
            case 508:
                (
                    .insufficientCapacity,
                    "all relay ports are taken: widen coturn's min-port and max-port, or wait up to 10 minutes for the ports of a killed client"
                )
            default: (.refused, "see the TURN server's log")
            }
        self.init(code, statusCode: statusCode, reason: "\(statusCode) \(phrase)", remedy: remedy)
    }

    private static let deniedPeerRemedy =
        "the TURN server forbids this peer: in coturn see denied-peer-ip, allowed-peer-ip, no-loopback-peers (or allow-loopback-peers) and write external-ip=PUBLIC/PRIVATE"

    package static let unreachable = TURNError(
        .unreachable, reason: "no response",
        remedy: "check that the TURN server runs and that its port is open between the two machines")
    static let malformedResponse = TURNError(
        .malformedResponse, reason: "a response lacks a mandatory attribute", remedy: "see the TURN server's version")
    static let expired = TURNError(
        .expired, reason: "the allocation ended before a refresh came through",
        remedy: "check the network to the TURN server")
    static let transportClosed = TURNError(
        .transportClosed, reason: "the connection was closed", remedy: "check that the TURN server runs")
    static let unroutablePeer = TURNError(
        .unroutablePeer, reason: "no datagram can be sent to this address",
        remedy: "none needed: the viewer's other candidates are tried")
    static let limitReached = TURNError(
        .limitReached, reason: "too many permissions", remedy: "none needed: viewers that leave make room")
}
