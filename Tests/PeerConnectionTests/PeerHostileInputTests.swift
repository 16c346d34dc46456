import Core
import TURNClient
import Testing

@testable import PeerConnection

/// What strangers and broken peers send.
struct PeerHostileInputTests {
    private let random = RandomSource.seeded(666)

    private func deliver(_ bytes: [UInt8], to peer: inout PeerConnection, now: Instant) -> DatagramOutcome {
        var bytes = bytes
        return bytes.withUnsafeMutableBytes {
            peer.handleDatagram($0, from: PeerPair.offererAddress, on: LocalCandidateID(0), now: now)
        }
    }

    @Test("DTLS before a path waits, a few datagrams of it only, and media before keys is refused")
    func early() throws {
        var pair = try PeerPair()
        let hello = [22, 0xFE, 0xFD] + [UInt8](repeating: 0, count: 60)
        let now = pair.now
        let outcomes = (0..<5).map { _ in deliver(hello, to: &pair.answerer, now: now) }
        #expect(outcomes.prefix(4).allSatisfy { $0 == .accepted })
        #expect(outcomes.last == .refused(.early))
        let media = deliver([0x80, 96] + [UInt8](repeating: 0, count: 40), to: &pair.answerer, now: now)
        #expect(media == .refused(.early))
        let transmit = pair.answerer.pollTransmit()
        #expect(transmit == nil, "nothing is answered before the path is proven")
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected, "the noise changes nothing")
    }

    @Test("every datagram of noise is refused, before and after the connection is up")
    func noise() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        for isConnected in [false, true] {
            if isConnected {
                let connected = pair.connect()
                try #require(connected)
            }
            let now = pair.now
            for first in UInt8.min...UInt8.max {
                for length in [1, 2, 3, 7, 8, 12, 13, 30, 200] {
                    var bytes = random.bytes(length)
                    bytes[0] = first
                    let outcome = deliver(bytes, to: &pair.answerer, now: now)
                    if !(20...63).contains(first) { #expect(outcome != .accepted && outcome != .authenticatedSTUN) }
                }
            }
        }
        #expect(pair.answerer.phase == .connected)
        #expect(pair.answerer.statistics.datagramsRefused > 2000)
        let empty = deliver([], to: &pair.answerer, now: pair.now)
        #expect(empty == .refused(.unknownProtocol))
    }

    @Test("forged RTCP and media of a type that was not agreed on are refused for their reasons")
    func forged() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        let now = pair.now
        let control = deliver([0x80, 201, 0, 1] + random.bytes(40), to: &pair.answerer, now: now)
        let media = deliver([0x80, 96] + random.bytes(40), to: &pair.answerer, now: now)
        #expect(control == .refused(.srtp(.authentication)))
        #expect(media == .refused(.unexpectedMedia), "the answerer receives nothing")
    }

    @Test("candidate lines are taken, ignored or refused with a reason")
    func candidates() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let now = pair.now
        func add(_ line: String) -> CandidateOutcome { pair.answerer.addRemoteCandidate(line, now: now) }
        let good = "candidate:1 1 udp 2130706431 192.0.2.0 5000 typ host".replacing("192.0.2.0", with: "11.1.1.1")
        #expect(add(good) == .added)
        #expect(add("a=" + good) == .duplicate)
        #expect(add("candidate:1 1 udp 1 8b9a2d9e-1b1b-4c1c-8d1d-123456789abc.local 5000 typ host") == .ignoredName)
        #expect(add("candidate:1 1 udp 1 224.0.0.1 5000 typ host") == .refused(.unroutable))
        #expect(add("") == .endOfCandidates)
        if case .malformed = add("candidate:nonsense") {} else { Issue.record("nonsense was taken") }
    }

    @Test("descriptions that are no descriptions are refused and change nothing")
    func descriptions() throws {
        var pair = try PeerPair()
        let now = pair.now
        for text in [
            "", "v=0", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", String(repeating: "a", count: 100_000),
        ] {
            #expect(throws: NegotiationError.self) { try pair.answerer.acceptOffer(text, now: now) }
        }
        #expect(throws: NegotiationError.self) { try pair.answerer.acceptAnswer("v=0", now: now) }
        #expect(pair.answerer.phase == .signaling)
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        pair.answerer.close(now: pair.now)
        let offer = pair.offerer.createOffer(now: now)
        do {
            _ = try pair.answerer.acceptOffer(offer, now: now)
            Issue.record("a closed peer took an offer")
        } catch {
            #expect(error.code == .closed)
        }
    }
}
