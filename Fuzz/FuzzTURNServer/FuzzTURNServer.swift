import Core
import TURNClient
import TURNServer

/// A session of hostile and honest clients: the input is a script of datagrams, some of them signed for the attacker, so
/// that what lies behind authentication is reached too. Whatever happens, the relay keeps its promises.
///
/// Each step is `operation, length, bytes…`.
@c(LLVMFuzzerTestOneInput)
package func fuzzTURNServer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var script = Array(UnsafeBufferPointer(start: start, count: count))[...]
    var relay = Relay()
    while let operation = script.popFirst(), let length = script.popFirst() {
        let bytes = Array(script.prefix(Int(length)))
        script = script.dropFirst(Int(length))
        relay.perform(operation, bytes)
        relay.check()
    }
    return 0
}

private struct Relay {
    static let media = SocketAddress(.v4(0xCB00_7105), 10111)
    static let secret: [UInt8] = [1, 2, 3]
    static let wallTime = WallTime(secondsSince1970: 1_800_000_000)

    var server: TURNServer
    var now = Instant(nanoseconds: 1_000_000_000)
    var nonces: [TURNClientPath: String] = [:]
    var paths: [SocketAddress: TURNClientPath] = [:]
    let random = RandomSource.seeded(2)
    let credential = TURNServer.credential(secret: secret, name: "a", expires: wallTime + .seconds(3_600))

    init() {
        var configuration = TURNServer.Configuration(
            realm: "r", sharedSecret: Self.secret, relayedIP: Self.media.ip,
            permittedPeers: [Self.media, SocketAddress(Self.media.ip, 10112)])
        configuration.limits.allocations = 3
        configuration.limits.allocationsPerCredential = 3
        configuration.limits.trackedAddresses = 2
        server = TURNServer(configuration: configuration, random: .seeded(1))
    }

    mutating func perform(_ operation: UInt8, _ bytes: [UInt8]) {
        let path = Self.path(operation)
        switch operation & 0x0F {
        case 0...3: receive(bytes, from: path)
        case 4: request(.allocate, [.requestedTransport(17)] + attributes(bytes), from: path)
        case 5: request(.refresh, attributes(bytes), from: path)
        case 6: request(.createPermission, [.xorPeerAddress(peer(bytes))] + attributes(bytes), from: path)
        case 7:
            let channel = 0x3FFE + UInt16(bytes.last ?? 2)
            request(.channelBind, [.channelNumber(channel), .xorPeerAddress(peer(bytes))], from: path)
        case 8:
            let indication = STUNMessage.indication(
                .send, transactionID: STUNTransactionID(random: random),
                attributes: [.xorPeerAddress(peer(bytes)), .data(bytes)])
            receive(indication.encoded(), from: path)
        case 9: receive([0x40, bytes.first ?? 0, 0, UInt8(bytes.count)] + bytes, from: path)
        case 10: server.connectionClosed(path)
        case 11:
            now += .milliseconds(Int64(bytes.count) * 1_500)
            server.handleTimeout(now: now)
        case 12: now += .seconds(Int64(bytes.first ?? 0))
        case 13: for address in paths.keys { server.end(relayedAddress: address) }
        default: request(.init(rawValue: UInt16(bytes.first ?? 0)), attributes(bytes), from: path)
        }
    }

    /// Four paths: two of UDP, two connections; three addresses.
    private static func path(_ operation: UInt8) -> TURNClientPath {
        switch operation >> 6 {
        case 0: .udp(SocketAddress(.v4(1), 1))
        case 1: .udp(SocketAddress(.v6(high: 1, low: 1), 2))
        case 2: .tcp(connection: 1, SocketAddress(.v4(2), 3))
        default: .tcp(connection: 2, SocketAddress(.v4(2), 3))
        }
    }

    private func peer(_ bytes: [UInt8]) -> SocketAddress {
        bytes.count % 2 == 0 ? Self.media : SocketAddress(.v4(UInt32(bytes.count)), 10111)
    }

    /// Whatever attributes the bytes make.
    private func attributes(_ bytes: [UInt8]) -> [STUNAttribute] {
        let header = STUNMessage.request(.binding, transactionID: STUNTransactionID(random: random)).encoded()
        let whole = bytes.prefix(bytes.count & ~3)
        let message = header.prefix(2) + [0, UInt8(whole.count)] + header.dropFirst(4) + whole
        return (try? STUNMessage(Array(message).span))?.attributes ?? []
    }

    private mutating func request(
        _ method: STUNMessage.Method, _ attributes: [STUNAttribute], from path: TURNClientPath
    ) {
        let identity: [STUNAttribute] = [
            .username(credential.username), .realm("r"), .nonce(nonces[path] ?? ""),
        ]
        let message = STUNMessage.request(
            method, transactionID: STUNTransactionID(random: random), attributes: attributes + identity)
        let key = LongTermCredential.key(
            username: credential.username, realm: "r", password: credential.password)
        receive(message.encoded(key: key), from: path)
    }

    private mutating func receive(_ bytes: [UInt8], from path: TURNClientPath) {
        let received = server.handleDatagram(bytes.span, from: path, now: now, wallTime: Self.wallTime)
        guard case .peerData(_, let relayed, let peer, let payload) = received else { return }
        precondition(payload.lowerBound >= 0 && payload.upperBound <= bytes.count, "the payload is not in the datagram")
        precondition(server.configuration.permittedPeers.contains(peer), "relayed to a stranger")
        precondition(paths[relayed] == path, "relayed for somebody else")
    }

    mutating func check() {
        while let transmit = server.pollTransmit() {
            guard let message = try? STUNMessage(transmit.bytes.span) else {
                preconditionFailure("the relay's own message is refused")
            }
            if let nonce = message.nonce { nonces[transmit.path] = nonce }
        }
        while let event = server.pollEvent() {
            switch event {
            case .allocated(_, let relayed, let client, _):
                precondition(paths.updateValue(client, forKey: relayed) == nil, "a relayed address was given twice")
            case .ended(_, let relayed, let client, _):
                precondition(paths.removeValue(forKey: relayed) == client, "another's allocation ended")
            }
        }
        precondition(server.allocationCount == paths.count && paths.count <= 3, "allocations and events disagree")
        precondition((server.deadline == nil) == paths.isEmpty, "a deadline without an allocation, or none with one")
        for (relayed, client) in paths {
            guard let route = server.route(to: relayed, from: Self.media) else { continue }
            precondition(route.path == client, "a route to somebody else")
        }
    }
}
