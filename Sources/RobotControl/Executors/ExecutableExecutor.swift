internal import Core
internal import Networking
internal import Synchronization

/// Runs a project that is a program of its own: it speaks the worker's messages, a line each, on its standard input and output.
///
/// `project.json` names it (`{"kind":"executable","command":["./robot"]}`), or it is an executable file `main`.
package struct ExecutableExecutor: Executor {
    package let kind = "executable"
    package let entry = "project.json with a command, or a program main"

    package init() {}

    package func accepts(_ project: ProjectFolder) -> Bool {
        guard let description = ProjectDescription(of: project) else { return false }
        return description.kind.map { $0 == kind } ?? project.hasFile("main", executable: true)
    }

    package func prepare(
        _ project: ProjectFolder, log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) -> PreparedRuntime? { nil }

    package func launch(
        _ launch: WorkerLaunch, deliver: @escaping @Sendable (WorkerEvent) -> Void
    ) throws(ProjectFailure) -> any WorkerLink {
        let named = ProjectDescription(of: launch.project)?.command ?? []
        let token = RandomSource.system.bytes(32).hexadecimal
        var settings = launch.settings
        settings.takesInput = true
        settings.messageBytes = WorkerMessageCodec.maximumBytes
        let codec = WorkerMessageCodec(token: token)
        let gate = Mutex(WorkerGate(pushesPerSecond: launch.pushesPerSecond))
        do throws(SocketError) {
            let process = try ChildProcess(
                command: named.isEmpty ? ["./main"] : named, environment: launch.variables(token: token),
                settings: settings
            ) { event in
                switch event {
                case .message(let bytes):
                    let message = codec.read(bytes, on: .any)
                    for event in gate.withLock({ $0.events(message, SystemClock.now()) }) { deliver(event) }
                default:
                    if case .ended = event, let missed = gate.withLock({ $0.takeLeftOut() }) { deliver(missed) }
                    WorkerEvent(event).map(deliver)
                }
            }
            return PipeLink(process: process, codec: codec)
        } catch {
            throw ProjectFailure(code: "launch_failed", reason: "The project cannot be started: \(error)")
        }
    }
}

extension WorkerGate {
    /// One way carries everything here, so that a message is read before it is known for a push.
    fileprivate mutating func events(_ message: WorkerEvent, _ now: Instant) -> [WorkerEvent] {
        if case .push = message, !takesPush(at: now) { return [] }
        return [takeLeftOut(), admit(message)].compactMap(\.self)
    }
}

private struct PipeLink: WorkerLink {
    let process: ChildProcess
    let codec: WorkerMessageCodec

    var processIdentifier: Int32 { process.identifier }
    var confinement: Confinement { process.confinement ?? Confinement() }

    func send(_ order: WorkerOrder) -> WorkerDelivery {
        let bytes = codec.write(order)
        guard bytes.count <= WorkerMessageCodec.maximumBytes else { return .tooLarge }
        return process.write(bytes + [0x0A]) ? .sent : .refused
    }

    func end(grace: Duration) { process.end(grace: grace) }
    func kill() { process.kill() }
}
