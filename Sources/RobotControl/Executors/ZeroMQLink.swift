internal import Core
internal import Networking
internal import Synchronization

/// A worker that speaks over ZeroMQ: three peers of one ROUTER, so that neither pushes nor long answers hold up a heartbeat.
///
/// Orders are sent by whoever gives them; messages are read on a thread of the link's own.
final class ZeroMQLink: WorkerLink {
    private struct State {
        var ending: ChildProcess.Ending?
        /// Calls for a peer that was not connected yet.
        var waiting: [[UInt8]] = []
        var waitsSince: Instant?
    }

    let endpoint: String
    private let codec: WorkerMessageCodec
    private let router: ZeroMQEndpoint
    private let wakeUp: WakeUp
    private let pushesPerSecond: Int
    private let deliver: @Sendable (WorkerEvent) -> Void
    private let process = Mutex<ChildProcess?>(nil)
    private let state = Mutex(State())

    private static let calls = Array("calls".utf8)
    private static let control = Array("control".utf8)
    /// Read before the lock that sending takes, too, is let go.
    private static let messagesPerTurn = 64
    /// How long a worker may take to connect its second socket after its first.
    private static let connectTime: Duration = .seconds(5)
    /// What a worker said last is still on its way when its process has ended.
    private static let farewellTime: Duration = .milliseconds(30)
    private static let farewellMessages = 10_000

    init(
        directory: String, codec: WorkerMessageCodec, pushesPerSecond: Int,
        deliver: @escaping @Sendable (WorkerEvent) -> Void
    ) throws {
        var limits = ZeroMQSocket.Limits()
        limits.partBytes = WorkerMessageCodec.maximumBytes
        // Each may be large.
        limits.waitingToBeReceived = 16
        limits.parts = 2
        wakeUp = try WakeUp()
        router = try ZeroMQEndpoint(.router, address: "ipc://\(directory)/worker", limits: limits, wakeUp: wakeUp)
        endpoint = router.address
        self.codec = codec
        self.pushesPerSecond = pushesPerSecond
        self.deliver = deliver
    }

    func start(_ command: [String], _ environment: [String: String], _ settings: ChildProcess.Settings) throws {
        // A failed start ends the child, whose end lets go of this.
        let child = try ChildProcess(command: command, environment: environment, settings: settings) { [self] event in
            if case .ended(let ending) = event {
                state.withLock { $0.ending = ending }
                wakeUp.signal()
            } else {
                WorkerEvent(event).map(deliver)
            }
        }
        process.withLock { $0 = child }
        do {
            try NamedThread.start("worker") { self.run() }
        } catch {
            child.kill()
            process.withLock { $0 = nil }
            throw error
        }
    }

    var processIdentifier: Int32 { process.withLock { $0?.identifier } ?? 0 }
    var confinement: Confinement { process.withLock { $0?.confinement } ?? Confinement() }

    func end(grace: Duration) { process.withLock { $0 }?.end(grace: grace) }
    func kill() { process.withLock { $0 }?.kill() }

    // MARK: Sending

    func send(_ order: WorkerOrder) -> WorkerDelivery {
        let bytes = codec.write(order)
        guard bytes.count <= WorkerMessageCodec.maximumBytes else { return .tooLarge }
        guard case .call = order else { return router.send([Self.control, bytes]) ? .sent : .refused }
        return state.withLock { state in
            guard state.ending == nil else { return .refused }
            if state.waiting.isEmpty, router.send([Self.calls, bytes]) { return .sent }
            state.waiting.append(bytes)
            state.waitsSince = state.waitsSince ?? SystemClock.now()
            wakeUp.signal()
            return .sent
        }
    }

    /// Sends what waited for its peer; nil where nothing does, else since when.
    private func sendWaiting() -> Instant? {
        state.withLock { state in
            while let first = state.waiting.first, router.send([Self.calls, first]) { state.waiting.removeFirst() }
            if state.waiting.isEmpty { state.waitsSince = nil }
            return state.waitsSince
        }
    }

    // MARK: Receiving

    private func run() {
        var gate = WorkerGate(pushesPerSecond: pushesPerSecond)
        var isQuiet = false
        var last = 0
        while true {
            let ending = state.withLock { $0.ending }
            let waitsSince = ending == nil ? sendWaiting() : nil
            if let waitsSince, SystemClock.now() - waitsSince > Self.connectTime { kill() }
            if isQuiet { router.wait(ending != nil ? Self.farewellTime : waitsSince == nil ? nil : .milliseconds(2)) }
            let messages = router.receive(most: Self.messagesPerTurn)
            if ending != nil { last += messages.count }
            if let ending, isQuiet && messages.isEmpty || last > Self.farewellMessages {
                if let event = gate.takeLeftOut() { deliver(event) }
                router.close()
                // It holds us by the way of its lines.
                process.withLock { $0 = nil }
                return deliver(.ended(ending))
            }
            isQuiet = messages.isEmpty
            take(messages, &gate)
        }
    }

    /// Pushes come last of a turn, so that they hold up nothing else.
    private func take(_ messages: [[ZeroMQFrame]], _ gate: inout WorkerGate) {
        let now = SystemClock.now()
        var pushes: [ZeroMQFrame] = []
        for message in messages {
            guard message.count == 2, let channel = Self.channel(message[0]) else {
                deliver(.rubbish(reason: "a message of an unknown peer, or of too many parts"))
                continue
            }
            guard channel != .events else {
                if gate.takesPush(at: now) { pushes.append(message[1]) }
                continue
            }
            deliver(gate.admit(unsafe message[1].withBytes { unsafe codec.read($0, on: channel) }))
        }
        for push in pushes { deliver(gate.admit(unsafe push.withBytes { unsafe codec.read($0, on: .events) })) }
        if let event = gate.takeLeftOut() { deliver(event) }
    }

    private static func channel(_ peer: ZeroMQFrame) -> WorkerMessageCodec.Channel? {
        unsafe peer.withBytes { bytes in
            if unsafe bytes.elementsEqual(control) { return .control }
            if unsafe bytes.elementsEqual(calls) { return .calls }
            return unsafe bytes.elementsEqual("events".utf8) ? .events : nil
        }
    }
}
