package import Core
internal import Glibc
internal import Networking
internal import Synchronization

/// The former service's ZeroMQ endpoints, for tools that know them: commands by REQ/REP, pushes by PUB/SUB.
///
/// One command at a time, as REQ/REP has it: the next one waits in ZeroMQ until the first is answered. Neither endpoint asks who
/// somebody is; a socket file is for the server's own user alone.
package final class LegacyEndpoints: Sendable {
    package struct Configuration: Sendable {
        /// `ipc:///tmp/robot-control-cmd.ipc`; nil: none.
        package var commands: String?
        /// `ipc:///tmp/robot-control-callback.ipc`; nil: none.
        package var pushes: String?
        /// Of one command; who sends a longer one loses the connection.
        package var commandBytes = 16 << 20
        /// Of one push; a longer one is not published.
        package var pushBytes = 1 << 20
        /// Pushes that wait for a subscriber that is slow; the next ones pass it by.
        package var waitingPushes: Int32 = 256

        package init() {}
    }

    private let commands: ZeroMQEndpoint?
    private let pushes: ZeroMQEndpoint?
    private let configuration: Configuration
    private let handle: @Sendable (JSONValue) async -> JSONValue
    private let wakeUp: WakeUp
    /// Signalled by an answer, and by the end.
    private let answered: WakeUp
    private let isClosed = Atomic<Bool>(false)

    /// Binds. `handle` answers a command, which is a JSON object.
    package init(
        _ configuration: Configuration, handle: @escaping @Sendable (JSONValue) async -> JSONValue
    ) throws(ProjectFailure) {
        self.configuration = configuration
        self.handle = handle
        do {
            wakeUp = try WakeUp()
            answered = try WakeUp()
            var limits = ZeroMQSocket.Limits()
            limits.partBytes = configuration.commandBytes
            limits.parts = 1
            limits.waitingToBeSent = configuration.waitingPushes
            let (wakeUp, limit) = (wakeUp, limits)
            commands = try configuration.commands.map { try Self.bind(.reply, $0, limit, wakeUp) }
            pushes = try configuration.pushes.map { try Self.bind(.publish, $0, limit, wakeUp) }
            if commands != nil { try NamedThread.start("legacy") { self.run() } }
        } catch {
            throw ProjectFailure(code: "legacy_failed", reason: "The ZeroMQ endpoints cannot be had: \(error)")
        }
    }

    private static func bind(
        _ kind: ZeroMQSocket.Kind, _ address: String, _ limits: ZeroMQSocket.Limits, _ wakeUp: WakeUp
    ) throws -> ZeroMQEndpoint {
        let endpoint = try ZeroMQEndpoint(kind, address: address, limits: limits, wakeUp: wakeUp)
        let scheme = "ipc://"
        if address.hasPrefix(scheme) { unsafe _ = chmod(String(address.dropFirst(scheme.count)), 0o600) }
        return endpoint
    }

    /// Publishes `[event, JSON]`; never waits.
    package func publish(event: String, data: JSONValue) {
        guard let pushes else { return }
        let bytes = data.bytes
        if bytes.count <= configuration.pushBytes { pushes.send([Array(event.utf8), bytes]) }
    }

    /// A command that is being answered gets no answer any more.
    package func close() {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        pushes?.close()
        wakeUp.signal()
        answered.signal()
    }

    // MARK: Commands, on the thread

    private func run() {
        guard let commands else { return }
        defer { commands.close() }
        while !isClosed.load(ordering: .sequentiallyConsistent) {
            guard let message = commands.receive(most: 1).first else {
                commands.wait(nil)
                continue
            }
            let bytes = message.count == 1 ? message[0].bytes : []
            guard let command = JSONValue(parsing: bytes), case .object = command else {
                commands.send([(["status": "error", "message": "A command is one JSON object"] as JSONValue).bytes])
                continue
            }
            let (handle, answered) = (handle, answered)
            Task {
                let answer = await handle(command)
                commands.send([answer.bytes])
                answered.signal()
            }
            answered.wait()
        }
    }
}
