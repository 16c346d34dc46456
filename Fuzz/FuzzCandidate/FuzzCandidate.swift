import Core
import TURNClient

/// The same bytes as a candidate line, as a datagram at the demultiplexer, and as commands to an agent.
@c(LLVMFuzzerTestOneInput)
package func fuzzCandidate(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    checkLine(String(decoding: input, as: UTF8.self))
    if let fragment = ICEUsername.localFragment(of: input.span) {
        precondition(ICEUsername.isFragment(fragment), "a fragment that is none")
    }
    driveAgent(input)
    return 0
}

/// What is read must be written and read back to the same candidate.
private func checkLine(_ line: String) {
    guard let candidate = try? Candidate(sdp: line) else { return }
    guard let again = try? Candidate(sdp: candidate.sdp) else { preconditionFailure("our own line is refused") }
    precondition(again == candidate, "a candidate changed on its way")
}

/// The first byte of each piece says what happens, the rest is its matter. Signed requests are made here, since no
/// fuzzer guesses an HMAC.
private func driveAgent(_ input: [UInt8]) {
    var agent = ICEAgent(configuration: .init(role: .controlled), random: .seeded(1))
    var now = Instant(nanoseconds: 1_000_000_000)
    let local = LocalCandidateID(0)
    let address = SocketAddress(.v4(0x0500_0001), 1000)
    agent.addLocalCandidate(local, Candidate(type: .host, address: address), now: now)
    var transactions: [STUNTransactionID] = []
    for piece in input.split(separator: 0x0A, maxSplits: 200) {
        guard let command = piece.first else { continue }
        let matter = Array(piece.dropFirst())
        let source = SocketAddress(.v4(0x0600_0000 | UInt32(command)), UInt16(matter.first ?? 1) + 1)
        switch command & 7 {
        case 0: _ = agent.handleSTUN(matter.span, from: source, on: local, now: now)
        case 1:
            if let candidate = try? Candidate(sdp: String(decoding: matter, as: UTF8.self)) {
                _ = agent.addRemoteCandidate(candidate, now: now)
            }
        case 2:
            agent.setRemoteCredentials(
                usernameFragment: String(decoding: matter.prefix(4), as: UTF8.self), password: "0123456789", now: now)
        case 3: agent.restart(now: now)
        case 4, 5:
            let bytes = request(to: agent, matter, isNominating: command & 1 == 1)
            _ = agent.handleSTUN(bytes.span, from: source, on: local, now: now)
        case 6:
            guard let id = transactions.last else { continue }
            let bytes = response(to: id, matter)
            _ = agent.handleSTUN(bytes.span, from: source, on: local, now: now)
        default:
            now += .milliseconds(50 * Int64(matter.first ?? 1))
            if let deadline = agent.deadline, deadline <= now { agent.handleTimeout(now: now) }
        }
        while let transmit = agent.pollTransmit() {
            if let message = try? STUNMessage(transmit.bytes.span), message.messageClass == .request {
                transactions.append(message.transactionID)
            }
        }
        while agent.pollEvent() != nil {}
    }
}

private func request(to agent: ICEAgent, _ matter: [UInt8], isNominating: Bool) -> [UInt8] {
    var attributes: [STUNAttribute] = [
        .username("\(agent.localUsernameFragment):\(String(decoding: matter, as: UTF8.self))"),
        matter.first.map { $0 & 1 == 0 } ?? true
            ? .iceControlling(UInt64(matter.count) << 56) : .iceControlled(UInt64(matter.count) << 56),
        .priority(UInt32(matter.last ?? 0) << 24),
    ]
    if isNominating { attributes.append(.useCandidate) }
    return STUNMessage.request(.binding, transactionID: STUNTransactionID(random: .seeded(2)), attributes: attributes)
        .encoded(key: Array(agent.localPassword.utf8), fingerprint: true)
}

private func response(to id: STUNTransactionID, _ matter: [UInt8]) -> [UInt8] {
    let code = 300 + Int(matter.first ?? 0)
    let message =
        code < 400
        ? STUNMessage(.successResponse, .binding, transactionID: id)
        : STUNMessage(
            .errorResponse, .binding, transactionID: id, attributes: [.errorCode(code: code, reason: "")])
    return message.encoded(key: Array("0123456789".utf8), fingerprint: true)
}
