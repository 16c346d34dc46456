package import Core

/// What an answer is matched by. The first that a message has, in this order, as the robot's own clients do.
package enum AnswerKey: Hashable, Sendable {
    /// `data.uuid`, `info.uuid` or `info.req_uuid`.
    case uuid(String)
    /// `data.header.identity.id`.
    case id(Int64)
    /// `<type> $ <topic>`: for services that send nothing back to tell requests apart.
    case kind(String)

    /// - Parameter message: an object with `type`, and `topic`, `data` or `info`.
    package init(of message: JSONValue) {
        if let uuid = Self.uuid(message["data"]?["uuid"]) {
            self = .uuid(uuid)
        } else if let id = message["data"]?["header"]?["identity"]?["id"]?.integerValue {
            self = .id(Int64(id))
        } else if let uuid = Self.uuid(message["info"]?["uuid"]) ?? Self.uuid(message["info"]?["req_uuid"]) {
            self = .uuid(uuid)
        } else {
            self = .kind(
                Self.name(type: message["type"]?.stringValue ?? "", topic: message["topic"]?.stringValue ?? ""))
        }
    }

    package static func name(type: String, topic: String) -> String { "\(type) $ \(topic)" }

    private static func uuid(_ value: JSONValue?) -> String? {
        guard let text = value?.identifierValue, text.utf8.count <= 128 else { return nil }
        return text
    }
}
