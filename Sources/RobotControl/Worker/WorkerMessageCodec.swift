internal import Core

/// Reads a worker's messages and writes our orders (docs/protocols/worker.md), the same for every carrier.
package struct WorkerMessageCodec: Sendable {
    /// What a message came on. An executable has one way for all.
    package enum Channel: Sendable {
        case control, calls, events, any
    }

    /// Bytes of one message, in either direction.
    package static let maximumBytes = 16 << 20
    /// Names that a push must not have: Socket.IO's own, and the one that the former service kept for itself.
    package static let reservedEvents: Set<String> = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "callback",
    ]
    static let errorCodes: Set<String> = [
        "unknown_object", "unknown_method", "bad_arguments", "exception", "not_json", "too_large", "interrupted",
    ]
    /// Characters of a text that is for people.
    static let maximumText = 100_000
    static let maximumItems = 1000

    /// What ``WorkerEvent/hello(runtime:)`` must repeat.
    private let token: String

    package init(token: String) {
        self.token = token
    }

    // MARK: Reading

    /// Never fails: what cannot be taken is ``WorkerEvent/rubbish(reason:)``.
    package func read(_ bytes: UnsafeRawBufferPointer, on channel: Channel) -> WorkerEvent {
        guard bytes.count <= Self.maximumBytes else { return .rubbish(reason: "a message of more than 16 MiB") }
        guard let message = unsafe JSONValue(parsing: bytes), case .object(let fields) = message else {
            return .rubbish(reason: "a message that is no JSON object, or is nested too deeply")
        }
        guard let type = fields["type"]?.stringValue else { return .rubbish(reason: "a message without a type") }
        guard let home = Self.channels[type] else { return .rubbish(reason: "a message of unknown type") }
        guard channel == .any || channel == home else { return .rubbish(reason: "\(type) on the wrong channel") }
        guard type != "log" || channel == .any else { return .rubbish(reason: "log is for executables") }
        return event(type, fields) ?? .rubbish(reason: "\(type) with a field that is missing or wrong")
    }

    package func read(_ bytes: [UInt8], on channel: Channel) -> WorkerEvent {
        unsafe bytes.withUnsafeBytes { unsafe read($0, on: channel) }
    }

    private static let channels: [String: Channel] = [
        "hello": .control, "loading": .control, "ready": .control, "failed": .control, "heartbeat": .control,
        "stopped": .control, "result": .calls, "error": .calls, "push": .events, "log": .events,
    ]

    /// Nil where a field is missing or wrong.
    private func event(_ type: String, _ fields: [String: JSONValue]) -> WorkerEvent? {
        switch type {
        case "hello": hello(fields)
        case "loading": .loading
        case "ready": ready(fields)
        case "failed": failed(fields)
        case "heartbeat": heartbeat(fields)
        case "stopped": stopped(fields)
        case "result": id(fields).flatMap { id in fields["value"].map { .finished(id: id, .value($0)) } }
        case "error": error(fields)
        case "push": push(fields)
        case "log": log(fields)
        default: nil
        }
    }

    private func hello(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard fields["protocol"] == 1, fields["token"] == .string(token), let runtime = text(fields["runtime"]),
            runtime.utf8.count <= 200
        else { return nil }
        return .hello(runtime: runtime)
    }

    private func ready(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let objects = fields["objects"], let interface = ProjectInterface(checking: objects),
            let seconds = fields["import_seconds"].flatMap(Self.number), seconds >= 0, seconds < 1e9
        else { return nil }
        return .ready(interface, importTime: .seconds(seconds))
    }

    private func failed(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let stage = fields["stage"]?.stringValue, ["find", "import", "init"].contains(stage),
            let error = text(fields["error"]), let traceback = optionalText(fields["traceback"])
        else { return nil }
        return .failed(stage: stage, error: error, traceback: traceback)
    }

    private func heartbeat(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard case .integer(let calls)? = fields["calls"], calls >= 0,
            case .integer(let dropped)? = fields["pushes_dropped"], dropped >= 0
        else { return nil }
        return .heartbeat(calls: Int(calls), pushesDropped: Int(dropped))
    }

    private func stopped(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let errors = texts(fields["errors"]), let threads = texts(fields["threads"]) else { return nil }
        return .stopped(errors: errors, threads: threads)
    }

    private func error(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let id = id(fields), let code = fields["code"]?.stringValue, Self.errorCodes.contains(code),
            let error = text(fields["error"]), let traceback = optionalText(fields["traceback"])
        else { return nil }
        return .finished(id: id, .error(code: code, message: error, traceback: traceback))
    }

    private func push(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let event = fields["event"]?.stringValue, (1...200).contains(event.utf8.count),
            !Self.reservedEvents.contains(event), let data = fields["data"]
        else { return nil }
        return .push(event: event, data: data)
    }

    private func log(_ fields: [String: JSONValue]) -> WorkerEvent? {
        guard let level = fields["level"]?.stringValue, ["debug", "info", "warning", "error"].contains(level),
            let message = text(fields["message"])
        else { return nil }
        return .line(String(message.prefix(4096)), isError: level == "error", level: level)
    }

    // MARK: Fields

    private func id(_ fields: [String: JSONValue]) -> String? {
        guard let id = fields["id"]?.stringValue, (1...200).contains(id.utf8.count) else { return nil }
        return id
    }

    private func text(_ value: JSONValue?) -> String? {
        guard let text = value?.stringValue else { return nil }
        return text.utf8.count <= Self.maximumText ? text : String(text.prefix(Self.maximumText / 4))
    }

    /// Outer nil: neither text nor null.
    private func optionalText(_ value: JSONValue?) -> String?? {
        value == nil || value == .null ? .some(nil) : text(value).map { .some($0) }
    }

    private func texts(_ value: JSONValue?) -> [String]? {
        guard case .array(let items)? = value, items.count <= Self.maximumItems else { return nil }
        let texts = items.compactMap { text($0) }
        return texts.count == items.count ? texts : nil
    }

    private static func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    // MARK: Writing

    package func write(_ order: WorkerOrder) -> [UInt8] {
        switch order {
        case .call(let id, let object, let method, let arguments):
            var bytes: [UInt8] = []
            JSONValue.object([
                "type": "call", "id": .string(id), "object": .string(object), "method": .string(method),
                "args": .object(arguments),
            ]).write(to: &bytes)
            return bytes
        case .interrupt(let id): return (["type": "interrupt", "id": JSONValue(id)] as JSONValue).bytes
        case .stop(let time): return (["type": "stop", "seconds": .number(time.seconds)] as JSONValue).bytes
        case .shutdown(let time): return (["type": "shutdown", "seconds": .number(time.seconds)] as JSONValue).bytes
        }
    }
}

extension ProjectInterface {
    static let maximumObjects = 200
    static let maximumMethods = 2000

    /// Nil for what is not as docs/protocols/worker.md says, or is too much.
    init?(checking objects: JSONValue) {
        guard case .array(let items) = objects, items.count <= Self.maximumObjects else { return nil }
        var methods = 0
        for item in items {
            guard Self.isName(item["name"]), ["object", "class", "module"].contains(item["kind"]?.stringValue),
                case .array(let described)? = item["methods"]
            else { return nil }
            methods += described.count
            for method in described {
                guard Self.isName(method["name"]), case .array(let arguments)? = method["arguments"],
                    arguments.allSatisfy({ Self.isName($0["name"]) })
                else { return nil }
            }
        }
        guard methods <= Self.maximumMethods else { return nil }
        self.init(objects: objects)
    }

    private static func isName(_ value: JSONValue?) -> Bool {
        (1...1000).contains(value?.stringValue?.utf8.count ?? 0)
    }
}
