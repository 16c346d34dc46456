internal import Core
internal import Synchronization

/// One connection of a client's, with the namespaces that it is in.
///
/// Its messages come one after another; what sends may come from anywhere.
final class SocketIOClient: Sendable {
    /// In a namespace.
    private struct Membership {
        let socket: SocketIOSocket
        /// Nil until it is made.
        var receiver: SocketIOReceiver?
    }

    /// A packet whose attachments are still on their way.
    private struct Pending {
        let packet: SocketIOPacket
        let lifted: [SpooledSlice]
        var attachments: [SocketIOAttachment] = []
    }

    private struct State {
        var memberships: [String: Membership] = [:]
        var pending: Pending?
        var hasConnected = false
        var connectTimer: Task<Void, Never>?
    }

    private let connection: EngineIOConnection
    private let configuration: SocketIOServer.Configuration
    private let namespaces: [String: SocketIOServer.Namespace]
    private let metrics: SocketIOMetrics
    private let state = Mutex(State())

    init(
        _ connection: EngineIOConnection, _ configuration: SocketIOServer.Configuration,
        _ namespaces: [String: SocketIOServer.Namespace], _ metrics: SocketIOMetrics
    ) {
        self.connection = connection
        self.configuration = configuration
        self.namespaces = namespaces
        self.metrics = metrics
    }

    /// Whoever is in no namespace after a while is not here to talk.
    func awaitConnect() {
        let timer = Task { [weak self, timeout = configuration.connectTimeout] in
            try? await Task.sleep(for: timeout)
            guard !Task.isCancelled, let self, !state.withLock({ $0.hasConnected }) else { return }
            metrics.refused(.connectTimeout)
            connection.close()
        }
        state.withLock { $0.connectTimer = timer }
    }

    func connectionClosed(_ reason: String) {
        let memberships = state.withLock { state in
            state.connectTimer?.cancel()
            defer { state.memberships = [:] }
            return Array(state.memberships.values)
        }
        for membership in memberships { finish(membership, reason) }
    }

    // MARK: Receiving

    func receive(_ message: EngineIOMessage) {
        do throws(SocketIOParseError) {
            switch message {
            case .text(let text): try receive(Array(text.utf8))
            case .largeText(let slice): try receive(slice)
            case .binary(let bytes): try attach(.bytes(bytes))
            case .largeBinary(let slice, let isBase64): try attach(.large(slice, isBase64: isBase64))
            }
        } catch {
            metrics.malformed(error)
            connection.close(.parseError)
        }
    }

    private func receive(_ bytes: [UInt8], lifted: [SpooledSlice] = []) throws(SocketIOParseError) {
        // Text while attachments are due.
        guard state.withLock({ $0.pending == nil }) else { throw .wrongData }
        let packet = try SocketIOPacket(
            parsing: bytes, maximumAttachments: configuration.maximumAttachments, lifted: lifted.count)
        // CONNECT comes first: nobody else's attachments are collected.
        guard packet.isConnect || state.withLock({ $0.hasConnected }) else { throw .wrongData }
        if packet.attachmentCount > 0 {
            state.withLock { $0.pending = Pending(packet: packet, lifted: lifted) }
        } else {
            take(packet, lifted.map { .text($0) })
        }
    }

    private func receive(_ slice: SpooledSlice) throws(SocketIOParseError) {
        // The head stands before the first string; placeholders are numbered behind its attachments.
        var head = SocketIOPacketHead(
            slice.bytes[slice.range.lowerBound..<min(slice.range.lowerBound + 512, slice.range.upperBound)])
        try head.read(maximumAttachments: configuration.maximumAttachments)
        guard let texts = LongTexts(slice, firstNumber: head.attachmentCount) else { throw .malformedJSON }
        try receive(texts.rest, lifted: texts.texts)
    }

    private func attach(_ attachment: SocketIOAttachment) throws(SocketIOParseError) {
        let whole: Pending? = try state.withLock { state throws(SocketIOParseError) in
            // Binary that nobody announced.
            guard state.pending != nil else { throw .wrongData }
            state.pending?.attachments.append(attachment)
            guard let pending = state.pending, pending.attachments.count == pending.packet.attachmentCount else {
                return nil
            }
            state.pending = nil
            return pending
        }
        guard let whole else { return }
        take(whole.packet, whole.attachments + whole.lifted.map { .text($0) })
    }

