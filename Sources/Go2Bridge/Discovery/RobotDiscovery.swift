package import Core
package import Networking

/// Searches for robots on this machine's networks: one socket for all searches of the process, open only while one runs.
///
/// Robots answer to a fixed port, so two searches with a socket each would take each other's answers away.
package final class RobotDiscovery: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// The Go2's group.
        package var group = SocketAddress(.v4(0xE701_0101), 10_131)
        /// Where robots answer to; 0: wherever the query came from, which only tests answer to.
        package var answerPort: UInt16 = 10_134
        package var limits = RobotSearch.Limits()
        /// Interfaces that are asked through, at most.
        package var maximumInterfaces = 16
        package init() {}
    }

    package typealias Witness = @Sendable (String) -> Void

    /// One search on the loop.
    private struct Running {
        var search: RobotSearch
        var interfaces: [String]
        var began: Instant
        var witness: Witness
        var onFound: @Sendable (DiscoveredRobot) -> Void
        var onEnd: (RobotSearch, PhaseFailure?) -> Void
    }

    /// What only the loop's thread touches.
    private struct State {
        var socket: UDPSocket?
        var arena = ReceiveArena(count: 8, datagramCapacity: 2048)
        var searches: [UInt64: Running] = [:]
        /// Numbers of searches that were asked for and have not begun.
        var pending: Set<UInt64> = []
        var lastNumber: UInt64 = 0
        var timer: TimerID?
        var isWatchingTheEnd = false

        mutating func number() -> UInt64 {
            lastNumber += 1
            pending.insert(lastNumber)
            return lastNumber
        }

        /// False where the search was called off before it began.
        mutating func takes(_ number: UInt64) -> Bool { pending.remove(number) != nil }
    }

    private let configuration: Configuration
    private let loop: EventLoop
    private let state: LoopBound<State>

    /// - Parameter loop: started by its owner, and stopped after the last search.
    package init(loop: EventLoop, configuration: Configuration = Configuration()) {
        self.loop = loop
        self.configuration = configuration
        state = LoopBound(State(), on: loop)
    }

    /// The address of the robot with that serial number. Cancelling the task ends the search.
    ///
    /// - Parameter interface: the one to ask through; nil: all that are up, without loopback.
    /// - Throws: a failure whose code is `not_found`, `no_interface`, `port_taken`, or `cancelled`.
    package func find(
        serialNumber: String, interface: String? = nil, witness: @escaping Witness = { _ in }
    ) async throws(PhaseFailure) -> IPAddress {
        let search = try await run(serialNumber, interface, witness) { _ in }
        if let robot = search.match { return robot.ip }
        throw RobotDiscoveryFailure.notFound(search, configuration.limits)
    }

    /// Every robot that answers within the time of the limits, each once as it answers.
    package func list(
        interface: String? = nil, witness: @escaping Witness = { _ in },
        onFound: @escaping @Sendable (DiscoveredRobot) -> Void
    ) async throws(PhaseFailure) -> [DiscoveredRobot] {
        try await run(nil, interface, witness, onFound: onFound).found
    }

    // MARK: One search

    private func run(
        _ serialNumber: String?, _ interface: String?, _ witness: @escaping Witness,
        onFound: @escaping @Sendable (DiscoveredRobot) -> Void
    ) async throws(PhaseFailure) -> RobotSearch {
        let interfaces = try Self.interfaces(named: interface, limit: configuration.maximumInterfaces)
        guard let number = await loop.perform({ [state] in state.withValue { $0.number() } }) else {
            throw RobotDiscoveryFailure.cancelled
        }
        let result: Result<RobotSearch, PhaseFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isAccepted = loop.submit { [self] in
                    let now = loop.now
                    let search = RobotSearch(serialNumber: serialNumber, limits: configuration.limits, now: now)
                    let running = Running(
                        search: search, interfaces: interfaces, began: now, witness: witness, onFound: onFound
                    ) { search, failure in
                        continuation.resume(returning: failure.map { .failure($0) } ?? .success(search))
                    }
                    begin(running, number)
                }
                if !isAccepted { continuation.resume(returning: .failure(RobotDiscoveryFailure.cancelled)) }
            }
        } onCancel: {
            loop.submit { [self] in end(number, RobotDiscoveryFailure.cancelled) }
        }
        return try result.get()
    }

    private static func interfaces(named name: String?, limit: Int) throws(PhaseFailure) -> [String] {
        let usable = NetworkInterface.all().filter { interface in
            interface.ip.isIPv4 && (name == nil ? !interface.ip.isLoopback : interface.name == name)
        }
        var names: [String] = []
        for interface in usable where !names.contains(interface.name) { names.append(interface.name) }
        guard !names.isEmpty else { throw RobotDiscoveryFailure.noInterface(name) }
        return Array(names.prefix(limit))
    }

    // MARK: On the loop

    private func begin(_ running: Running, _ number: UInt64) {
        // A task that was cancelled before it got here has asked for its end already.
        let isWanted = state.withValue { $0.takes(number) }
        guard isWanted else { return running.onEnd(running.search, RobotDiscoveryFailure.cancelled) }
        do throws(SocketError) {
            try open()
        } catch {
            return running.onEnd(running.search, RobotDiscoveryFailure.noSocket(error))
        }
        state.withValue { $0.searches[number] = running }
        running.witness(
            "asking \(configuration.group) through \(running.interfaces.joined(separator: ", "))")
        turn()
    }

    private func open() throws(SocketError) {
        guard state.withValue({ $0.socket == nil }) else { return }
        var options = UDPSocket.Options()
        options.receiveBufferBytes = 256 << 10
        options.sendBufferBytes = 64 << 10
        let socket = try UDPSocket(binding: SocketAddress(.anyV4, configuration.answerPort), options)
        let arena = state.withValue { $0.arena }
        try unsafe socket.startReceiving(on: loop, into: arena) { [self] bytes, source in
            let copy = unsafe [UInt8](UnsafeRawBufferPointer(bytes))
            receive(copy, from: source.ip)
        }
        let isWatching = state.withValue { state in
            defer { state.isWatchingTheEnd = true }
            state.socket = socket
            return state.isWatchingTheEnd
        }
        guard !isWatching else { return }
        loop.whenStopping { [self] in
            for number in state.withValue({ Array($0.searches.keys) }) { end(number, RobotDiscoveryFailure.cancelled) }
        }
    }

    private func receive(_ bytes: [UInt8], from source: IPAddress) {
        let numbers = state.withValue { Array($0.searches.keys) }
        for number in numbers {
            let found = state.withValue { state -> (Running, DiscoveredRobot)? in
                guard let robot = state.searches[number]?.search.handle(bytes, from: source),
                    let running = state.searches[number]
                else { return nil }
                return (running, robot)
            }
            guard let (running, robot) = found else { continue }
            let time = "\(Int((loop.now - running.began).milliseconds)) ms"
            let whose = running.search.serialNumber.map { $0 == robot.serialNumber ? "the" : "another" } ?? "a"
            let stated = robot.ip == robot.source ? "" : ", and gives its address as \(robot.ip)"
            running.witness("\(whose) robot answered from \(robot.source) after \(time)\(stated)")
            running.onFound(robot)
        }
        turn()
    }

    /// Sends what is due, ends what is over, and waits for the next of both.
    private func turn() {
        let now = loop.now
        let over = state.withValue { state in
            if let timer = state.timer.take() { loop.cancel(timer) }
            for number in Array(state.searches.keys) {
                guard state.searches[number]?.search.takesQuery(now: now) == true, let running = state.searches[number]
                else { continue }
                for interface in running.interfaces {
                    _ = state.socket?.send(running.search.query, to: configuration.group, through: interface)
                }
            }
            return state.searches.filter { $0.value.search.isOver(now: now) }.map(\.key)
        }
        for number in over { end(number, nil) }
        state.withValue { state in
            guard let next = state.searches.values.map(\.search.deadline).min() else {
                if let socket = state.socket.take() { socket.stopReceiving(on: loop) }
                return
            }
            if let timer = state.timer.take() { loop.cancel(timer) }
            state.timer = loop.schedule(at: next) { [self] in turn() }
        }
    }

    private func end(_ number: UInt64, _ failure: PhaseFailure?) {
        let ended = state.withValue { state in
            _ = state.takes(number)
            return state.searches.removeValue(forKey: number)
        }
        ended?.onEnd(ended?.search ?? RobotSearch(serialNumber: nil, now: loop.now), failure)
        if failure != nil { turn() }
    }
}
