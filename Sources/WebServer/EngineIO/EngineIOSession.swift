internal import Core

/// One client of an Engine.IO server: its transport, its heartbeat, its upgrade, and what waits for it.
///
/// Does no I/O. Feed it with ``handle(_:now:)``, act on every output in order, and feed `.timeout` once ``deadline`` has passed.
/// - SeeAlso: [Engine.IO protocol](https://socket.io/docs/v4/engine-io-protocol/)
struct EngineIOSession {
    enum Input {
        /// A GET waits for packets.
        case pollReceived(UInt64)
        case pollAborted(UInt64)
        /// The body of a POST; nil where it is no payload.
        case payloadReceived([EngineIOPacket]?)
        /// A WebSocket with this session's id has opened.
        case webSocketOpened(UInt64)
        /// Nil: a frame that is no packet.
        case packetReceived(UInt64, EngineIOPacket?)
        case webSocketClosed(UInt64)
        case send(EngineIOPacket, isDroppable: Bool)
        /// On a WebSocket nothing follows this packet at once.
        case sendAlone(EngineIOPacket)
        /// With nothing between them.
        case sendTogether([EngineIOPacket])
        /// The WebSocket has nothing left to send.
        case webSocketDrained(UInt64)
        case close(CloseReason)
        case timeout
    }

    enum Output: Equatable {
        case answerPoll(UInt64, [EngineIOPacket])
        /// 400: a bad request.
        case refusePoll(UInt64)
        case acceptPayload
        case refusePayload
        case sendOnWebSocket(UInt64, EngineIOPacket)
        case closeWebSocket(UInt64)
        case deliver(EngineIOPacket)
        /// The last one.
        case closed(CloseReason)
    }

    /// Why a session ended, in the words of the field.
    enum CloseReason: String, Equatable, Sendable, CaseIterable {
        case pingTimeout = "ping timeout"
        case transportClose = "transport close"
        case transportError = "transport error"
        case parseError = "parse error"
        case clientClose = "client close"
        case forcedClose = "forced close"
        case overload = "client too slow"
        case flood = "client too fast"
        case shutdown = "server shutting down"
    }

    private enum Transport: Equatable {
        case polling(waiting: Poll?)
        case webSocket(UInt64)
        case closed
    }

    private struct Poll: Equatable {
        let id: UInt64
        let since: Instant
        /// When it is told to end, where the client is about to change to a WebSocket.
        var end: Instant?
    }

    /// A WebSocket that is tried while polling goes on.
    private struct Probe {
        let id: UInt64
        let deadline: Instant
        /// `3probe` is sent: until `5` nothing else goes over either transport.
        var isAnswered = false
    }

    private enum Heartbeat {
        case pingDue(Instant)
        case pongDue(Instant)
    }

    /// What may lie in a WebSocket's own queue; the rest waits here, where it can still be dropped.
    static let webSocketRoom = 256 << 10

    /// How long what follows a packet sent alone waits. Clients that attach their handlers only once they have read that packet miss what
    /// comes in the same segment.
    static let pause: Duration = .milliseconds(20)
    /// How long requests on two connections may overtake each other. A GET that came with a client's upgrade is told to end only then: `5` may
    /// be on its way, and after it such a GET is a mistake.
    static let overtaking: Duration = .milliseconds(100)

    private let configuration: EngineIOConfiguration
    private var transport: Transport
    private var probe: Probe?
    private var heartbeat: Heartbeat
    private var queue: EngineIOQueue
    private var room = webSocketRoom
    private var pausedUntil: Instant?
    /// The client has said goodbye by POST while no GET of its waited: one that comes by then is answered as if it had.
    private var leaves: Instant?
    /// When a piece of a message came that is not whole yet; set by the driver. Its sender cannot answer a ping in between.
    var pieceReceived: Instant?

    /// - Parameter webSocket: the WebSocket that it begins with; nil: it begins with polling.
    init(_ configuration: EngineIOConfiguration, webSocket: UInt64?, now: Instant) {
        self.configuration = configuration
        transport = webSocket.map { .webSocket($0) } ?? .polling(waiting: nil)
        heartbeat = .pingDue(now + configuration.pingInterval)
        queue = EngineIOQueue(configuration)
    }

    var isOpen: Bool { transport != .closed }
    var isPolling: Bool { if case .polling = transport { true } else { false } }
    var droppedCount: Int { queue.droppedCount }
    var queuedBytes: Int { queue.bytes }

    var deadline: Instant? {
        guard isOpen else { return nil }
        let beat =
            switch heartbeat {
            case .pingDue(let instant), .pongDue(let instant): instant
            }
        var others = [leaves, probe?.deadline, queue.count > 0 ? pausedUntil : nil]
        if case .polling(let poll?) = transport { others.append(poll.end) }
        return others.compactMap(\.self).reduce(beat, min)
    }

