import Core
import TestSupport
import Testing

@testable import PeerConnection

/// Two connections of ours shake hands in memory.
struct DTLSTests {
    private let clientContext: DTLSContext
    private let serverContext: DTLSContext
    private let clock = ManualClock()

    init() throws {
        clientContext = try DTLSContext(certificate: DTLSCertificate())
        serverContext = try DTLSContext(certificate: DTLSCertificate())
    }

    /// Client and server, each knowing the other's fingerprint.
    private func pair() throws -> DTLSPair {
        try DTLSPair(
            client: DTLSConnection(
                context: clientContext, role: .client, remoteFingerprints: [serverContext.certificate.fingerprint],
                now: clock.now),
            server: DTLSConnection(
                context: serverContext, role: .server, remoteFingerprints: [clientContext.certificate.fingerprint],
                now: clock.now))
    }

    @Test("a handshake gives both sides the same keys, mirrored, for the cheap profile")
    func handshake() throws {
        var pair = try pair()
        pair.exchange(now: clock.now)
        #expect(pair.client.state == .connected)
        #expect(pair.server.state == .connected)
        let (client, server) = (try pair.clientKeys(), try pair.serverKeys())
        #expect(client.profile == .aeadAES128GCM)
        #expect(server.profile == .aeadAES128GCM)
        #expect(client.outbound == server.inbound)
        #expect(client.inbound == server.outbound)
        #expect(client.inbound != client.outbound)
        #expect(client.outbound.key.count == 16 && client.outbound.salt.count == 12)
        #expect(pair.client.deadline == nil && pair.server.deadline == nil)
    }

    @Test("no datagram is larger than every path carries")
    func datagramSize() throws {
        var pair = try pair()
        pair.exchange(now: clock.now)
        #expect(pair.largestDatagram <= DTLSConnection.maximumDatagram)
        #expect(pair.largestDatagram > 0)
    }

    @Test("application data goes both ways")
    func applicationData() throws {
        var pair = try pair()
        pair.exchange(now: clock.now)
        _ = (try pair.clientKeys(), try pair.serverKeys())
        let question: [UInt8] = [1, 2, 3]
        let answer = [UInt8](repeating: 7, count: 1000)
        let areSent = [
            pair.client.send(question), pair.server.send(answer),
            pair.server.send([UInt8](repeating: 0, count: 5000)),
        ]
        #expect(areSent == [true, true, false], "the last is larger than a datagram")
        pair.exchange(now: clock.now)
        let events = [pair.client.pollEvent(), pair.server.pollEvent()]
        #expect(events == [.applicationData(answer), .applicationData(question)])
    }

    @Test("a goodbye reaches the other side")
    func close() throws {
        var pair = try pair()
        pair.exchange(now: clock.now)
        _ = try pair.serverKeys()
        pair.client.close()
        pair.exchange(now: clock.now)
        #expect(pair.client.state == .closed)
        #expect(pair.server.state == .closed)
        let event = pair.server.pollEvent()
        #expect(event == .closed)
    }

    @Test("a certificate that the description did not promise is refused")
    func fingerprintMismatch() throws {
        let stranger = try DTLSCertificate()
        var pair = try DTLSPair(
            client: DTLSConnection(
                context: clientContext, role: .client, remoteFingerprints: [stranger.fingerprint], now: clock.now),
            server: DTLSConnection(
                context: serverContext, role: .server,
                remoteFingerprints: [clientContext.certificate.fingerprint], now: clock.now))
        pair.exchange(now: clock.now)
        #expect(pair.client.state == .failed(.fingerprintMismatch))
        let events = [pair.client.pollEvent(), pair.client.pollEvent()]
        #expect(events == [.failed(.fingerprintMismatch), nil])
    }

