internal import Core

/// One request to a TURN server and its retransmissions.
///
/// On UDP it is sent at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms and fails at 39.5 s; an Allocate or a Refresh, which
/// is repeated anew anyway, gives up after four sends (5.5 s), so that a server that returns is found within 3 s.
/// On a stream it is sent once.
/// - SeeAlso: [RFC 8489 §6.2](https://www.rfc-editor.org/rfc/rfc8489#section-6.2)
struct TURNTransaction: Sendable {
    enum Purpose: Equatable, Sendable {
        case allocate
        /// Keeps the allocation; also the probe that tells whether server and allocation still live.
        case refresh
        /// Asks whether the allocation that a former process left on our 5-tuple can be kept.
        case reclaim
        /// Refresh(0) of an allocation that we know nothing of.
        case free
        /// Refresh(0) of our own.
        case release
        case createPermission(IPAddress)
        case channelBind(SocketAddress, number: UInt16)

        var method: STUNMessage.Method {
            switch self {
            case .allocate: .allocate
            case .refresh, .reclaim, .free, .release: .refresh
            case .createPermission: .createPermission
            case .channelBind: .channelBind
            }
        }

        /// `Rc`: how often a request is sent at most.
        var maximumSends: Int {
            switch self {
            case .createPermission, .channelBind: 7
            case .allocate, .refresh, .reclaim, .free, .release: 4
            }
        }
    }

    /// `RTO`.
    static let initialTimeout: Duration = .milliseconds(500)
    /// `Rm`: how many RTO to wait after the last send. Seven sends: 31.5 s + 16 x 500 ms = 39.5 s in all.
    static let finalTimeouts = 16
    /// `Ti` on a stream. Shorter than RFC 8489's 39.5 s: a relay that is silent that long is of no use to a viewer.
    static let streamTimeout: Duration = .seconds(10)

    let purpose: Purpose
    let bytes: [UInt8]
    /// What it was signed with; nil for the first request to a server that has not said its realm yet.
    let credential: TURNClient.Credential?
    /// How many 401 and 438 this request was repeated for.
    let authenticationRounds: Int
    let firstSent: Instant
    private(set) var sends = 1
    private(set) var deadline: Instant

    init(
        _ purpose: Purpose, bytes: [UInt8], credential: TURNClient.Credential?, authenticationRounds: Int,
        isStream: Bool,
        now: Instant
    ) {
        self.purpose = purpose
        self.bytes = bytes
        self.credential = credential
        self.authenticationRounds = authenticationRounds
        firstSent = now
        sends = isStream ? purpose.maximumSends : 1
        deadline = now + (isStream ? Self.streamTimeout : Self.initialTimeout)
    }

    enum TimeoutOutcome {
        case notYet, resend, failed
    }

    mutating func handleTimeout(now: Instant) -> TimeoutOutcome {
        guard now >= deadline else { return .notYet }
        guard sends < purpose.maximumSends else { return .failed }
        sends += 1
        let doubled = Self.initialTimeout * (1 << (sends - 1))
        let final = purpose.maximumSends == 7 ? Self.initialTimeout * Self.finalTimeouts : .seconds(2)
        deadline = now + (sends == purpose.maximumSends ? final : doubled)
        return .resend
    }
}
