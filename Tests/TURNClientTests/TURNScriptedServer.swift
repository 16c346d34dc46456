import Core
import TestSupport
import Testing

@testable import TURNClient

/// A TURN server for one 5-tuple: the rules of RFC 8656 in small, and whatever errors a test puts into its script.
struct TURNScriptedServer {
    var realm = "example.org"
    var nonce = "nonce-1"
    var username = "user"
    var password = "secret"
    var relayedAddress = SocketAddress("192.0.2.9:10111")!
    var lifetime: Duration = .seconds(600)
    var hasAllocation = false
    var isSilent = false
    /// Confirms a Refresh(0) and holds the 5-tuple all the same, as coturn does for a while.
    var keepsFreed = false
    var signsResponses = true
    /// Error codes for the next authenticated requests of a method, first come first served.
    var errors: [STUNMessage.Method: [Int]] = [:]
    var alternateServer: SocketAddress?
    private(set) var permissions: [IPAddress] = []
    private(set) var channels: [UInt16: SocketAddress] = [:]
    private var numbers: [SocketAddress: UInt16] = [:]
    private(set) var requests: [STUNMessage] = []

    var key: [UInt8] { LongTermCredential.key(username: username, realm: realm, password: password) }

    func count(_ method: STUNMessage.Method) -> Int { requests.count { $0.method == method } }

    /// Forgets everything, as a process that was killed and started again.
    mutating func restart(nonce: String) {
        self.nonce = nonce
        endAllocation()
    }

    mutating func endAllocation() {
        hasAllocation = false
        permissions = []
        channels = [:]
        numbers = [:]
    }

    mutating func answer(_ bytes: [UInt8]) -> [UInt8]? {
        guard let request = try? STUNMessage(bytes), request.messageClass == .request else { return nil }
        requests.append(request)
        guard !isSilent else { return nil }
        if let alternateServer, request.method == .allocate {
            return STUNMessage.error(
                to: request, code: 300, reason: "Try Alternate", attributes: [.alternateServer(alternateServer)]
            ).encoded()
        }
        let challenge: [STUNAttribute] = [.realm(realm), .nonce(nonce)]
        // As coturn does, before it asks for credentials.
        if request.method == .allocate, hasAllocation {
            return STUNMessage.error(to: request, code: 437, reason: "Allocation Mismatch").encoded()
        }
        guard request.carriesIntegrity else {
            return STUNMessage.error(to: request, code: 401, reason: "Unauthorized", attributes: challenge).encoded()
        }
        guard request.nonce == nonce else {
            return STUNMessage.error(to: request, code: 438, reason: "Stale Nonce", attributes: challenge).encoded()
        }
        guard STUNMessage.hasValidIntegrity(bytes, key: key) else {
            return STUNMessage.error(to: request, code: 401, reason: "Unauthorized", attributes: challenge).encoded()
        }
        if let code = errors[request.method]?.first {
            errors[request.method]?.removeFirst()
            // A stale nonce comes with a fresh one.
            if code == 438 { nonce += "+" }
            let fresh: [STUNAttribute] = code == 438 ? [.realm(realm), .nonce(nonce)] : []
            return STUNMessage.error(to: request, code: code, reason: "scripted", attributes: fresh)
                .encoded(key: code == 438 ? nil : key)
        }
        return reply(to: request).encoded(key: signsResponses ? key : nil)
    }

    private mutating func reply(to request: STUNMessage) -> STUNMessage {
        if request.method == .allocate {
            hasAllocation = true
            return .success(
                to: request,
                attributes: [
                    .xorRelayedAddress(relayedAddress), .xorMappedAddress(SocketAddress("198.51.100.7:40000")!),
                    .lifetime(lifetime),
                ])
        }
        guard hasAllocation else { return .error(to: request, code: 437, reason: "Allocation Mismatch") }
        switch request.method {
        case .refresh:
            if request.lifetime == .zero, !keepsFreed { endAllocation() }
            return .success(to: request, attributes: [.lifetime(request.lifetime == .zero ? .zero : lifetime)])
        case .createPermission:
            permissions += request.xorPeerAddresses.map(\.ip)
            return .success(to: request)
        case .channelBind:
            guard let number = request.channelNumber, let peer = request.xorPeerAddresses.first,
                channels[number, default: peer] == peer,
                numbers[peer, default: number] == number
            else { return .error(to: request, code: 400, reason: "Bad Request") }
            channels[number] = peer
            numbers[peer] = number
            return .success(to: request)
        default:
            return .error(to: request, code: 400, reason: "Bad Request")
        }
    }
}

/// A client, its server, the wire between them, and the clock that a test moves.
struct TURNExchange {
    var client: TURNClient
    var server = TURNScriptedServer()
    var clock = ManualClock()
    var events: [TURNClient.Event] = []
    /// When each message of the client left it, and how many did so far.
    private(set) var sent: [(at: Instant, bytes: [UInt8])] = []
    /// Whether message number n of the client, or the answer to it, gets lost.
    var losesRequest: (Int) -> Bool = { _ in false }
    var losesResponse: (Int) -> Bool = { _ in false }

    static let peer = SocketAddress("203.0.114.5:5000")!

    static func configuration() -> TURNClient.Configuration {
        TURNClient.Configuration(server: SocketAddress("192.0.2.1:3478")!, username: "user", password: "secret")
    }

    init(_ configuration: TURNClient.Configuration = configuration(), restoring saved: SavedAllocation? = nil) {
        client = TURNClient(configuration, random: .seeded(7), restoring: saved)
    }

    /// A client that holds its allocation.
    static func allocated(_ configuration: TURNClient.Configuration = configuration()) -> TURNExchange {
        var exchange = TURNExchange(configuration)
        exchange.start()
        exchange.events = []
        return exchange
    }

    var now: Instant { clock.now }

    mutating func start() {
        client.start(now: now)
        settle()
    }

    /// Carries messages to and fro until nobody has anything to say.
    mutating func settle() {
        var rounds = 0
        while let bytes = client.pollTransmit() {
            rounds += 1
            guard rounds < 10_000 else {
                Issue.record("client and server talk without end")
                return
            }
            let index = sent.count
            sent.append((now, bytes))
            guard !losesRequest(index), let answer = server.answer(bytes), !losesResponse(index) else { continue }
            _ = client.handleDatagram(answer.span, now: now)
        }
        while let event = client.pollEvent() { events.append(event) }
    }

    /// Moves the clock from deadline to deadline.
    mutating func advance(by duration: Duration) {
        let end = now + duration
        var steps = 0
        while let deadline = client.deadline, deadline <= end {
            steps += 1
            guard steps < 100_000 else {
                Issue.record("the deadline does not move")
                return
            }
            if deadline > now { clock.advance(by: deadline - now) }
            client.handleTimeout(now: now)
            settle()
        }
        if end > now { clock.advance(by: end - now) }
    }

    /// Feeds the client a datagram of the server's.
    mutating func receive(_ bytes: [UInt8]) -> TURNClient.Received {
        defer { settle() }
        return client.handleDatagram(bytes.span, now: now)
    }

    var failureCodes: [TURNError.Code] {
        events.compactMap { if case .failed(let error, _) = $0 { error.code } else { nil } }
    }
}
