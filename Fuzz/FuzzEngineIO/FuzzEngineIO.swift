import Core

@testable import WebServer

/// What an Engine.IO client does: payloads, frames, transports in any order, slowly or at once, while the server talks.
///
/// A byte a step says what happens; a text is what follows up to 0xFF.
@c(LLVMFuzzerTestOneInput)
package func fuzzEngineIO(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    checkPayload(input)
    var steps = Steps(input)
    var client = Client(beginsWithWebSocket: steps.next() & 1 == 1)
    while let step = steps.nextStep() { client.take(step, &steps) }
    return 0
}

/// What is read is written to something that reads the same, whether it was spooled or not.
private func checkPayload(_ body: [UInt8]) {
    let packets = EngineIOPayload.packets(in: body)
    if let packets {
        precondition(!packets.isEmpty, "a payload without packets")
        precondition(EngineIOPayload.packets(in: EngineIOPayload.body(of: packets)) == packets, "a payload changed")
        for packet in packets {
            guard let text = packet.text else { continue }
            precondition(EngineIOPacket(text) == packet && packet.byteCount == text.utf8.count)
        }
    }
    guard var file = SpoolFile(directory: "/tmp", budget: budget), body.withUnsafeBytes({ file.append($0) }),
        let spooled = file.finish()
    else { preconditionFailure("no spool file, or the budget is not given back") }
    precondition(EngineIOPayload.packets(in: spooled) == packets, "a spooled payload reads otherwise")
}

private let budget = SpoolBudget(limit: 1 << 20)

private struct Steps {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    mutating func next() -> UInt8 { bytes.popFirst() ?? 0 }
    mutating func nextStep() -> UInt8? { bytes.popFirst() }
    mutating func text() -> [UInt8] {
        let text = bytes.prefix { $0 != 0xFF }
        bytes = bytes.dropFirst(text.count + 1)
        return Array(text)
    }
}

private struct Client {
    private let configuration: EngineIOConfiguration
    private var session: EngineIOSession
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var isClosed = false
    /// GETs that were sent and not answered.
    private var polls: Set<UInt64> = []
    private var lastPoll: UInt64 = 0
    private var givenUp: UInt64 = 0
    private var lastWebSocket: UInt64 = 1
    private var closedWebSockets: Set<UInt64> = []

    init(beginsWithWebSocket: Bool) {
        var configuration = EngineIOConfiguration()
        configuration.pingInterval = .milliseconds(300)
        configuration.pingTimeout = .milliseconds(200)
        configuration.upgradeTimeout = .milliseconds(500)
        configuration.maximumQueuedBytes = 256
        configuration.maximumDroppablePackets = 4
        configuration.maximumDroppableBytes = 64
        self.configuration = configuration
        session = EngineIOSession(configuration, webSocket: beginsWithWebSocket ? 1 : nil, now: now)
    }

    mutating func take(_ step: UInt8, _ steps: inout Steps) {
        // The last one or one before it.
        let webSocket = lastWebSocket &- UInt64(step >> 4 & 3)
        switch step & 15 {
        case 0, 1:
            lastPoll += 1
            polls.insert(lastPoll)
            handle(.pollReceived(lastPoll))
        case 2:
            givenUp = lastPoll &- UInt64(step >> 4 & 3)
            polls.remove(givenUp)
            handle(.pollAborted(givenUp))
        case 3, 4: handle(.payloadReceived(EngineIOPayload.packets(in: steps.text())))
        case 5:
            lastWebSocket += 1
            handle(.webSocketOpened(lastWebSocket))
        case 6, 7:
            handle(
                .packetReceived(
                    webSocket, String(validating: steps.text(), as: UTF8.self).flatMap { EngineIOPacket($0) }))
        case 8: handle(.packetReceived(webSocket, .binary(steps.text())))
        case 9: handle(.webSocketClosed(webSocket))
        case 10: handle(.send(.message(String(decoding: steps.text(), as: UTF8.self)), isDroppable: step & 16 != 0))
        case 11: handle(.sendTogether([.message("5"), .binary(steps.text())]))
        case 12: handle(.webSocketDrained(webSocket))
        case 13:
            now += .milliseconds(Int(steps.next()) * 4)
            handle(.timeout)
        case 14: session.pieceReceived = step & 16 == 0 ? nil : now
        default: if step == 0xFF { handle(.close(.forcedClose)) } else { now += .milliseconds(Int(step)) }
        }
    }

    private mutating func handle(_ input: EngineIOSession.Input) {
        for output in session.handle(input, now: now) { check(output) }
        precondition(session.isOpen != isClosed, "closed, and nobody was told")
        precondition(session.queuedBytes <= configuration.maximumQueuedBytes + configuration.maximumDroppableBytes)
        guard let deadline = session.deadline else {
            return precondition(isClosed && polls.isEmpty, "a GET hangs for ever")
        }
        precondition(deadline > now, "a timer that is due was left")
        precondition(session.isPolling || polls.isEmpty, "a GET hangs while its session is on a WebSocket")
        precondition(polls.count <= 1, "two GETs at a time")
    }

    private mutating func check(_ output: EngineIOSession.Output) {
        switch output {
        case .answerPoll(let id, let packets):
            precondition(!isClosed && !packets.isEmpty)
            precondition(polls.remove(id) != nil || id == givenUp, "a GET is answered twice")
        case .refusePoll(let id): precondition(polls.remove(id) != nil, "a GET is refused twice")
        case .acceptPayload, .refusePayload: break
        case .sendOnWebSocket(let id, let packet):
            precondition(!isClosed && !closedWebSockets.contains(id), "something is said after the end")
            precondition(!session.isPolling || packet == .pong("probe"), "a WebSocket is used before its time")
        case .closeWebSocket(let id): precondition(closedWebSockets.insert(id).inserted, "a WebSocket is closed twice")
        case .deliver(let packet):
            precondition(!isClosed, "something is received after the end")
            switch packet {
            case .message, .binary: break
            default: preconditionFailure("an application gets what is none of its business")
            }
        case .closed:
            precondition(!isClosed, "two ends")
            isClosed = true
        }
    }
}