    private func take(_ packet: SocketIOPacket, _ attachments: [SocketIOAttachment]) {
        if case .connect(let auth) = packet.kind { return connect(to: packet.namespace, auth) }
        guard let membership = state.withLock({ $0.memberships[packet.namespace] }) else {
            return  // One that has just left may have more on its way.
        }
        switch packet.kind {
        case .connect, .connectError: break
        case .disconnect: leave(packet.namespace, "client namespace disconnect")
        case .acknowledgement: break  // Nothing of ours asks for one.
        case .event(let name, let arguments):
            let event = SocketIOEvent(
                name: name, arguments: arguments, attachments: attachments,
                answer: packet.id.map { answer(to: $0, on: membership.socket) })
            if membership.receiver?.received(event) == false {
                metrics.refused(.flood)
                connection.close(.flood)
            }
        }
    }

    private func answer(
        to id: UInt64, on socket: SocketIOSocket
    ) -> @Sendable ([JSONValue], [[UInt8]]) -> Void {
        let isAnswered = Once()
        return { arguments, attachments in
            // Who left and came back may use the same ids again.
            guard isAnswered.first(), socket.isConnected else { return }
            socket.send(
                SocketIOPacket(
                    .acknowledgement(arguments), namespace: socket.handshake.namespace, id: id,
                    attachmentCount: attachments.count), attachments)
        }
    }

    // MARK: Namespaces

    private func connect(to name: String, _ auth: JSONValue) {
        // `/name?query` is a namespace with a query that we do not use.
        let path = String(name.prefix { $0 != "?" })
        guard let namespace = namespaces[path] else {
            return refuse(name, ["message": "Invalid namespace"], .namespace)
        }
        let refusal: String? = state.withLock { state in
            if state.memberships[name] != nil { return "Already connected" }
            return state.memberships.count < configuration.maximumNamespaces ? nil : "Too many namespaces"
        }
        if let refusal { return refuse(name, ["message": .string(refusal)], .namespace) }
        let handshake = SocketIOHandshake(
            namespace: name, auth: auth, headers: connection.handshake.headers, query: connection.handshake.query,
            remoteAddress: connection.handshake.remoteAddress)
        let socket = SocketIOSocket(
            id: Base64.encode(RandomSource.system.bytes(15), urlSafe: true), handshake: handshake,
            connection: connection
        ) { [weak self] socket, closesConnection in
            self?.remove(socket)
            if closesConnection { self?.connection.close() }
        }
        switch namespace.admit(handshake, socket) {
        case .refuse(let reason, let before):
            for emission in before {
                socket.send(
                    SocketIOPacket(.event(name: emission.event, arguments: emission.arguments), namespace: name))
            }
            _ = socket.finish("refused")
            refuse(name, reason, .admission)
        case .accept:
            enter(socket, namespace)
        }
    }

    private func refuse(_ namespace: String, _ reason: JSONValue, _ kind: SocketIOMetrics.Refusal) {
        metrics.refused(kind)
        connection.send(text: SocketIOPacket(.connectError(reason), namespace: namespace).text)
    }

    private func enter(_ socket: SocketIOSocket, _ namespace: SocketIOServer.Namespace) {
        let name = socket.handshake.namespace
        state.withLock { state in
            state.hasConnected = true
            state.connectTimer?.cancel()
            state.memberships[name] = Membership(socket: socket)
        }
        metrics.entered()
        connection.sendAlone(
            text: SocketIOPacket(.connect(auth: ["sid": .string(socket.id)]), namespace: name).text)
        socket.enter()
        let receiver = namespace.open(socket)
        let hasEnded = state.withLock { state in
            guard state.memberships[name]?.socket === socket else { return true }
            state.memberships[name]?.receiver = receiver
            return false
        }
        if hasEnded { receiver.closed() }
        // The connection may have ended while it was admitted, and nobody would tell this socket any more.
        if !connection.isOpen { leave(name, "transport close") }
    }

    private func leave(_ namespace: String, _ reason: String) {
        guard let membership = state.withLock({ $0.memberships.removeValue(forKey: namespace) }) else { return }
        finish(membership, reason)
    }

    /// Takes the server's leave of a client. One that left by itself may be back, with another socket, which stays.
    private func remove(_ socket: SocketIOSocket) {
        let name = socket.handshake.namespace
        let membership: Membership? = state.withLock { state in
            guard state.memberships[name]?.socket === socket else { return nil }
            return state.memberships.removeValue(forKey: name)
        }
        guard let membership else { return }
        socket.send(SocketIOPacket(.disconnect, namespace: name))
        finish(membership, "server namespace disconnect")
    }

    private func finish(_ membership: Membership, _ reason: String) {
        guard membership.socket.finish(reason) else { return }
        metrics.left()
        membership.receiver?.closed()
    }
}

extension SocketIOPacket {
    fileprivate var isConnect: Bool { if case .connect = kind { true } else { false } }
}

/// True once.
private final class Once: Sendable {
    private let isDone = Atomic<Bool>(false)

    func first() -> Bool { !isDone.exchange(true, ordering: .relaxed) }
}
