import Core
import Testing

@testable import TURNClient

@Suite("Candidates")
struct CandidateTests {
    @Test("A server-reflexive candidate as Chromium writes it is read in full")
    func chromiumServerReflexive() throws {
        let line =
            "candidate:842163049 1 udp 1677729535 198.18.0.7 46154 typ srflx raddr 10.0.0.2 rport 40000 generation 0 ufrag EsAw network-id 1 network-cost 10"
        let candidate = try Candidate(sdp: line)
        #expect(candidate.foundation == "842163049")
        #expect(candidate.component == 1)
        #expect(candidate.transport == .udp)
        #expect(candidate.priority == 1_677_729_535)
        #expect(candidate.address == SocketAddress("198.18.0.7:46154"))
        #expect(candidate.type == .serverReflexive)
        #expect(candidate.relatedAddress == SocketAddress("10.0.0.2:40000"))
        #expect(candidate.usernameFragment == "EsAw")
    }

    @Test(
        "Lines of other agents are read",
        arguments: [
            ("a=candidate:1 1 UDP 2130706431 192.168.1.5 54321 typ host\r\n", Candidate.Kind.host),
            ("f7fd5a4a6b1b3bb6c4d1c5d10c0b5b5d 1 udp 2130706431 10.0.0.1 5000 typ host", .host),
            ("candidate:3 1 udp 41885439 1.2.3.4 10111 typ relay raddr 0.0.0.0 rport 0", .relayed),
            ("candidate:3 1 udp 41885439 1.2.3.4 10111 typ relay raddr x.local rport 9", .relayed),
            ("candidate:4 1 udp 1 2001:db8::1 9 typ prflx raddr :: rport 0", .peerReflexive),
        ])
    func otherAgents(line: String, type: Candidate.Kind) throws {
        #expect(try Candidate(sdp: line).type == type)
    }

    @Test("A TCP candidate is read, since refusing it is the agent's decision")
    func tcp() throws {
        let candidate = try Candidate(sdp: "candidate:1 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active")
        #expect(candidate.transport == .tcp)
    }

    @Test(
        "What is wrong with a line is said",
        arguments: [
            ("", CandidateParseError.empty),
            ("candidate:", .empty),
            ("candidate:1 1 udp 1 1.2.3.4 5 typ", .missingField),
            ("candidate:1 1 udp 1 0a1b2c3d-1111-2222-3333-444455556666.local 5 typ host", .mdnsName),
            ("candidate:1 1 udp 1 EXAMPLE.LOCAL 5 typ host", .mdnsName),
            ("candidate:1 1 udp 1 relay.example.org 5 typ relay", .hostName),
            ("candidate:1 1 udp 1 1.2.3 5 typ host", .address),
            ("candidate:1 1 udp 1 1.2.3.4.5 5 typ host", .address),
            ("candidate:1 1 udp 1 fe80::1%eth0 5 typ host", .address),
            ("candidate:1 1 udp 1 1.2.3.4 65536 typ host", .port),
            ("candidate:1 1 udp 1 1.2.3.4 -1 typ host", .port),
            ("candidate:1 0 udp 1 1.2.3.4 5 typ host", .component),
            ("candidate:1 257 udp 1 1.2.3.4 5 typ host", .component),
            ("candidate:1 1 sctp 1 1.2.3.4 5 typ host", .transport),
            ("candidate:1 1 udp 0 1.2.3.4 5 typ host", .priority),
            ("candidate:1 1 udp 2147483648 1.2.3.4 5 typ host", .priority),
            ("candidate:1 1 udp 99999999999999999999 1.2.3.4 5 typ host", .priority),
            ("candidate:1 1 udp 1 1.2.3.4 5 typ magic", .type),
            ("candidate:1 1 udp 1 1.2.3.4 5 kind host", .type),
            ("candidate:1 1 udp 1 1.2.3.4 5 typ host raddr", .malformedExtension),
            ("candidate:1 1 udp 1 1.2.3.4 5 typ host ufrag a:b", .malformedExtension),
            ("candidate:\u{e9} 1 udp 1 1.2.3.4 5 typ host", .foundation),
            ("candidate:123456789012345678901234567890123 1 udp 1 1.2.3.4 5 typ host", .foundation),
        ])
    func wrongLines(line: String, error: CandidateParseError) {
        #expect(throws: error) { try Candidate(sdp: line) }
    }

    @Test("A line longer than any browser's is refused unread")
    func tooLong() {
        let line = "candidate:1 1 udp 1 1.2.3.4 5 typ host" + String(repeating: " x y", count: 200)
        #expect(throws: CandidateParseError.tooLong) { try Candidate(sdp: line) }
    }

    @Test("What is written is what was read", arguments: Candidate.Kind.allCases)
    func roundTrip(type: Candidate.Kind) throws {
        var candidate = Candidate(
            type: type, address: SocketAddress("[2001:470::7]:10111")!, relatedAddress: SocketAddress("10.1.2.3:7")!)
        candidate.usernameFragment = "abcd"
        #expect(try Candidate(sdp: candidate.sdp) == candidate)
        #expect(candidate.sdp.hasPrefix("candidate:"))
    }

    @Test("Priorities are those of RFC 8445")
    func priorities() {
        #expect(Candidate.priority(type: .host) == 2_130_706_431)
        #expect(Candidate.priority(type: .serverReflexive) == 1_694_498_815)
        #expect(Candidate.priority(type: .relayed) == 16_777_215)
        #expect(Candidate.priority(type: .host, component: 2) == 2_130_706_430)
        let relayed = Candidate(type: .relayed, address: SocketAddress("1.2.3.4:5")!)
        #expect(relayed.peerReflexivePriority == Candidate.priority(type: .peerReflexive))
    }

    @Test("Foundations tell types and bases apart, and nothing else")
    func foundations() {
        let one = Candidate(type: .host, address: SocketAddress("1.2.3.4:5")!)
        #expect(one.foundation == Candidate(type: .host, address: SocketAddress("1.2.3.4:6")!).foundation)
        #expect(one.foundation != Candidate(type: .relayed, address: SocketAddress("1.2.3.4:5")!).foundation)
        #expect(one.foundation != Candidate(type: .host, address: SocketAddress("1.2.3.5:5")!).foundation)
    }
}