    mutating func handle(_ input: Input, now: Instant) -> [Output] {
        var outputs: [Output] = []
        if let end = pausedUntil, now >= end {
            pausedUntil = nil
            flush(&outputs)
        }
        // What is due is due before what comes now, however late its timer is.
        if let deadline, now >= deadline { timeout(now, &outputs) }
        guard isOpen else { return outputs + Self.refused(input) }
        switch input {
        case .pollReceived(let id): poll(id, now, &outputs)
        case .pollAborted(let id):
            if case .polling(let poll?) = transport, poll.id == id {
                transport = .polling(waiting: nil)
                close(.transportClose, &outputs)
            }
        case .payloadReceived(let packets): receive(packets, now, &outputs)
        case .webSocketOpened(let id): open(id, now, &outputs)
        case .packetReceived(let id, let packet): receive(packet, on: id, now, &outputs)
        case .webSocketClosed(let id):
            if transport == .webSocket(id) { close(.transportClose, &outputs) }
            if probe?.id == id {
                probe = nil
                flush(&outputs)
            }
        case .send(let packet, let isDroppable):
            guard queue.append(packet, isDroppable: isDroppable) else {
                close(.overload, &outputs)
                break
            }
            flush(&outputs)
        case .sendAlone(let packet):
            guard queue.append(packet, isDroppable: false) else {
                close(.overload, &outputs)
                break
            }
            flush(&outputs)
            if case .webSocket = transport { pausedUntil = now + Self.pause }
        case .sendTogether(let packets):
            guard packets.allSatisfy({ queue.append($0, isDroppable: false) }) else {
                close(.overload, &outputs)
                break
            }
            flush(&outputs)
        case .webSocketDrained(let id):
            guard transport == .webSocket(id) else { break }
            room = Self.webSocketRoom
            flush(&outputs)
        case .close(let reason): close(reason, &outputs)
        case .timeout: break
        }
        return outputs
    }

    /// What comes for a session that is over.
    private static func refused(_ input: Input) -> [Output] {
        switch input {
        case .pollReceived(let id): [.refusePoll(id)]
        case .payloadReceived: [.refusePayload]
        case .webSocketOpened(let id): [.closeWebSocket(id)]
        default: []
        }
    }

    // MARK: Polling

    private mutating func poll(_ id: UInt64, _ now: Instant, _ outputs: inout [Output]) {
        guard case .polling(let waiting) = transport else {
            outputs.append(.refusePoll(id))
            return
        }
        guard waiting == nil else {
            // Two at a time: packets could come in any order. The first hears of the end, the second of its mistake.
            close(.transportError, &outputs)
            outputs.append(.refusePoll(id))
            return
        }
        // A client that changes is to stop polling, so its polling has to end.
        let end = probe?.isAnswered == true ? now + Self.overtaking : nil
        transport = .polling(waiting: Poll(id: id, since: now, end: end))
        if leaves != nil { return leave(&outputs) }
        flush(&outputs)
    }

    private mutating func receive(_ packets: [EngineIOPacket]?, _ now: Instant, _ outputs: inout [Output]) {
        guard case .polling(let waiting) = transport, leaves == nil else {
            outputs.append(.refusePayload)
            return
        }
        guard let packets else {
            close(.parseError, &outputs)
            outputs.append(.refusePayload)
            return
        }
        for packet in packets {
            guard isOpen, leaves == nil else { break }
            switch packet {
            case .close: if waiting == nil { leaves = now + Self.overtaking } else { leave(&outputs) }
            case .message, .binary, .largeMessage, .largeBinary: outputs.append(.deliver(packet))
            case .pong: pongReceived(now)
            case .noop: break
            case .open, .ping, .upgrade:
                close(.parseError, &outputs)
                outputs.append(.refusePayload)
                return
            }
        }
        outputs.append(.acceptPayload)
    }

    private mutating func leave(_ outputs: inout [Output]) {
        answerPoll([.noop], &outputs)
        close(.clientClose, &outputs)
    }

    private mutating func answerPoll(_ packets: [EngineIOPacket], _ outputs: inout [Output]) {
        guard case .polling(let poll?) = transport else { return }
        transport = .polling(waiting: nil)
        outputs.append(.answerPoll(poll.id, packets))
    }

    // MARK: WebSockets

    private mutating func open(_ id: UInt64, _ now: Instant, _ outputs: inout [Output]) {
        guard case .polling = transport, probe == nil, leaves == nil else {
            outputs.append(.closeWebSocket(id))
            return
        }
        probe = Probe(id: id, deadline: now + configuration.upgradeTimeout)
    }

