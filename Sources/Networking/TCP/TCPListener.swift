internal import CLinux
package import Core
internal import Synchronization

/// Numbers connections, process-wide.
enum ConnectionNumber {
    private static let last = Atomic<UInt64>(0)

    static func next() -> UInt64 {
        last.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

/// A listening TCP socket, with limits on who may connect.
///
/// Made on any thread, so that a start-up can fail in place; then it belongs to the loop it is started on.
// SAFETY: `state` is touched only by the loop's thread; `start` and every handler assert it.
package final class TCPListener: @unchecked Sendable {
    package struct Limits: Sendable {
        package var connections = 1024
        /// From one IP address. Behind a tunnel all viewers share one, so this is no small number.
        package var connectionsPerAddress = 512
        /// A connection that brings no byte for so long is closed.
        package var idle: Duration = .seconds(120)
        package var connection = TCPConnection.Limits()
        package init() {}
    }

    package struct Counters: Sendable, Equatable {
        package var accepted: UInt64 = 0
        package var refusedByTotal: UInt64 = 0
        package var refusedByAddress: UInt64 = 0
        package var closedIdle: UInt64 = 0
    }

    private final class State {
        var connections: [UInt64: TCPConnection] = [:]
        var perAddress: [IPAddress: Int] = [:]
        var counters = Counters()
        var sweep: TimerID?
    }

    private let socket: ListeningSocket
    private let limits: Limits
    private let state = State()

    package init(binding address: SocketAddress, limits: Limits = Limits()) throws(SocketError) {
        socket = try ListeningSocket(binding: address)
        self.limits = limits
    }

    package var localAddress: SocketAddress { socket.localAddress }

    /// Hands every accepted connection to `handler`, which calls ``TCPConnection/start(onBytes:onClose:)`` on it.
    package func start(on loop: EventLoop, _ handler: @escaping (TCPConnection) -> Void) throws(SocketError) {
        try loop.register(socket.descriptor, for: .readable) { _ in self.accept(loop, handler) }
        scheduleSweep(loop)
        loop.whenStopping { self.stop(on: loop) }
    }

    /// Stops accepting and closes every connection; a loop that ends does it too.
    package func stop(on loop: EventLoop) {
        loop.deregister(socket.descriptor)
        if let sweep = state.sweep { loop.cancel(sweep) }
        state.sweep = nil
        for connection in Array(state.connections.values) { connection.close() }
    }

    /// On the loop's thread.
    package var counters: Counters { state.counters }
    package var connectionCount: Int { state.connections.count }

    private func accept(_ loop: EventLoop, _ handler: (TCPConnection) -> Void) {
        for _ in 0..<64 {
            let accepted: Int32
            let address: SocketAddress
            switch socket.accept() {
            case .connection(let descriptor, let remote): (accepted, address) = (descriptor, remote)
            case .none: return
            case .noDescriptors: return pause(loop)
            }
            guard admits(address.ip) else {
                clinux_close(accepted)
                continue
            }
            let connection = TCPConnection(
                id: ConnectionNumber.next(), descriptor: accepted, remote: address, loop: loop,
                limits: limits.connection, isConnecting: false)
            state.counters.accepted += 1
            state.connections[connection.id] = connection
            state.perAddress[address.ip, default: 0] += 1
            let id = connection.id
            connection.onEnd = { [state] in
                state.connections[id] = nil
                let others = (state.perAddress[address.ip] ?? 1) - 1
                state.perAddress[address.ip] = others > 0 ? others : nil
            }
            handler(connection)
        }
    }

    /// No descriptor is left: the listener stays readable, so it looks away for a moment instead of spinning.
    private func pause(_ loop: EventLoop) {
        loop.setInterest([], of: socket.descriptor)
        loop.schedule(at: loop.now + .milliseconds(100)) { loop.setInterest(.readable, of: self.socket.descriptor) }
    }

    private func admits(_ ip: IPAddress) -> Bool {
        if state.connections.count >= limits.connections {
            state.counters.refusedByTotal += 1
            return false
        }
        if state.perAddress[ip, default: 0] >= limits.connectionsPerAddress {
            state.counters.refusedByAddress += 1
            return false
        }
        return true
    }

    private func scheduleSweep(_ loop: EventLoop) {
        state.sweep = loop.schedule(at: loop.now + limits.idle / 4) {
            for connection in Array(self.state.connections.values)
            where loop.now - connection.lastReceived > self.limits.idle {
                self.state.counters.closedIdle += 1
                connection.end(.idle)
            }
            self.scheduleSweep(loop)
        }
    }
}
