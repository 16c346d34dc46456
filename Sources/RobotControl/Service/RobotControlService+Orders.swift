internal import Core
internal import Synchronization
internal import WebServer

/// What becomes of an order.
extension RobotControlService {
    /// Takes one event of a member's. Calls are begun here, in the order of the events; what takes time goes on without holding up the next.
    func handle(_ event: SocketIOEvent, from member: Member) {
        take(event.name, event.arguments, event.attachments, member) { answer in
            event.acknowledge([answer.json(isExtended: member.isExtended)])
        }
    }

    /// A command of the former endpoint: `command` names the order, and the object is its argument as well.
    func handle(legacy command: JSONValue) async -> JSONValue {
        let tool = Member(socket: nil, role: .controller, isExtended: false)
        return await withCheckedContinuation { continuation in
            take(command["command"]?.stringValue ?? "", [command], [], tool) { answer in
                continuation.resume(returning: answer.json(isExtended: false))
            }
        }
    }

    /// - Parameter answer: called once.
    private func take(
        _ name: String, _ arguments: [JSONValue], _ attachments: [SocketIOAttachment], _ member: Member,
        _ answer: @escaping @Sendable (ControlAnswer) -> Void
    ) {
        do throws(ControlOrder.Refusal) {
            let order = try ControlOrder(event: name, arguments: arguments)
            guard member.role == .controller || order.onlyLooks else {
                throw ControlOrder.Refusal(code: "forbidden", message: "This token may only listen")
            }
            note("order: \(name)", .debug)
            perform(order, attachments, member, answer)
        } catch {
            note("order is refused: \(error.message)", .debug)
            answer(ControlAnswer(error))
        }
    }

    private func perform(
        _ order: ControlOrder, _ attachments: [SocketIOAttachment], _ member: Member,
        _ answer: @escaping @Sendable (ControlAnswer) -> Void
    ) {
        switch order {
        case .process(let call):
            let projectCall = ProjectCall(
                id: call.id, object: call.object, method: call.method, arguments: call.arguments)
            runner.call(projectCall) { answer(ControlAnswer($0, of: call.method)) }
        case .update(let source, let name):
            Task { answer(await update(source, attachments, name: name, member)) }
        case .rollback(let version):
            Task { answer(await rollback(to: version, member)) }
        case .start:
            Task { answer(await startProject()) }
        case .restart:
            Task { answer(await restart()) }
        case .history:
            Task { answer(await history()) }
        case .status:
            answer(.success("Status", statusJSON(for: member)))
        case .interrupt(let id):
            answer(.success("Interrupted", ["interrupted": JSONValue(runner.interrupt(id: id))]))
        case .log(let lines, let follows):
            if let follows { follow(follows, member) }
            answer(.success("Log", ["lines": .array(book.last(lines).map(\.json))]))
        }
    }

    func openLegacyEndpoints() {
        guard configuration.legacy.commands != nil || configuration.legacy.pushes != nil else { return }
        do throws(ProjectFailure) {
            let endpoints = try LegacyEndpoints(configuration.legacy) { [weak self] command in
                await self?.handle(legacy: command) ?? .null
            }
            state.withLock { $0.legacy = endpoints }
        } catch {
            state.withLock { $0.legacyFailure = error }
            note(error.reason, .error)
        }
    }

    // MARK: The project

    private static let noProject = ControlAnswer.error(
        "no_project", "No project loaded. Please upload a project first (UPDATE command)")

    private func startProject() async -> ControlAnswer {
        await changing("start") { [self] () throws(ProjectFailure) in
            switch runner.status.state {
            case .ready, .stopping: break
            case .none, .starting, .loading, .restarting, .failed:
                guard let version = await store.current() else { return Self.noProject }
                try await load(version)
            }
            return .success("Python project started successfully", ["project_type": JSONValue(runner.status.kind)])
        }
    }

    private func restart() async -> ControlAnswer {
        await changing("restart") { [self] () throws(ProjectFailure) in
            guard let version = await store.current() else { return Self.noProject }
            try await load(version)
            return .success("Project restarted", ["project_type": JSONValue(runner.status.kind)])
        }
    }

    /// Loads a project that is there already; one that loads mends what failed at the start.
    func load(_ version: ProjectVersion) async throws(ProjectFailure) {
        _ = try await runner.load(version.folder)
        state.withLock { state in
            state.version = version
            state.startFailure = nil
        }
    }

