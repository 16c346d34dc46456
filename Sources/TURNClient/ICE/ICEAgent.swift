package import Core

/// One full ICE agent: finds, by checks, a pair of addresses over which this peer and one other reach each other, and
/// goes on proving that the other still wants to be sent to.
///
/// Does no I/O. After every input drain ``pollTransmit()`` and ``pollEvent()`` to nil, then arm ``deadline``.
/// One data stream with one component: BUNDLE and rtcp-mux are taken for granted. See docs/protocols/ice.md.
/// - SeeAlso: [RFC 8445](https://www.rfc-editor.org/rfc/rfc8445), [RFC 8838](https://www.rfc-editor.org/rfc/rfc8838)
///   (trickle), [RFC 8863](https://www.rfc-editor.org/rfc/rfc8863) (patience),
///   [RFC 7675](https://www.rfc-editor.org/rfc/rfc7675) (consent)
package struct ICEAgent: Sendable {
    package struct Configuration: Sendable {
        /// The role to begin with; a conflict may change it.
        package var role: ICERole
        /// Remote candidates that the peer may name by signaling; further ones that are seen only have a limit of their own,
        /// half as great.
        package var maximumRemoteCandidates = 32
        package var maximumPairs = 64
        /// Checks whose answer is outstanding; triggered checks do not wait for room.
        package var maximumChecksInFlight = 24
        /// `Ta`: the time between two ordinary checks (RFC 8445 §14.2: 50 ms by default, 5 ms at least).
        package var checkInterval: Duration = .milliseconds(20)
        /// How long no failure is reported while checks may yet arrive (RFC 8863 §4).
        package var patience: Duration = .seconds(30)
        /// RFC 7675 §5.1: each 5 s, varied by ±20 %.
        package var consentInterval: Duration = .seconds(5)
        /// RFC 7675 §5.1: 30 s without a response.
        package var consentTimeout: Duration = .seconds(30)
        /// Silence, of requests as well as of responses, after which the peer is reported as disconnected.
        package var disconnectedTimeout: Duration = .seconds(8)
        /// Which of the routable addresses that a peer names may be sent to. Addresses that the peer was heard from, with a
        /// valid check, need no permission.
        package var acceptsRemote: @Sendable (IPAddress) -> Bool = { _ in true }

        package init(role: ICERole) {
            self.role = role
        }

        /// A policy for servers on the public Internet: neither private, loopback nor link-local addresses.
        package static let refusesPrivate: @Sendable (IPAddress) -> Bool = { address in
            !address.isPrivate && !address.isLoopback && !address.isLinkLocal
        }
    }

    package struct Transmit: Hashable, Sendable {
        package var bytes: [UInt8]
        package var destination: SocketAddress
        package var local: LocalCandidateID
    }

    package enum Event: Hashable, Sendable {
        case stateChanged(ICEState)
        /// Send media over this pair from now on.
        case selectedPair(SelectedPair)
        /// Both sides had the same role; this one changed its own.
        case roleConflictResolved(ICERole)
        /// Nothing may be sent to the selected pair any more: the viewer has vanished.
        case consentExpired
    }

    package let configuration: Configuration
    let random: RandomSource

    package internal(set) var role: ICERole
    package internal(set) var state: ICEState = .new
    /// Decides a role conflict (RFC 8445 §7.3.1.1).
    var tieBreaker: UInt64

    var localCredentials: ICECredentials
    /// Of the generation before; valid until the new one has its nominated pair.
    var previousLocalCredentials: ICECredentials?
    var remoteCredentials: ICECredentials?
    /// A restart waits for the peer's new credentials.
    var awaitsRemoteCredentials = true

    var localCandidates: [(id: LocalCandidateID, candidate: Candidate)] = []
    var remoteCandidates: [Candidate] = []
    var hasEndOfRemoteCandidates = false

    var checkList: CheckList
    var checks = OutstandingChecks()
    /// Checks that arrived before the peer's credentials (RFC 8838 §8).
    var earlyRequests: [EarlyRequest] = []
    /// When the next ordinary check may be sent.
    var nextPacedCheck: Instant = .zero
    /// When ``ICEState/failed`` may be reported at the earliest.
    var patienceEnds: Instant?
    var selection: Selection?

    var transmits: [Transmit] = []
    var events: [Event] = []

    package init(configuration: Configuration, random: RandomSource) {
        self.configuration = configuration
        self.random = random
        role = configuration.role
        tieBreaker = random.uint64()
        localCredentials = ICECredentials(random: random)
        checkList = CheckList(role: configuration.role, limit: configuration.maximumPairs)
    }

    package var localUsernameFragment: String { localCredentials.usernameFragment }
    package var localPassword: String { localCredentials.password }
    /// The generation before, which checks may name until the restart is through.
    package var previousLocalUsernameFragment: String? { previousLocalCredentials?.usernameFragment }
    package var remoteUsernameFragment: String? { remoteCredentials?.usernameFragment }

    /// The pair to send media over: the nominated one, or until there is one the best that works. During a restart it is
    /// the old one until the new generation has its own.
    package var selectedPair: SelectedPair? { selection?.pair }

    /// What to send next; nil when there is nothing more.
    package mutating func pollTransmit() -> Transmit? {
        transmits.isEmpty ? nil : transmits.removeFirst()
    }

    /// What happened; nil when there is nothing more.
    package mutating func pollEvent() -> Event? {
        events.isEmpty ? nil : events.removeFirst()
    }

    /// The peer's credentials, out of its offer or answer. Changed ones begin a new generation.
    package mutating func setRemoteCredentials(usernameFragment: String, password: String, now: Instant) {
        let credentials = ICECredentials(usernameFragment: usernameFragment, password: password)
        guard state != .closed, credentials != remoteCredentials else { return }
        if !awaitsRemoteCredentials { forgetGeneration() }
        awaitsRemoteCredentials = false
        remoteCredentials = credentials
        let stale = remoteCandidates.filter { ($0.usernameFragment ?? usernameFragment) != usernameFragment }
        remoteCandidates.removeAll { stale.contains($0) }
        checkList.remove { stale.contains($0.remote) }
        patienceEnds = now + configuration.patience
        setState(.checking)
        let early = earlyRequests
        earlyRequests = []
        for request in early { take(request, now: now) }
        advance(now: now)
    }

    /// New local credentials, new checks (RFC 8445 §9). The selected pair goes on until the new generation has its own;
    /// the peer's new credentials come by ``setRemoteCredentials(usernameFragment:password:now:)``.
    package mutating func restart(now: Instant) {
        guard state != .closed else { return }
        // A second restart before the first is through leaves only the generation in use behind it.
        if previousLocalCredentials == nil || !awaitsRemoteCredentials { previousLocalCredentials = localCredentials }
        localCredentials = ICECredentials(random: random)
        tieBreaker = random.uint64()
        remoteCredentials = nil
        awaitsRemoteCredentials = true
        patienceEnds = nil
        forgetGeneration()
        setState(.checking)
        advance(now: now)
    }

    /// Ends everything. The state remains for questions about it.
    package mutating func close() {
        guard state != .closed else { return }
        setState(.closed)
        forgetGeneration()
        checks.remove { _ in true }
        selection = nil
        patienceEnds = nil
    }

    private mutating func forgetGeneration() {
        remoteCandidates = []
        hasEndOfRemoteCandidates = false
        earlyRequests = []
        checkList = CheckList(role: role, limit: configuration.maximumPairs)
        // Consent for the old pair is asked for until the new one takes over.
        checks.remove { $0.purpose != .consent }
        selection?.isOfThisGeneration = false
    }

    mutating func setState(_ new: ICEState) {
        guard state != new, state != .closed else { return }
        state = new
        events.append(.stateChanged(new))
    }

    /// Whether checks are made and answered.
    var isActive: Bool { state != .closed && state != .failed }
}
