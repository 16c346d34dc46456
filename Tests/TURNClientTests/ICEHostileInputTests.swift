import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE and hostile datagrams")
struct ICEHostileInputTests {
    private let stranger = SocketAddress("66.6.6.6:666")!
    private let socket = LocalCandidateID(0)

    private func connectedPair() -> ICETestPair {
        var pair = ICETestPair()
        pair.addHosts()
        pair.signalAll()
        #expect(pair.run(for: .seconds(5)) { $0.bothCompleted })
        return pair
    }

    private func sent(_ pair: inout ICETestPair) throws -> ICEAgent.Transmit {
        let transmit = pair.right.agent.pollTransmit()
        return try #require(transmit)
    }

    private func parsed(_ transmit: ICEAgent.Transmit) throws -> STUNMessage {
        let bytes = transmit.bytes
        return try STUNMessage(bytes.span)
    }

    private func request(
        _ username: String, key: [UInt8]?, attributes: [STUNAttribute] = [.priority(1), .iceControlling(.max)]
    ) -> [UInt8] {
        STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: .system), attributes: [.username(username)] + attributes
        ).encoded(key: key, fingerprint: true)
    }

    @Test("A stranger gets no byte, whatever it sends")
    func strangers() {
        var pair = connectedPair()
        let local = pair.right.agent.localCredentials
        let wrongKey = Array("abcdefghijklmnopqrstuvwx".utf8)
        let cases: [([UInt8], STUNOutcome)] = [
            (request("\(local.usernameFragment):abcd", key: nil), .refused(.missingCredentials)),
            (request("\(local.usernameFragment):abcd", key: wrongKey), .refused(.wrongIntegrity)),
            (request("other:abcd", key: local.key), .refused(.unknownUsername)),
            (request(local.usernameFragment, key: local.key), .refused(.unknownUsername)),
            ([], .refused(.malformed)),
            ([UInt8](repeating: 0, count: 20), .refused(.malformed)),
            (
                STUNMessage.request(.allocate, transactionID: STUNTransactionID(random: .system)).encoded(),
                .refused(.unexpectedMethod)
            ),
            (
                STUNMessage(.successResponse, .binding, transactionID: STUNTransactionID(random: .system)).encoded(),
                .refused(.unknownTransaction)
            ),
            (
                STUNMessage(.indication, .binding, transactionID: STUNTransactionID(random: .system)).encoded(),
                .indication
            ),
        ]
        for (bytes, outcome) in cases {
            let actual = pair.right.agent.handleSTUN(bytes.span, from: stranger, on: socket, now: pair.now)
            #expect(actual == outcome)
            #expect(pair.right.agent.transmits.isEmpty)
        }
        #expect(pair.right.agent.remoteCandidates.allSatisfy { $0.address != stranger })
    }

    @Test("A fingerprint that does not fit is damage")
    func fingerprint() {
        var pair = connectedPair()
        let local = pair.right.agent.localCredentials
        var bytes = request("\(local.usernameFragment):abcd", key: local.key)
        bytes[bytes.count - 1] ^= 1
        let outcome = pair.right.agent.handleSTUN(bytes.span, from: stranger, on: socket, now: pair.now)
        #expect(outcome == .refused(.wrongFingerprint))
    }

    @Test("A valid check with an unknown attribute that must be understood is answered 420")
    func unknownAttribute() throws {
        var pair = connectedPair()
        let local = pair.right.agent.localCredentials
        let bytes = request(
            "\(local.usernameFragment):abcd", key: local.key,
            attributes: [.priority(1), .unknown(type: 0x7777, value: [1, 2, 3, 4])])
        let outcome = pair.right.agent.handleSTUN(bytes.span, from: stranger, on: socket, now: pair.now)
        #expect(outcome == .refused(.unknownAttribute))
        let answer = try parsed(sent(&pair))
        #expect(answer.errorCode?.code == 420)
        #expect(answer.unknownAttributes == [0x7777])
    }

    @Test("A success response says where the check came from, signed and with a fingerprint")
    func successResponse() throws {
        var pair = connectedPair()
        let local = pair.right.agent.localCredentials
        let bytes = request("\(local.usernameFragment):abcd", key: local.key)
        let outcome = pair.right.agent.handleSTUN(bytes.span, from: stranger, on: socket, now: pair.now)
        #expect(outcome == .authenticatedRequest)
        let transmit = try sent(&pair)
        #expect(transmit.destination == stranger && transmit.local == socket)
        let isSigned = STUNMessage.hasValidIntegrity(transmit.bytes.span, key: local.key)
        let isWhole = STUNMessage.hasValidFingerprint(transmit.bytes.span)
        #expect(isSigned && isWhole)
        let answer = try parsed(transmit)
        #expect(answer.xorMappedAddress == stranger && answer.messageClass == .successResponse)
    }

    @Test("A forged response changes nothing, even with the right transaction")
    func forgedResponses() throws {
        var pair = ICETestPair()
        pair.addHosts()
        pair.right.agent.setRemoteCredentials(
            usernameFragment: pair.left.agent.localUsernameFragment, password: pair.left.agent.localPassword,
            now: pair.now)
        _ = pair.right.agent.addRemoteCandidate(
            Candidate(type: .host, address: SocketAddress(ICETestPair.leftHost, 1000)), now: pair.now)
        let check = try parsed(sent(&pair))
        for forged in [
            STUNMessage.error(to: check, code: 487, reason: "Role Conflict"),
            STUNMessage.error(to: check, code: 400, reason: "Bad Request"),
            STUNMessage.success(to: check, attributes: [.xorMappedAddress(stranger)]),
        ] {
            for key in [nil, Array("wrong".utf8)] {
                let bytes = forged.encoded(key: key)
                let outcome = pair.right.agent.handleSTUN(
                    bytes.span, from: SocketAddress(ICETestPair.leftHost, 1000), on: socket,
                    now: pair.now)
                #expect(outcome == .refused(.wrongIntegrity))
            }
        }
        #expect(pair.right.agent.role == .controlled)
        pair.giveCredentials(to: .left)
        pair.giveCandidates(to: .left)
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
    }

    @Test("A response from another address than the check went to fails the pair")
    func asymmetricPath() throws {
        var pair = ICETestPair()
        pair.addHosts()
        let left = pair.left.agent.localCredentials
        pair.right.agent.setRemoteCredentials(
            usernameFragment: left.usernameFragment, password: left.password, now: pair.now)
        _ = pair.right.agent.addRemoteCandidate(
            Candidate(type: .host, address: SocketAddress(ICETestPair.leftHost, 1000)), now: pair.now)
        let check = try parsed(sent(&pair))
        let response = STUNMessage.success(to: check, attributes: [.xorMappedAddress(stranger)])
            .encoded(key: left.key, fingerprint: true)
        let outcome = pair.right.agent.handleSTUN(response.span, from: stranger, on: socket, now: pair.now)
        #expect(outcome == .authenticatedResponse)
        #expect(pair.right.agent.selectedPair == nil)
        #expect(pair.right.agent.checkList.pairs.map(\.state) == [.failed])
    }

    @Test("Ten thousand damaged checks and responses are survived, and the pair goes on")
    func damage() {
        var pair = connectedPair()
        let random = RandomSource.seeded(99)
        let local = pair.right.agent.localCredentials
        for _ in 0..<10_000 {
            var bytes = request("\(local.usernameFragment):abcd", key: local.key)
            for _ in 0...(random.uint32() % 4) {
                bytes[Int(random.uint32()) % bytes.count] = UInt8(truncatingIfNeeded: random.uint32())
            }
            if random.uint32() % 4 == 0 { bytes.removeLast(Int(random.uint32()) % bytes.count) }
            let outcome = pair.right.agent.handleSTUN(bytes.span, from: stranger, on: socket, now: pair.now)
            if outcome != .authenticatedRequest { #expect(pair.right.agent.transmits.isEmpty) }
            while pair.right.agent.pollTransmit() != nil {}
        }
        pair.run(for: .seconds(60))
        #expect(pair.right.agent.selectedPair?.remote == SocketAddress(ICETestPair.leftHost, 1000))
    }
}
