import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE limits")
struct ICELimitTests {
    private func host(_ index: Int) -> Candidate {
        Candidate(type: .host, address: SocketAddress(IPAddress.v4(0x0B00_0000 + UInt32(index)), 1000))
    }

    @Test(
        "Addresses that no datagram may go to are refused",
        arguments: [
            "0.0.0.0:5000", "224.0.0.1:5000", "239.255.255.250:1900", "255.255.255.255:9", "240.0.0.1:9",
            "0.1.2.3:9", "8.8.8.8:0", "[::]:9", "[ff02::1]:9", "[::ffff:224.0.0.1]:9",
            "[::ffff:0.0.0.0]:9",
        ])
    func unroutable(address: String) throws {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .right)
        let candidate = Candidate(type: .relayed, address: try #require(SocketAddress(address)))
        #expect(pair.giveCandidate(candidate, to: .right) == .refused(.unroutable))
        pair.run(for: .seconds(2))
        #expect(pair.network.counters.sent == 0)
    }

    @Test(
        "The policy for public servers refuses private, loopback and link-local addresses",
        arguments: [
            ("10.1.2.3", false), ("172.16.0.1", false), ("192.168.1.1", false), ("100.64.0.1", false),
            ("127.0.0.1", false), ("169.254.169.254", false), ("fd00::1", false), ("fe80::1", false), ("::1", false),
            ("::ffff:10.0.0.1", false), ("8.8.8.8", true), ("2001:470::1", true),
        ])
    func policy(address: String, isAccepted: Bool) throws {
        var pair = ICETestPair { $0.acceptsRemote = ICEAgent.Configuration.refusesPrivate }
        pair.addHosts()
        pair.giveCredentials(to: .right)
        let candidate = Candidate(type: .host, address: SocketAddress(try #require(IPAddress(address)), 1000))
        #expect(pair.giveCandidate(candidate, to: .right) == (isAccepted ? .added : .refused(.policy)))
    }

    @Test("A private address that was not accepted by name is served when a valid check comes from it")
    func heardPrivate() {
        var pair = ICETestPair { $0.acceptsRemote = ICEAgent.Configuration.refusesPrivate }
        let inside = SocketAddress("192.168.7.7:1000")!
        pair.addSocket(.left, at: inside)
        pair.addSocket(.right, at: SocketAddress(ICETestPair.rightHost, 2000))
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        #expect(pair.right.agent.selectedPair?.remote == inside)
    }

    @Test("TCP candidates and other components are refused")
    func otherKinds() {
        var pair = ICETestPair()
        pair.addHosts()
        var candidate = host(1)
        candidate.transport = .tcp
        #expect(pair.giveCandidate(candidate, to: .right) == .refused(.transport))
        candidate.transport = .udp
        candidate.component = 2
        #expect(pair.giveCandidate(candidate, to: .right) == .refused(.component))
    }

    @Test("Ten thousand candidates leave the agent with 32, and with the traffic of 32")
    func flood() {
        var pair = ICETestPair()
        pair.addSocket(.right, at: SocketAddress(ICETestPair.rightHost, 2000))
        pair.giveCredentials(to: .right)
        var outcomes: [AddOutcome: Int] = [:]
        for index in 0..<10_000 { outcomes[pair.giveCandidate(host(index % 9000), to: .right), default: 0] += 1 }
        #expect(outcomes[.added] == 32)
        #expect(outcomes[.limit] == 9_968 - outcomes[.duplicate, default: 0])
        #expect(pair.right.agent.checkList.pairs.count == 32)
        pair.run(for: .seconds(120))
        #expect(pair.network.counters.sent <= 32 * ConnectivityCheck.maximumAttempts)
        #expect(pair.right.agent.state == .failed)
        #expect(pair.right.agent.checks.count == 0)
    }

    @Test("A viewer that floods candidates is still served at the address it really has")
    func floodThenReal() {
        var pair = ICETestPair { $0.maximumPairs = 16 }
        pair.addHosts()
        pair.giveCredentials(to: .right)
        for index in 0..<100 { pair.giveCandidate(host(index), to: .right) }
        pair.giveCredentials(to: .left)
        pair.giveCandidates(to: .left)
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
    }

    @Test("A check from ever new ports is bounded in memory and answered one for one")
    func portFlood() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .right)
        let local = pair.right.agent.localCredentials
        var sent = 0
        for port in 1...5000 {
            let bytes = STUNMessage.request(
                .binding, transactionID: STUNTransactionID(random: .system),
                attributes: [
                    .username("\(local.usernameFragment):abcd"), .iceControlling(.max), .priority(.max),
                ]
            ).encoded(key: local.key, fingerprint: true)
            let source = SocketAddress(ICETestPair.leftHost, UInt16(port))
            _ = pair.right.agent.handleSTUN(bytes.span, from: source, on: LocalCandidateID(0), now: pair.now)
            while pair.right.agent.pollTransmit() != nil { sent += 1 }
            pair.now += .milliseconds(1)
        }
        #expect(pair.right.agent.remoteCandidates.count <= 16)
        #expect(pair.right.agent.checkList.pairs.count <= 64)
        #expect(pair.right.agent.checks.count <= 256)
        #expect(sent <= 2 * 5000 + 200)
    }

