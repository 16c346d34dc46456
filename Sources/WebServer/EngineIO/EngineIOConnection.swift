package import Core
internal import Synchronization

/// A whole message of a client's.
package enum EngineIOMessage: Sendable, Equatable {
    case text(String)
    case binary([UInt8])
    case largeText(SpooledSlice)
    /// `isBase64`: its bytes are still to be decoded.
    case largeBinary(SpooledSlice, isBase64: Bool)
}

/// The request that a session began with.
package struct EngineIOHandshake: Sendable {
    package var headers: HTTPHeaders
    package var query: [String: String]
    package var remoteAddress: SocketAddress

    init(_ request: HTTPRequest) {
        headers = request.headers
        query = request.query
        remoteAddress = request.remoteAddress
    }

    init(_ webSocket: WebSocketConnection) {
        headers = webSocket.headers
        query = webSocket.query
        remoteAddress = webSocket.remoteAddress
    }
}

/// One client's session, on whatever transport it is at the moment; may be used from any task.
package final class EngineIOConnection: Sendable {
    enum Happening {
        case received(EngineIOMessage)
        case closed(EngineIOSession.CloseReason)

        /// To read it takes longer than the web server's thread may be held up.
        var takesTime: Bool {
            switch self {
            case .received(.largeText), .received(.largeBinary): true
            case .received(.text), .received(.binary), .closed: false
            }
        }
    }

    private struct State {
        var session: EngineIOSession
        var webSockets: [UInt64: WebSocketConnection] = [:]
        var polls: [UInt64: CheckedContinuation<[EngineIOPacket]?, Never>] = [:]
        var lastPoll: UInt64 = 0
        /// Polls to be answered once the lock is let go of.
        var answered: [(poll: CheckedContinuation<[EngineIOPacket]?, Never>, packets: [EngineIOPacket]?)] = []
        var tell: (@Sendable (EngineIOConnection, Happening) -> Void)?
        /// What happened and was not told yet; told by one task at a time, so that the order is kept.
        var happenings: [Happening] = []
        var isTelling = false
        /// When a piece of a POST's body came that is not whole yet.
        var bodyPiece: Instant?
        var isTimed = false
        /// Sleeps until `armed`.
        var timer: Task<Void, Never>?
        var countedDrops = 0
        var armed = Instant.distantFuture

        mutating func answer(_ id: UInt64, with packets: [EngineIOPacket]?) {
            if let poll = polls.removeValue(forKey: id) { answered.append((poll, packets)) }
        }
    }

    package let id: String
    package let handshake: EngineIOHandshake
    let openPacket: EngineIOPacket
    private let state: Mutex<State>

    init(
        id: String, handshake: EngineIOHandshake, configuration: EngineIOConfiguration, webSocket: WebSocketConnection?
    ) {
        self.id = id
        self.handshake = handshake
        openPacket = .open(Self.opening(id, configuration, isPolling: webSocket == nil))
        state = Mutex(
            State(session: EngineIOSession(configuration, webSocket: webSocket?.id, now: SystemClock.now())))
        if let webSocket {
            adopt(webSocket)
            openPacket.text.map { _ = webSocket.send(text: $0) }
        }
    }

    /// Exactly these members, times in milliseconds.
    private static func opening(_ id: String, _ configuration: EngineIOConfiguration, isPolling: Bool) -> String {
        let upgrades: [JSONValue] = isPolling && configuration.transports.contains(.websocket) ? ["websocket"] : []
        let body: JSONValue = [
            "sid": .string(id), "upgrades": .array(upgrades),
            "pingInterval": .integer(configuration.pingInterval.nanoseconds / 1_000_000),
            "pingTimeout": .integer(configuration.pingTimeout.nanoseconds / 1_000_000),
            "maxPayload": JSONValue(configuration.maximumPayloadBytes),
        ]
        return body.text
    }

    // MARK: For applications

    /// False where the session is over.
    @discardableResult
    package func send(text: String, isDroppable: Bool = false) -> Bool {
        handle(.send(.message(text), isDroppable: isDroppable))
    }

    /// On a WebSocket nothing follows the text at once, whatever is sent.
    @discardableResult
    func sendAlone(text: String) -> Bool { handle(.sendAlone(.message(text))) }

    /// A text and the binary messages that belong to it; nothing comes between them.
    @discardableResult
    func send(text: String, followedBy attachments: [[UInt8]], isDroppable: Bool) -> Bool {
        guard !attachments.isEmpty else { return send(text: text, isDroppable: isDroppable) }
        return handle(.sendTogether([.message(text)] + attachments.map { .binary($0) }))
    }

    @discardableResult
    package func send(binary: [UInt8], isDroppable: Bool = false) -> Bool {
        handle(.send(.binary(binary), isDroppable: isDroppable))
    }

    /// Sends what waits, then ends the session.
    package func close() { close(.forcedClose) }

    package var isOpen: Bool { state.withLock { $0.session.isOpen } }
    package var isPolling: Bool { state.withLock { $0.session.isPolling } }
    /// Droppable packets that were left out.
    package var droppedCount: Int { state.withLock { $0.session.droppedCount } }
    /// Those since the last time that this was asked.
    package func countDrops() -> Int {
        state.withLock { state in
            defer { state.countedDrops = state.session.droppedCount }
            return state.session.droppedCount - state.countedDrops
        }
    }
    package var queuedBytes: Int { state.withLock { $0.session.queuedBytes } }

    // MARK: For the server

    /// What `tell` is told of comes in order, from whatever task caused it. It may call this connection.
    func attach(_ tell: @escaping @Sendable (EngineIOConnection, Happening) -> Void) {
        state.withLock { $0.tell = tell }
    }

    /// Looks after the deadlines from now on.
    func startTimer() {
        state.withLock { state in
            state.isTimed = true
            arm(&state)
        }
    }

    /// A deadline that has come nearer gets a new timer; one that has moved away is looked at when the timer ends.
    private func arm(_ state: inout State) {
        guard state.isTimed, let deadline = state.session.deadline, deadline < state.armed else { return }
        state.armed = deadline
        state.timer?.cancel()
        state.timer = Task { [weak self] in
            try? await Task.sleep(for: max(.zero, deadline - SystemClock.now()))
            if !Task.isCancelled { self?.timerEnded() }
        }
    }

    private func timerEnded() {
        state.withLock { $0.armed = .distantFuture }
        handle(.timeout)
    }

    func close(_ reason: EngineIOSession.CloseReason) {
        handle(.close(reason))
    }

    /// The next packets; nil where the request is to be refused. An abandoned request ends the session.
    func poll() async -> [EngineIOPacket]? {
        let id = state.withLock { state in
            state.lastPoll += 1
            return state.lastPoll
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.polls[id] = continuation }
                handle(.pollReceived(id))
                // Where the cancellation came before the request was known it found nothing.
                if Task.isCancelled { abandon(id) }
            }
        } onCancel: {
            // In a task of its own: here the runtime holds its lock on the task that polls, and whoever answers a poll wants it.
            Task { abandon(id) }
        }
    }

    private func abandon(_ id: UInt64) {
        handle(.pollAborted(id))
        let left = state.withLock { $0.polls.removeValue(forKey: id) }
        left?.resume(returning: nil)
    }

    /// Part of a POST's body has come.
    func didReceiveBodyPiece() {
        state.withLock { $0.bodyPiece = SystemClock.now() }
    }

    /// False where the body is to be refused.
    func receive(_ packets: [EngineIOPacket]?) -> Bool {
        var isAccepted = false
        state.withLock { $0.bodyPiece = nil }
        handle(.payloadReceived(packets), mayTakeTime: true) { output in
            if output == .acceptPayload { isAccepted = true }
        }
        return isAccepted
    }

    func tryUpgrade(to webSocket: WebSocketConnection) {
        adopt(webSocket)
        handle(.webSocketOpened(webSocket.id))
    }

    func receive(_ message: WebSocketMessage, on webSocket: WebSocketConnection) {
        handle(.packetReceived(webSocket.id, EngineIOPacket(message)))
    }

    func webSocketClosed(_ webSocket: WebSocketConnection) {
        handle(.webSocketClosed(webSocket.id))
        _ = state.withLock { $0.webSockets.removeValue(forKey: webSocket.id) }
    }

    private func adopt(_ webSocket: WebSocketConnection) {
        webSocket.whenDrained { [weak self, id = webSocket.id] in self?.handle(.webSocketDrained(id)) }
        state.withLock { $0.webSockets[webSocket.id] = webSocket }
    }

    // MARK: The core

    @discardableResult
    private func handle(
        _ input: EngineIOSession.Input, mayTakeTime: Bool = false, see: (EngineIOSession.Output) -> Void = { _ in }
    ) -> Bool {
        let (isOpen, tells, answered) = state.withLock { state in
            defer { state.answered = [] }
            // Sent under the lock, so that packets keep their order; it waits for nothing.
            state.session.pieceReceived =
                state.webSockets.values.lazy.compactMap(\.pieceReceived).first ?? state.bodyPiece
            for output in state.session.handle(input, now: SystemClock.now()) {
                see(output)
                perform(output, &state)
            }
            arm(&state)
            guard !state.happenings.isEmpty, !state.isTelling, state.tell != nil else {
                return (state.session.isOpen, false, state.answered)
            }
            state.isTelling = true
            return (state.session.isOpen, true, state.answered)
        }
        for (poll, packets) in answered { poll.resume(returning: packets) }
        if tells { tellAll(mayTakeTime: mayTakeTime) }
        return isOpen
    }

    private func perform(_ output: EngineIOSession.Output, _ state: inout State) {
        switch output {
        case .answerPoll(let id, let packets): state.answer(id, with: packets)
        case .refusePoll(let id): state.answer(id, with: nil)
        case .acceptPayload, .refusePayload: break
        case .sendOnWebSocket(let id, let packet):
            guard let webSocket = state.webSockets[id] else { return }
            if case .binary(let bytes) = packet {
                webSocket.send(binary: bytes)
            } else if let text = packet.text {
                webSocket.send(text: text)
            }
        case .closeWebSocket(let id): state.webSockets[id]?.close()
        case .deliver(let packet):
            if let message = EngineIOMessage(packet) { state.happenings.append(.received(message)) }
        case .closed(let reason):
            state.happenings.append(.closed(reason))
            state.timer?.cancel()
        }
    }

    private func tellAll(mayTakeTime: Bool) {
        while true {
            let (happenings, tell, takesTime) = state.withLock { state in
                let takesTime = !mayTakeTime && state.happenings.contains(where: \.takesTime)
                if state.happenings.isEmpty { state.isTelling = false }
                guard !takesTime else { return ([Happening](), state.tell, true) }
                defer { state.happenings = [] }
                return (state.happenings, state.tell, false)
            }
            if takesTime {
                Task { self.tellAll(mayTakeTime: true) }
                return
            }
            guard !happenings.isEmpty, let tell else { return }
            for happening in happenings { tell(self, happening) }
        }
    }
}

extension EngineIOMessage {
    fileprivate init?(_ packet: EngineIOPacket) {
        switch packet {
        case .message(let text): self = .text(text)
        case .binary(let bytes): self = .binary(bytes)
        case .largeMessage(let slice): self = .largeText(slice)
        case .largeBinary(let slice, let isBase64): self = .largeBinary(slice, isBase64: isBase64)
        case .open, .close, .ping, .pong, .upgrade, .noop: return nil
        }
    }
}
