import Core
import TURNClient
import TestSupport
import Testing

@testable import TURNServer

/// A relay, a clock, and clients that speak to it in whole messages.
struct RelayUnderTest {
    static let media = SocketAddress(.v4(0xCB00_7105), 10111)
    static let secret = Array("a secret".utf8)
    static let wallTime = WallTime(secondsSince1970: 1_800_000_000)

    var server: TURNServer
    var clock = ManualClock()
    var wallTime = Self.wallTime
    let random = RandomSource.seeded(7)

    init(_ adjust: (inout TURNServer.Configuration) -> Void = { _ in }) {
        var configuration = TURNServer.Configuration(
            realm: "avatar", sharedSecret: Self.secret, relayedIP: Self.media.ip, permittedPeers: [Self.media])
        adjust(&configuration)
        server = TURNServer(configuration: configuration, random: .seeded(1))
    }

    var now: Instant { clock.now }

    /// Lets time pass; the timer runs where `firingTimer` says so.
    mutating func advance(by duration: Duration, firingTimer: Bool = true) {
        clock.advance(by: duration)
        wallTime = wallTime + duration
        if firingTimer { server.handleTimeout(now: now) }
    }

    mutating func send(_ bytes: [UInt8], from path: TURNClientPath) -> TURNServer.Received? {
        server.handleDatagram(bytes.span, from: path, now: now, wallTime: wallTime)
    }

    /// What the relay answers, and that it answers at most once and on the path that asked.
    mutating func answer(to bytes: [UInt8], from path: TURNClientPath) -> [UInt8]? {
        _ = send(bytes, from: path)
        let transmit = server.pollTransmit()
        precondition(server.pollTransmit() == nil && (transmit == nil || transmit?.path == path))
        return transmit?.bytes
    }

    mutating func events() -> [TURNServer.Event] {
        var events: [TURNServer.Event] = []
        while let event = server.pollEvent() { events.append(event) }
        return events
    }

    func transactionID() -> STUNTransactionID { STUNTransactionID(random: random) }
}

/// One client: its path, its credential and the nonce that it was given last.
struct RelayClient {
    var path: TURNClientPath
    var username: String
    var password: String
    var nonce: String?
    let realm = "avatar"

    init(port: UInt16 = 40_000, name: String = "viewer-1", ip: IPAddress = .v4(0x0A00_0001), validFor: Int64 = 3_600) {
        self.init(.udp(SocketAddress(ip, port)), name: name, validFor: validFor)
    }

    init(_ path: TURNClientPath, name: String = "viewer-1", validFor: Int64 = 3_600) {
        self.path = path
        (username, password) = TURNServer.credential(
            secret: RelayUnderTest.secret, name: name,
            expires: WallTime(secondsSince1970: RelayUnderTest.wallTime.secondsSince1970 + validFor))
    }

    var key: [UInt8] { LongTermCredential.key(username: username, realm: realm, password: password) }

    func signed(_ message: STUNMessage) -> [UInt8] {
        var message = message
        message.attributes += [.username(username), .realm(realm), .nonce(nonce ?? "")]
        return message.encoded(key: key)
    }

    /// Asks once with what this client knows.
    mutating func request(
        _ method: STUNMessage.Method, _ attributes: [STUNAttribute], _ relay: inout RelayUnderTest,
        transactionID: STUNTransactionID? = nil
    ) throws -> Answer? {
        let message = STUNMessage.request(
            method, transactionID: transactionID ?? relay.transactionID(), attributes: attributes)
        let bytes = nonce == nil ? message.encoded() : signed(message)
        guard let reply = relay.answer(to: bytes, from: path) else { return nil }
        let parsed = try STUNMessage(reply.span)
        precondition(parsed.transactionID == message.transactionID && parsed.method == method)
        if let fresh = parsed.nonce { nonce = fresh }
        return Answer(
            message: parsed, isSigned: STUNMessage.hasValidIntegrity(reply.span, key: key), byteCount: reply.count)
    }

    struct Answer {
        let message: STUNMessage
        let isSigned: Bool
        let byteCount: Int
        /// 0 where it is a success.
        var code: Int { message.errorCode?.code ?? 0 }
        var isSuccess: Bool { message.messageClass == .successResponse }
    }

    static let udp: [STUNAttribute] = [.requestedTransport(17)]

    /// Is challenged, then allocates; the relayed address.
    mutating func allocate(
        _ relay: inout RelayUnderTest, _ attributes: [STUNAttribute] = RelayClient.udp
    ) throws -> SocketAddress? {
        if nonce == nil { _ = try request(.allocate, RelayClient.udp, &relay) }
        return try request(.allocate, attributes, &relay)?.message.xorRelayedAddress
    }

    /// The relayed address of an allocation that must succeed.
    mutating func allocated(_ relay: inout RelayUnderTest) throws -> SocketAddress {
        let address = try allocate(&relay)
        return try #require(address)
    }

    mutating func permit(_ peer: SocketAddress, _ relay: inout RelayUnderTest) throws -> Int? {
        try request(.createPermission, [.xorPeerAddress(peer)], &relay)?.code
    }

    mutating func bind(_ channel: UInt16, _ peer: SocketAddress, _ relay: inout RelayUnderTest) throws -> Int? {
        try request(.channelBind, [.channelNumber(channel), .xorPeerAddress(peer)], &relay)?.code
    }

    func sendIndication(_ payload: [UInt8], to peer: SocketAddress, _ relay: RelayUnderTest) -> [UInt8] {
        STUNMessage.indication(
            .send, transactionID: relay.transactionID(), attributes: [.xorPeerAddress(peer), .data(payload)]
        ).encoded()
    }

    func channelData(_ payload: [UInt8], _ channel: UInt16 = 0x4000) -> [UInt8] {
        ChannelData.encodedHeader(channel: channel, length: payload.count) + payload
    }
}
