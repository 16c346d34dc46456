internal import Core
internal import Networking
internal import Synchronization
internal import WebServer

/// How things stand, as clients are told.
extension RobotControlService {
    func statusJSON(for member: Member) -> JSONValue {
        let (client, version, startFailure) = state.withLock { ($0.client, $0.version, $0.startFailure) }
        let status = runner.status
        var members: [String: JSONValue] = [
            "state": .string(status.state.word), "client": .boolean(client != nil),
            "access": member.role == .controller ? "operator" : "viewer",
            "objects": status.interface?.objects ?? [], "worker": status.workerJSON,
            "project": .null, "failure": .null,
            "dropped_pushes": JSONValue((client?.socket?.droppedCount ?? 0) + status.pushesDropped),
            "is_loading": .boolean(status.isLoading),
            "limits": [
                "maximum_archive_bytes": JSONValue(store.settings.limits.archiveBytes),
                "maximum_message_bytes": JSONValue(configuration.maximumMessageBytes),
                "maximum_execution_seconds": JSONValue(
                    Int(runner.configuration.supervision.callTime.components.seconds)),
            ],
        ]
        if status.project != nil {
            var project: [String: JSONValue] = [
                "type": JSONValue(status.kind), "path": .string("\(store.directory)/current"),
            ]
            if let version { project.merge(version.json) { known, _ in known } }
            members["project"] = .object(project)
        }
        if let failure = status.failure ?? (status.state == .none ? startFailure : nil) {
            members["failure"] = failure.json
        }
        return .object(members)
    }
}

extension RunnerStatus.State {
    /// The word that clients know it by.
    var word: String {
        switch self {
        case .none: "empty"
        case .starting, .loading: "loading"
        case .ready: "ready"
        case .stopping: "stopping"
        case .restarting: "waiting"
        case .failed: "failed"
        }
    }
}

extension RunnerStatus {
    fileprivate var workerJSON: JSONValue {
        guard let processIdentifier else { return .null }
        var members: [String: JSONValue] = [
            "pid": .integer(Int64(processIdentifier)), "restarts": JSONValue(restarts), "runtime": JSONValue(runtime),
            "calls_running": JSONValue(runningCalls), "calls_queued": JSONValue(queuedCalls),
        ]
        if let startTime { members["uptime_seconds"] = .number((SystemClock.now() - startTime).seconds) }
        if let importTime { members["import_seconds"] = .number(importTime.seconds) }
        if let confinement {
            members["confinement"] = [
                "in_force": .array(confinement.inForce.map(JSONValue.string)),
                "missing": .array(confinement.missing.map(JSONValue.string)),
            ]
        }
        return .object(members)
    }
}

extension ProjectFailure {
    var json: JSONValue {
        ["error_code": .string(code), "message": .string(reason), "details": JSONValue(details)]
    }
}

extension ProjectVersion {
    var json: [String: JSONValue] {
        [
            "version": JSONValue(number), "time": .string(time), "source": .string(source), "sha256": JSONValue(sha256),
            "bytes": JSONValue(bytes), "files": JSONValue(files), "name": JSONValue(fileName),
            "author": JSONValue(author),
        ]
    }
}

extension LogEntry {
    init(_ line: LogLine) {
        let level = LogLevel.allCases.first { $0.name == line.level } ?? .info
        self.init(
            time: SystemClock.wallTime(), level: level, source: line.source == .server ? .service : .project,
            message: line.text)
    }
}
