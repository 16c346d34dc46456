internal import Core

/// The members of one header, read one by one against their limits.
struct EngineHeader {
    let type: String
    private let members: JSONValue

    static let maximumByteCount = 16_384

    init(parsing bytes: [UInt8]) throws(EngineMessageError) {
        guard (2...Self.maximumByteCount).contains(bytes.count), let value = JSONValue(parsing: bytes),
            case .string(let type)? = value["type"], (1...32).contains(type.utf8.count)
        else {
            throw EngineMessageError(
                code: .malformed, type: "?", reason: "the header is no JSON object with a type, within 16384 bytes")
        }
        self.type = type
        members = value
    }

    /// An avatar's description, which has no type of its own.
    private init(type: String, members: JSONValue) {
        self.type = type
        self.members = members
    }

    func failure(_ reason: String) -> EngineMessageError {
        EngineMessageError(code: .malformed, type: type, reason: reason)
    }

    /// Nil where the member is absent or null.
    private func member(_ name: String) -> JSONValue? {
        guard let value = members[name], !value.isNull else { return nil }
        return value
    }

    func has(_ name: String) -> Bool { member(name) != nil }

    func integer(_ name: String, in range: ClosedRange<Int64>, default fallback: Int64? = nil)
        throws(EngineMessageError) -> Int64
    {
        guard let value = member(name) else {
            if let fallback { return fallback }
            throw failure("\(name) is missing")
        }
        guard case .integer(let number) = value, range.contains(number) else {
            throw failure("\(name) is no integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int? = nil)
        throws(EngineMessageError) -> Int
    {
        Int(
            try integer(
                name, in: Int64(range.lowerBound)...Int64(range.upperBound), default: fallback.map(Int64.init)))
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(EngineMessageError) -> Double {
        let number: Double? =
            switch member(name) {
            case .integer(let value): Double(value)
            case .number(let value): value
            default: nil
            }
        guard let number, range.contains(number) else {
            throw failure("\(name) is no number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func boolean(_ name: String, default fallback: Bool? = nil) throws(EngineMessageError) -> Bool {
        guard let value = member(name) else {
            if let fallback { return fallback }
            throw failure("\(name) is missing")
        }
        guard case .boolean(let flag) = value else { throw failure("\(name) is no true or false") }
        return flag
    }

    /// Nil where it is absent.
    func optionalText(_ name: String) throws(EngineMessageError) -> String? {
        guard let value = member(name) else { return nil }
        guard case .string(let text) = value else { throw failure("\(name) is no text") }
        return String(decoding: text.utf8.prefix(512), as: UTF8.self)
    }

    func text(_ name: String) throws(EngineMessageError) -> String {
        guard let text = try optionalText(name) else { throw failure("\(name) is missing") }
        return text
    }

    /// A session's or an utterance's name.
    func identifier(_ name: String) throws(EngineMessageError) -> String {
        let text = try text(name)
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw failure("\(name) is not 1 to 64 printable characters")
        }
        return text
    }

    func avatar(_ name: String) throws(EngineMessageError) -> String {
        let text = try text(name)
        guard Self.isAvatarID(text) else { throw failure("\(name) is not 1 to 64 of A-Z a-z 0-9 . _ -") }
        return text
    }

    static func isAvatarID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    func pixelFormat(_ name: String) throws(EngineMessageError) -> EnginePixelFormat? {
        guard let text = try optionalText(name) else { return nil }
        guard let format = EnginePixelFormat(rawValue: text) else {
            throw failure("\(name) is not bgr24, rgb24, i420 or nv12")
        }
        return format
    }

    /// Descriptions of avatars: an array, or the one object that is there.
    func descriptions(_ name: String, isArray: Bool) throws(EngineMessageError) -> [EngineAvatarDescription] {
        let items: [JSONValue]
        switch member(name) {
        case .array(let values) where isArray && values.count <= 64: items = values
        case .object(let value) where !isArray: items = [.object(value)]
        default: throw failure(isArray ? "\(name) is no list of 0 to 64 avatars" : "\(name) is no avatar")
        }
        var descriptions: [EngineAvatarDescription] = []
        for item in items {
            let description = try EngineHeader(type: type, members: item).description()
            guard !descriptions.contains(where: { $0.id == description.id }) else {
                throw failure("avatar \(description.id) is there twice")
            }
            descriptions.append(description)
        }
        return descriptions
    }

    private func description() throws(EngineMessageError) -> EngineAvatarDescription {
        let (width, height) = (
            try integer("width", in: EngineAvatarDescription.sizeRange),
            try integer("height", in: EngineAvatarDescription.sizeRange)
        )
        guard width % 2 == 0, height % 2 == 0 else { throw failure("width and height are not even") }
        guard let format = try pixelFormat("pixel_format") else { throw failure("pixel_format is missing") }
        return EngineAvatarDescription(
            id: try avatar("id"), width: width, height: height,
            framesPerSecond: try number("fps", in: EngineAvatarDescription.frameRateRange), pixelFormat: format,
            sendsPatches: try boolean("patches"),
            idleCount: try integer("idle_count", in: EngineAvatarDescription.idleCountRange))
    }
}