    @Test("Two addresses of one name are one candidate; a better name replaces a peer-reflexive one")
    func duplicates() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .right)
        #expect(pair.giveCandidate(host(1), to: .right) == .added)
        #expect(pair.giveCandidate(host(1), to: .right) == .duplicate)
        var mapped = host(1)
        mapped.address = SocketAddress("[::ffff:11.0.0.1]:1000")!
        #expect(pair.giveCandidate(mapped, to: .right) == .duplicate)

        pair.giveCredentials(to: .left)
        pair.giveCandidates(to: .left)
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        #expect(pair.right.agent.selectedPair?.remoteType == .peerReflexive)
        pair.giveCandidates(to: .right)
        #expect(pair.right.agent.selectedPair?.remoteType == .host)
        #expect(pair.right.agent.checkList.pairs.first { $0.state == .succeeded }?.remote.type == .host)
    }

    @Test("Without candidates failure is reported after 30 s of patience, not before")
    func patience() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .right)
        pair.right.agent.endOfRemoteCandidates()
        pair.run(for: .milliseconds(29_900))
        #expect(pair.right.agent.state == .checking)
        pair.run(for: .milliseconds(200))
        #expect(pair.right.agent.state == .failed)
        #expect(pair.right.agent.addRemoteCandidate(host(1), now: pair.now) == .refused(.inactive))
    }

    @Test("A candidate that comes late is still checked, for as long as a check lasts")
    func lateCandidate() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .right)
        pair.giveCredentials(to: .left)
        pair.run(for: .seconds(28))
        pair.giveCandidates(to: .right)
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
    }

    @Test("A closed agent is silent and takes nothing")
    func closed() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.signalAll()
        pair.run(for: .seconds(1))
        pair.right.agent.close()
        pair.drain()
        #expect(pair.right.agent.state == .closed && pair.right.agent.deadline == nil)
        #expect(pair.right.agent.selectedPair == nil)
        pair.right.agent.restart(now: pair.now)
        pair.right.agent.setRemoteCredentials(
            usernameFragment: "abcd", password: "abcdefghijabcdefghijab", now: pair.now)
        #expect(pair.right.agent.addRemoteCandidate(host(1), now: pair.now) == .refused(.inactive))
        #expect(pair.right.agent.state == .closed)
        pair.right.outcomes = []
        pair.run(for: .seconds(20))
        #expect(pair.right.outcomes.allSatisfy { $0 == .refused(.inactive) } && !pair.right.outcomes.isEmpty)
    }
}
