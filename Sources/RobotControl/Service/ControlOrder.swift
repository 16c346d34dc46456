package import Core

/// What a client asks of the service: one Socket.IO event with one object (docs/protocols/robot-control.md).
package enum ControlOrder: Equatable, Sendable {
    /// The archive: text in base64, or the number of an attachment.
    case update(archive: ArchiveSource, name: String?)
    case start
    case process(CallOrder)
    case status
    case interrupt(id: String?)
    case history
    case rollback(version: Int)
    case restart
    case log(lines: Int, follows: Bool?)

    package enum ArchiveSource: Equatable, Sendable {
        case base64(String)
        case attachment(Int)
    }

    package struct CallOrder: Equatable, Sendable {
        package var object: String
        package var method: String
        package var arguments: [String: JSONValue]
        /// What the client calls it, to interrupt it by.
        package var id: String?
    }

    /// Why an order is refused; the texts of `update` and `process` are the former service's.
    package struct Refusal: Error, Equatable, Sendable {
        package var code: String
        package var message: String
    }

    /// Names of events that are orders. `log` and `status` are also events that the service sends.
    package static let names: Set<String> = [
        "update", "start", "process", "status", "interrupt", "history", "rollback", "restart", "log",
    ]
    /// Bytes of an object's, a method's or a call's name.
    private static let maximumNameLength = 256

    package init(event: String, arguments: [JSONValue]) throws(Refusal) {
        let argument = arguments.first ?? .null
        switch event {
        case "update": self = try Self.update(argument)
        case "start": self = .start
        case "process": self = .process(try Self.call(argument))
        case "status": self = .status
        case "interrupt": self = .interrupt(id: try Self.identifier(argument["id"]))
        case "history": self = .history
        case "rollback":
            guard let version = argument["version"]?.integerValue, version > 0 else {
                throw Refusal(
                    code: "bad_order", message: "ROLLBACK command requires 'version', a number of the history")
            }
            self = .rollback(version: version)
        case "restart": self = .restart
        case "log":
            let lines = argument["lines"]?.integerValue ?? 200
            guard (0...1_000).contains(lines) else {
                throw Refusal(code: "bad_order", message: "'lines' must be a number from 0 to 1000")
            }
            self = .log(lines: lines, follows: argument["follow"]?.booleanValue)
        default: throw Refusal(code: "unknown_command", message: "Unknown command: \(Self.shown(event))")
        }
    }

    /// The former documents name the field `data` in one place and `zip_data` in another.
    private static func update(_ argument: JSONValue) throws(Refusal) -> ControlOrder {
        guard let data = argument["data"] ?? argument["zip_data"], !data.isNull else {
            throw Refusal(code: "bad_order", message: "UPDATE command requires 'data' field")
        }
        let name = argument["name"]?.stringValue.map { String($0.prefix(200)) }
        if let text = data.stringValue { return .update(archive: .base64(text), name: name) }
        if data["_placeholder"] == true, let number = data["num"]?.integerValue {
            return .update(archive: .attachment(number), name: name)
        }
        throw Refusal(code: "bad_order", message: "'data' field must be a base64 string")
    }

    private static func call(_ argument: JSONValue) throws(Refusal) -> CallOrder {
        guard let params = argument["params"] else {
            throw Refusal(code: "bad_order", message: "PROCESS command requires 'params' field")
        }
        guard case .object(let members) = params else {
            throw Refusal(code: "bad_order", message: "'params' must be an object")
        }
        guard let object = members["object"]?.stringValue else {
            throw Refusal(code: "bad_order", message: "'params' must contain 'object' field")
        }
        guard let method = members["method"]?.stringValue else {
            throw Refusal(code: "bad_order", message: "'params' must contain 'method' field")
        }
        guard object.utf8.count <= maximumNameLength, method.utf8.count <= maximumNameLength else {
            throw Refusal(code: "bad_order", message: "'object' and 'method' have at most \(maximumNameLength) bytes")
        }
        switch members["args"] ?? .null {
        case .null:
            return CallOrder(object: object, method: method, arguments: [:], id: try identifier(members["id"]))
        case .object(let arguments):
            return CallOrder(object: object, method: method, arguments: arguments, id: try identifier(members["id"]))
        case .boolean, .integer, .number, .string, .array:
            throw Refusal(code: "bad_order", message: "'args' must be an object")
        }
    }

    private static func identifier(_ value: JSONValue?) throws(Refusal) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let id = value.identifierValue, id.utf8.count <= maximumNameLength else {
            throw Refusal(code: "bad_order", message: "'id' must be a text or a number")
        }
        return id
    }

    /// A name as an answer may repeat it: cut, and without control characters.
    private static func shown(_ name: String) -> String {
        String(
            String.UnicodeScalarView(name.unicodeScalars.prefix(100).filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }
}
