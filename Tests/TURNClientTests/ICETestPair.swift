import Core
import TestSupport

@testable import TURNClient

/// One agent with its sockets, as a driver would hold it.
struct ICETestPeer {
    var agent: ICEAgent
    /// The sockets' own addresses, by local candidate.
    var sockets: [LocalCandidateID: SocketAddress] = [:]
    var events: [ICEAgent.Event] = []
    var outcomes: [STUNOutcome] = []

    var states: [ICEState] {
        events.compactMap { if case .stateChanged(let state) = $0 { state } else { nil } }
    }
}

/// Two agents, a network between them, and a clock that jumps from one thing that happens to the next.
struct ICETestPair {
    enum Side: CaseIterable {
        case left, right
        var other: Side { self == .left ? .right : .left }
    }

    var left: ICETestPeer
    var right: ICETestPeer
    var network: VirtualNetwork
    var now = Instant(nanoseconds: 1_000_000_000)
    let start = Instant(nanoseconds: 1_000_000_000)

    static let leftHost = IPAddress("5.0.0.1")!
    static let rightHost = IPAddress("6.0.0.1")!

    init(
        seed: UInt64 = 1, conditions: VirtualNetwork.Conditions = .perfect, left: ICERole = .controlling,
        right: ICERole = .controlled, configure: (inout ICEAgent.Configuration) -> Void = { _ in }
    ) {
        func peer(_ role: ICERole, _ seed: UInt64) -> ICETestPeer {
            var configuration = ICEAgent.Configuration(role: role)
            configure(&configuration)
            return ICETestPeer(agent: ICEAgent(configuration: configuration, random: .seeded(seed)))
        }
        self.left = peer(left, seed &* 2 &+ 1)
        self.right = peer(right, seed &* 2 &+ 2)
        network = VirtualNetwork(seed: seed, conditions: conditions)
    }

    subscript(side: Side) -> ICETestPeer {
        get { side == .left ? left : right }
        set { if side == .left { left = newValue } else { right = newValue } }
    }

    var elapsed: Duration { now - start }

    /// Gives a side a socket and the candidate that it stands for; `announced` differs where a NAT is in between.
    mutating func addSocket(_ side: Side, _ id: UInt8 = 0, at address: SocketAddress, type: Candidate.Kind = .host) {
        self[side].sockets[LocalCandidateID(id)] = address
        self[side].agent.addLocalCandidate(LocalCandidateID(id), Candidate(type: type, address: address), now: now)
        drain()
    }

    /// One host socket on each side.
    mutating func addHosts() {
        addSocket(.left, at: SocketAddress(Self.leftHost, 1000))
        addSocket(.right, at: SocketAddress(Self.rightHost, 2000))
    }

    /// `to` learns the credentials of the other side.
    mutating func giveCredentials(to side: Side) {
        let (fragment, password) = (
            self[side.other].agent.localUsernameFragment, self[side.other].agent.localPassword
        )
        self[side].agent.setRemoteCredentials(usernameFragment: fragment, password: password, now: now)
        drain()
    }

    @discardableResult
    mutating func giveCandidate(_ candidate: Candidate, to side: Side) -> AddOutcome {
        let outcome = self[side].agent.addRemoteCandidate(candidate, now: now)
        drain()
        return outcome
    }

    /// `to` learns the candidates of the other side's sockets.
    mutating func giveCandidates(to side: Side) {
        for (_, candidate) in self[side.other].agent.localCandidates { giveCandidate(candidate, to: side) }
    }

    /// Everything that signaling carries, both ways.
    mutating func signalAll() {
        for side in Side.allCases {
            giveCredentials(to: side)
            giveCandidates(to: side)
        }
        for side in Side.allCases { self[side].agent.endOfRemoteCandidates() }
    }

    mutating func drain() {
        for side in Side.allCases {
            while let transmit = self[side].agent.pollTransmit() {
                guard let socket = self[side].sockets[transmit.local] else { continue }
                network.send(transmit.bytes, from: socket, to: transmit.destination, now: now)
            }
            while let event = self[side].agent.pollEvent() { self[side].events.append(event) }
        }
    }

    /// Lets time pass until the condition holds, for `limit` at most; whether it held.
    @discardableResult
    mutating func run(for limit: Duration, until condition: (ICETestPair) -> Bool = { _ in false }) -> Bool {
        let end = now + limit
        while true {
            if condition(self) { return true }
            let next = [network.nextArrival, left.agent.deadline, right.agent.deadline].compactMap(\.self).min()
            guard let next, next <= end else {
                now = end
                return condition(self)
            }
            now = max(now, next)
            for arrival in network.arrivals(until: now) { deliver(arrival) }
            for side in Side.allCases where self[side].agent.deadline.map({ $0 <= now }) == true {
                self[side].agent.handleTimeout(now: now)
            }
            drain()
        }
    }

    private mutating func deliver(_ arrival: VirtualNetwork.Arrival) {
        for side in Side.allCases {
            guard let socket = self[side].sockets.first(where: { $0.value == arrival.destination }) else { continue }
            let outcome = self[side].agent.handleSTUN(
                arrival.bytes.span, from: arrival.source, on: socket.key, now: now)
            self[side].outcomes.append(outcome)
            drain()
        }
    }

    var bothCompleted: Bool { left.agent.state == .completed && right.agent.state == .completed }
}