    @Test("a handshake that loses every other datagram still ends, by retransmission")
    func loss() throws {
        // libssl's timer reads the machine's clock, so this test does too, with timeouts that are over in milliseconds.
        let start = SystemClock.now()
        var pair = try DTLSPair(
            client: DTLSConnection(
                context: clientContext, role: .client, remoteFingerprints: [serverContext.certificate.fingerprint],
                now: start, initialTimeout: .milliseconds(16)),
            server: DTLSConnection(
                context: serverContext, role: .server, remoteFingerprints: [clientContext.certificate.fingerprint],
                now: start, initialTimeout: .milliseconds(16)))
        var lost = 0
        while !(pair.client.state == .connected && pair.server.state == .connected) {
            let now = SystemClock.now()
            guard now < start + .seconds(20) else { break }
            pair.exchange(now: now) { number in
                guard number % 2 == 0, lost < 4 else { return false }
                lost += 1
                return true
            }
            pair.client.handleTimeout(now: now)
            pair.server.handleTimeout(now: now)
        }
        #expect(lost >= 3)
        let (client, server) = (try pair.clientKeys(), try pair.serverKeys())
        #expect(client.outbound == server.inbound)
    }

    @Test("an unanswered handshake fails at its limit and sends nothing more")
    func timeout() throws {
        var client = try DTLSConnection(
            context: clientContext, role: .client, remoteFingerprints: [], now: clock.now)
        let hello = client.pollTransmit()
        #expect(hello != nil)
        let deadline = client.deadline
        #expect(try #require(deadline) <= clock.now + DTLSConnection.initialTimeout)
        client.handleTimeout(now: clock.now + DTLSConnection.handshakeLimit)
        #expect(client.state == .failed(.timeout))
        let event = client.pollEvent()
        let more = client.pollTransmit()
        #expect(event == .failed(.timeout))
        #expect(client.deadline == nil)
        #expect(more == nil)
    }

    @Test("noise before, between and after the handshake changes nothing")
    func noise() throws {
        var pair = try pair()
        let random = RandomSource.seeded(63)
        func disturb(_ connection: inout DTLSConnection) {
            for length in [1, 12, 13, 14, 60, 300, 1500] {
                var bytes = random.bytes(length)
                bytes[0] = [20, 21, 22, 23, 63][length % 5]
                if length > 3 { (bytes[1], bytes[2]) = (0xFE, 0xFD) }
                bytes.withUnsafeBytes { connection.handle($0, now: clock.now) }
            }
        }
        disturb(&pair.server)
        disturb(&pair.client)
        pair.exchange(now: clock.now)
        disturb(&pair.server)
        disturb(&pair.client)
        #expect(pair.client.state == .connected)
        #expect(pair.server.state == .connected)
    }

    @Test("a flight is cut between records")
    func cutting() {
        func record(_ count: Int) -> [UInt8] {
            [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 255)]
                + [UInt8](repeating: 9, count: count)
        }
        let flight = record(500) + record(600) + record(700) + record(10)
        let datagrams = DTLSConnection.datagrams(of: flight[...])
        #expect(datagrams == [record(500) + record(600), record(700) + record(10)])
        #expect(DTLSConnection.datagrams(of: [1, 2, 3]) == [[1, 2, 3]])
        #expect(DTLSConnection.datagrams(of: []) == [])
    }
}

/// Carries datagrams between two connections.
private struct DTLSPair: ~Copyable {
    var client: DTLSConnection
    var server: DTLSConnection
    private(set) var largestDatagram = 0
    private var carried = 0

    init(client: consuming DTLSConnection, server: consuming DTLSConnection) {
        self.client = client
        self.server = server
    }

    /// Moves datagrams until neither side has any; `isLost` is asked with each datagram's number.
    mutating func exchange(now: Instant, isLost: (Int) -> Bool = { _ in false }) {
        var isMoving = true
        while isMoving {
            isMoving = false
            while let datagram = client.pollTransmit() {
                isMoving = true
                if arrives(datagram, isLost) { datagram.withUnsafeBytes { server.handle($0, now: now) } }
            }
            while let datagram = server.pollTransmit() {
                isMoving = true
                if arrives(datagram, isLost) { datagram.withUnsafeBytes { client.handle($0, now: now) } }
            }
        }
    }

    private mutating func arrives(_ datagram: [UInt8], _ isLost: (Int) -> Bool) -> Bool {
        largestDatagram = max(largestDatagram, datagram.count)
        carried += 1
        return !isLost(carried)
    }

    mutating func clientKeys() throws -> SRTPKeyingMaterial {
        guard case .connected(let keys) = client.pollEvent() else { throw DTLSFailure.timeout }
        return keys
    }

    mutating func serverKeys() throws -> SRTPKeyingMaterial {
        guard case .connected(let keys) = server.pollEvent() else { throw DTLSFailure.timeout }
        return keys
    }
}
