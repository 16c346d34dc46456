/// The former robot control service's `config.yaml`, as `--import` reads it.
///
/// Its keys are known by their names alone, in whatever section they stand: installations grouped them differently.
enum FormerConfiguration {
    /// One key that was understood: where it goes, and what it says there.
    struct Entry: Equatable, Sendable {
        var key: String
        var value: String
        var line: Int
    }

    private static let names = [
        "host": "robot_control.host", "port": "robot_control.port",
        "max_message_size": "robot_control.maximum_message_bytes",
        "storage_dir": "robot_control.storage_directory",
        "max_execution_time": "robot_control.maximum_execution_seconds",
        "log_level": "logging.level", "level": "logging.level",
    ]

    /// The keys that are understood, and those that are not, with their lines.
    static func read(_ root: YAMLNode) -> (entries: [Entry], unknown: [YAMLNode.Entry]) {
        var entries: [Entry] = []
        var unknown: [YAMLNode.Entry] = []
        walk(root, &entries, &unknown)
        return (entries, unknown)
    }

    private static func walk(_ node: YAMLNode, _ entries: inout [Entry], _ unknown: inout [YAMLNode.Entry]) {
        guard case .mapping(let members) = node.content else { return }
        for member in members {
            if case .mapping = member.value.content {
                walk(member.value, &entries, &unknown)
            } else if case .scalar(let text, _) = member.value.content, let key = key(member.key, text) {
                entries.append(Entry(key: key, value: value(text, for: key), line: member.line))
            } else {
                unknown.append(member)
            }
        }
    }

    private static func key(_ name: String, _ text: String) -> String? {
        let name = name.lowercased()
        if let known = names[name] { return known }
        // The two sockets: `cmd_socket`, `command_endpoint`, `zmq_callback` … whatever they are called.
        guard text.hasPrefix("ipc://") else { return nil }
        if name.contains("callback") || name.contains("pub") { return "robot_control.push_endpoint" }
        return name.contains("cmd") || name.contains("command") ? "robot_control.command_endpoint" : nil
    }

    private static func value(_ text: String, for key: String) -> String {
        switch key {
        case "robot_control.storage_directory":
            // The former folder held the projects alone; ours holds them in `projects`.
            let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
            return trimmed.hasSuffix("/projects") ? String(trimmed.dropLast("/projects".count)) : trimmed
        case "logging.level": return text.lowercased()
        default: return text
        }
    }
}