    private func update(
        _ source: ControlOrder.ArchiveSource, _ attachments: [SocketIOAttachment], name: String?, _ member: Member
    ) async -> ControlAnswer {
        await changing("update") { [self] () throws(ProjectFailure) in
            let upload = try receive(source, attachments, member)
            let staged = try await store.stage(upload, origin: ProjectOrigin(fileName: name)) { progress in
                self.tellProgress("unpacking", progress.bytes, progress.totalBytes, member)
            }
            return try await takeOver(staged, "Project extracted successfully", member)
        }
    }

    private func rollback(to number: Int, _ member: Member) async -> ControlAnswer {
        await changing("rollback") { [self] () throws(ProjectFailure) in
            let staged = try await store.stage(rollbackTo: number)
            return try await takeOver(staged, "Rolled back to version \(number)", member)
        }
    }

    /// Loads a staged project, and makes it the current one where it runs.
    private func takeOver(
        _ staged: StagedProject, _ message: String, _ member: Member
    ) async throws(ProjectFailure) -> ControlAnswer {
        let wasLoaded = runner.status.project != nil
        do throws(ProjectFailure) {
            tellProgress("loading", 0, 1, member)
            try await load(staged.version)
            let version = try await store.commit(staged)
            tellProgress("loading", 1, 1, member)
            note("project is updated: version \(version.number), \(version.source)", .info)
            tellState()
            var data: [String: JSONValue] = [
                "project_type": JSONValue(runner.status.kind),
                "project_path": .string("\(store.directory)/current"),
            ]
            if wasLoaded { data["worker_will_restart"] = true }
            return .success(
                wasLoaded ? "\(message). Worker will restart to clear module cache." : message, .object(data),
                extras: ["version": JSONValue(version.number)])
        } catch {
            await store.discard(staged)
            throw error
        }
    }

    /// The archive of an order, written into a file piece by piece.
    private func receive(
        _ source: ControlOrder.ArchiveSource, _ attachments: [SocketIOAttachment], _ member: Member
    ) throws(ProjectFailure) -> UploadFile {
        let missing = ProjectFailure(code: "bad_order", reason: "The archive did not come with the order.")
        switch source {
        case .base64(let text):
            let upload = try store.makeUpload(.base64)
            try upload.append(Array(text.utf8))
            return upload
        case .attachment(let number):
            guard attachments.indices.contains(number) else { throw missing }
            switch attachments[number] {
            case .bytes(let bytes):
                let upload = try store.makeUpload(.plain)
                try upload.append(bytes)
                return upload
            case .text(let slice): return try write(slice, .base64, member)
            case .large(let slice, let isBase64): return try write(slice, isBase64 ? .base64 : .plain, member)
            }
        }
    }

    private func write(
        _ slice: SpooledSlice, _ encoding: UploadFile.Encoding, _ member: Member
    ) throws(ProjectFailure) -> UploadFile {
        let upload = try store.makeUpload(encoding)
        var done = 0
        try slice.forEachPiece { (piece) throws(ProjectFailure) in
            try upload.append(piece)
            done += piece.count
            tellProgress("receiving", done, slice.count, member)
        }
        return upload
    }

    /// One change after another; what goes wrong is told in the words of the order.
    private func changing(
        _ what: String, _ body: @escaping @Sendable () async throws(ProjectFailure) -> ControlAnswer
    ) async -> ControlAnswer {
        do throws(ProjectFailure) {
            return try await changes.run(body)
                ?? .error("busy", "Failed to \(what) project: too many changes wait already.")
        } catch {
            note("\(what) failed: \(error.reason)", .warning)
            var answer = ControlAnswer.error(error.code, "Failed to \(what) project: \(error.reason)")
            if let details = error.details { answer.extras = ["details": .string(details)] }
            return answer
        }
    }

    private func history() async -> ControlAnswer {
        let current = await store.current()
        let versions = await store.history().map { version in
            var members = version.json
            members["current"] = .boolean(version == current)
            return JSONValue.object(members)
        }
        return .success("History", ["versions": .array(versions)])
    }
}

extension ControlOrder {
    /// Orders that change nothing: viewers may give them.
    var onlyLooks: Bool {
        switch self {
        case .status, .history, .log: true
        case .update, .start, .process, .interrupt, .rollback, .restart: false
        }
    }
}
