package import Core

/// Why a text is no packet that a client may send.
package enum SocketIOParseError: Error, Equatable, Sendable {
    case unknownType
    case malformedHead
    case malformedJSON
    /// The data is of another shape than the packet's type wants.
    case wrongData
    /// The event is one that both sides' libraries keep for themselves.
    case reservedEvent
    case tooManyAttachments
    /// A placeholder names an attachment that does not come.
    case placeholderOutOfRange
}

/// One packet of Socket.IO 5: `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`.
/// - SeeAlso: [Socket.IO protocol](https://socket.io/docs/v4/socket-io-protocol/)
package struct SocketIOPacket: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case connect(auth: JSONValue)
        case disconnect
        case event(name: String, arguments: [JSONValue])
        case acknowledgement([JSONValue])
        /// Only sent.
        case connectError(JSONValue)
    }

    package var kind: Kind
    package var namespace: String
    /// Of an event that wants an acknowledgement, or of the one that it is.
    package var id: UInt64?
    /// How many binary messages follow.
    package var attachmentCount: Int

    package init(_ kind: Kind, namespace: String, id: UInt64? = nil, attachmentCount: Int = 0) {
        self.kind = kind
        self.namespace = namespace
        self.id = id
        self.attachmentCount = attachmentCount
    }

    /// Names that no event may have: libraries emit them themselves.
    package static let reservedEvents: Set<String> = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
    ]

    // MARK: Reading

    /// - Parameter lifted: long strings that were taken out of the JSON; their placeholders come behind those of the attachments.
    package init(
        parsing bytes: [UInt8], maximumAttachments: Int = 10, lifted: Int = 0
    ) throws(SocketIOParseError) {
        var head = SocketIOPacketHead(bytes)
        try head.read(maximumAttachments: maximumAttachments)
        let json: JSONValue?
        if head.end == bytes.count {
            json = nil
        } else {
            guard let value = JSONValue(parsing: Array(bytes[head.end...])) else { throw .malformedJSON }
            json = value
        }
        namespace = head.namespace
        id = head.id
        attachmentCount = head.attachmentCount
        kind = try Self.kind(head, json)
        if let json { try Self.checkPlaceholders(json, below: attachmentCount + lifted) }
    }

    private static func kind(_ head: SocketIOPacketHead, _ json: JSONValue?) throws(SocketIOParseError) -> Kind {
        switch head.type {
        case 0:
            // `null` and nothing are alike; anything but an object is no credentials.
            switch json ?? [:] {
            case .object, .null: return .connect(auth: json ?? [:])
            default: throw .wrongData
            }
        case 1:
            guard json == nil else { throw .wrongData }
            return .disconnect
        case 2, 5:
            guard case .array(let items)? = json, case .string(let name)? = items.first else { throw .wrongData }
            guard !reservedEvents.contains(name) else { throw .reservedEvent }
            return .event(name: name, arguments: Array(items.dropFirst()))
        case 3, 6:
            guard case .array(let items)? = json, head.id != nil else { throw .wrongData }
            return .acknowledgement(items)
        default: throw .unknownType
        }
    }

    private static func checkPlaceholders(_ value: JSONValue, below count: Int) throws(SocketIOParseError) {
        switch value {
        case .array(let items): for item in items { try checkPlaceholders(item, below: count) }
        case .object(let members):
            if members["_placeholder"] == true {
                guard case .integer(let number)? = members["num"], number >= 0, number < count else {
                    throw .placeholderOutOfRange
                }
            }
            for member in members.values { try checkPlaceholders(member, below: count) }
        case .null, .boolean, .integer, .number, .string: break
        }
    }

    // MARK: Writing

    package var text: String {
        let type: String
        let json: JSONValue?
        switch kind {
        case .connect(let value): (type, json) = ("0", value)
        case .disconnect: (type, json) = ("1", nil)
        case .event(let name, let arguments):
            (type, json) = (attachmentCount > 0 ? "5" : "2", .array([.string(name)] + arguments))
        case .acknowledgement(let arguments): (type, json) = (attachmentCount > 0 ? "6" : "3", .array(arguments))
        case .connectError(let value): (type, json) = ("4", value)
        }
        var text = type
        if attachmentCount > 0 { text += "\(attachmentCount)-" }
        if namespace != "/" { text += namespace + "," }
        if let id { text += String(id) }
        if let json { text += json.text }
        return text
    }
}

/// What stands before the JSON of a packet.
struct SocketIOPacketHead {
    /// Bytes, with its slash.
    private static let maximumNamespaceLength = 256

    private let bytes: [UInt8]
    private(set) var type = 0
    private(set) var attachmentCount = 0
    private(set) var namespace = "/"
    private(set) var id: UInt64?
    /// Where the JSON begins.
    private(set) var end = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func read(maximumAttachments: Int) throws(SocketIOParseError) {
        // CONNECT_ERROR is the server's alone.
        guard let first = bytes.first, let type = Self.digit(first), type <= 6, type != 4 else { throw .unknownType }
        self.type = Int(type)
        end = 1
        if type >= 5 {
            guard let count = number(), end < bytes.count, bytes[end] == UInt8(ascii: "-") else { throw .malformedHead }
            guard count <= UInt64(maximumAttachments) else { throw .tooManyAttachments }
            attachmentCount = Int(count)
            end += 1
        }
        if end < bytes.count, bytes[end] == UInt8(ascii: "/") {
            let stop =
                bytes[end...].prefix(Self.maximumNamespaceLength + 1).firstIndex(of: UInt8(ascii: ",")) ?? bytes.count
            guard stop - end <= Self.maximumNamespaceLength,
                let name = String(validating: bytes[end..<stop], as: UTF8.self)
            else {
                throw .malformedHead
            }
            namespace = name
            end = min(stop + 1, bytes.count)
        }
        if end < bytes.count, Self.digit(bytes[end]) != nil {
            guard let number = number() else { throw .malformedHead }
            id = number
        }
    }

    /// Nil where there is none, or one that is too large.
    private mutating func number() -> UInt64? {
        let start = end
        var value: UInt64 = 0
        while end < bytes.count, let digit = Self.digit(bytes[end]) {
            guard end - start < 18 else { return nil }
            value = value * 10 + digit
            end += 1
        }
        return end > start ? value : nil
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? UInt64(byte - UInt8(ascii: "0")) : nil
    }
}