    private mutating func receive(
        _ packet: EngineIOPacket?, on id: UInt64, _ now: Instant, _ outputs: inout [Output]
    ) {
        if let probe, probe.id == id { return receive(packet, onProbe: probe, now, &outputs) }
        guard transport == .webSocket(id) else { return }
        switch packet {
        case .message?, .binary?, .largeMessage?, .largeBinary?: if let packet { outputs.append(.deliver(packet)) }
        case .pong?: pongReceived(now)
        case .noop?: break
        case .close?: close(.clientClose, &outputs)
        case .open?, .ping?, .upgrade?, nil: close(.parseError, &outputs)
        }
    }

    private mutating func receive(
        _ packet: EngineIOPacket?, onProbe probe: Probe, _ now: Instant, _ outputs: inout [Output]
    ) {
        switch packet {
        case .ping("probe")? where !probe.isAnswered:
            self.probe?.isAnswered = true
            outputs.append(.sendOnWebSocket(probe.id, .pong("probe")))
            guard case .polling(let poll?) = transport else { break }
            if now - poll.since >= Self.overtaking {
                answerPoll([.noop], &outputs)
            } else {
                // It may have come on its own connection faster than the probe.
                transport = .polling(waiting: Poll(id: poll.id, since: poll.since, end: now + Self.overtaking))
            }
        case .upgrade? where probe.isAnswered:
            if case .polling(let poll?) = transport { outputs.append(.refusePoll(poll.id)) }
            transport = .webSocket(probe.id)
            self.probe = nil
            flush(&outputs)
        default:
            self.probe = nil
            outputs.append(.closeWebSocket(probe.id))
            flush(&outputs)
        }
    }

    // MARK: Sending

    private mutating func flush(_ outputs: inout [Output]) {
        switch transport {
        case .polling(nil), .closed: break
        case .polling:
            guard queue.count > 0, probe?.isAnswered != true else { return }
            var packets: [EngineIOPacket] = []
            while let packet = queue.popFirst() { packets.append(packet) }
            answerPoll(packets, &outputs)
        case .webSocket(let id):
            guard pausedUntil == nil else { return }
            while room > 0, let packet = queue.popFirst() {
                room -= packet.byteCount
                outputs.append(.sendOnWebSocket(id, packet))
            }
        }
    }

    // MARK: Time

    private mutating func pongReceived(_ now: Instant) {
        // One that nobody asked for proves nothing.
        guard case .pongDue = heartbeat else { return }
        heartbeat = .pingDue(now + configuration.pingInterval)
    }

    private mutating func timeout(_ now: Instant, _ outputs: inout [Output]) {
        if let probe, now >= probe.deadline {
            self.probe = nil
            outputs.append(.closeWebSocket(probe.id))
            flush(&outputs)
        }
        if let leaves, now >= leaves { return close(.clientClose, &outputs) }
        if case .polling(let poll?) = transport, let end = poll.end, now >= end { answerPoll([.noop], &outputs) }
        switch heartbeat {
        case .pingDue(let instant) where now >= instant:
            // By the clock and not by the timer's lateness, unless that would leave the client no time.
            heartbeat = .pongDue(max(instant + configuration.pingTimeout, now + configuration.pingTimeout / 2))
            guard queue.append(.ping(""), isDroppable: false) else { return close(.overload, &outputs) }
            flush(&outputs)
        case .pongDue(let instant) where now >= instant:
            if let piece = pieceReceived, piece + configuration.pingTimeout > now {
                heartbeat = .pongDue(piece + configuration.pingTimeout)
            } else {
                close(.pingTimeout, &outputs)
            }
        case .pingDue, .pongDue: break
        }
    }

    // MARK: The end

    private mutating func close(_ reason: CloseReason, _ outputs: inout [Output]) {
        guard isOpen else { return }
        if let probe { outputs.append(.closeWebSocket(probe.id)) }
        switch transport {
        case .polling(let waiting):
            // What was said before the end still reaches a client that listens.
            var last: [EngineIOPacket] = []
            while reason != .parseError, let packet = queue.popFirst() { last.append(packet) }
            if let waiting { outputs.append(.answerPoll(waiting.id, last + [.close])) }
        case .webSocket(let id):
            while room > 0, let packet = queue.popFirst() {
                room -= packet.byteCount
                outputs.append(.sendOnWebSocket(id, packet))
            }
            outputs.append(.closeWebSocket(id))
        case .closed: break
        }
        probe = nil
        transport = .closed
        outputs.append(.closed(reason))
    }
}
