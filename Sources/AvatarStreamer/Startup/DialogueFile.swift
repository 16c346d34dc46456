internal import Conversation

/// The scripted dialogue as its YAML file has it: `answers`, each with `any` and `answer`, and `fallback`.
enum DialogueFile {
    static func load(_ path: String) throws(BackendError) -> ScriptedDialogue {
        guard let text = FileContent.read(path, maximumLength: YAMLParser.maximumLength) else {
            throw BackendError(
                code: .unavailable, part: "answering",
                reason: "the dialogue \(path) is not there, cannot be read or is longer than \(YAMLParser.maximumLength) bytes",
                remedy: "set answering.dialogue_file, or copy config/dialogue.yaml there")
        }
        return try parse(text, file: path)
    }

    static func parse(_ text: [UInt8], file: String) throws(BackendError) -> ScriptedDialogue {
        let root: YAMLNode
        do throws(YAMLParseError) {
            root = try YAMLParser.parse(text)
        } catch {
            throw fault(file, error.line, "found \(error.found), expected \(error.expected)")
        }
        var entries: [ScriptedDialogue.Entry] = []
        var fallbacks: [String] = []
        for entry in try keys(of: root, file) {
            switch entry.key {
            case "entries":
                for item in try items(of: entry.value, file) { entries.append(try self.entry(item, file)) }
            case "fallbacks":
                for item in try items(of: entry.value, file) { fallbacks.append(try self.text(item, file)) }
            default: throw fault(file, entry.line, "found \(entry.key.prefix(60)), expected entries or fallbacks")
            }
        }
        return try ScriptedDialogue(entries: entries, fallbacks: fallbacks)
    }

    private static func entry(_ node: YAMLNode, _ file: String) throws(BackendError) -> ScriptedDialogue.Entry {
        var made = ScriptedDialogue.Entry(any: [], answer: "")
        for key in try keys(of: node, file) {
            switch key.key {
            case "any":
                for item in try items(of: key.value, file) { made.any.append(try text(item, file)) }
            case "answer": made.answer = try text(key.value, file)
            default: throw fault(file, key.line, "found \(key.key.prefix(60)), expected any or answer")
            }
        }
        return made
    }

    private static func keys(of node: YAMLNode, _ file: String) throws(BackendError) -> [YAMLNode.Entry] {
        guard case .mapping(let entries) = node.content else {
            throw fault(file, node.line, "found \(node.summary), expected keys")
        }
        return entries
    }

    private static func items(of node: YAMLNode, _ file: String) throws(BackendError) -> [YAMLNode] {
        guard case .sequence(let items) = node.content else {
            throw fault(file, node.line, "found \(node.summary), expected a list")
        }
        return items
    }

    private static func text(_ node: YAMLNode, _ file: String) throws(BackendError) -> String {
        guard case .scalar(let text, _) = node.content else {
            throw fault(file, node.line, "found \(node.summary), expected a text")
        }
        return text
    }

    private static func fault(_ file: String, _ line: Int, _ what: String) -> BackendError {
        BackendError(
            code: .unavailable, part: "answering", reason: "\(file):\(line): \(what)",
            remedy: "mend the file, and restart the server")
    }
}
