/// Why a text is no session description.
package enum SDPParseError: Error, Equatable {
    /// Longer than ``SessionDescription/maximumLength``.
    case tooLong
    case tooManyLines
    /// The line is too long or carries a control character; lines count from 1.
    case malformedLine(Int)
    /// No `v=0` at the start.
    case version
    /// `o=` is missing or has not six words.
    case origin
    /// An `m=` line has not media, port, protocol and formats.
    case malformedMedia(line: Int)
    case tooManyMedia
}

extension SessionDescription {
    /// Bytes; Chromium's largest offers have about 20,000.
    package static let maximumLength = 64 * 1024
    package static let maximumLines = 2048
    /// Bytes of one line; the longest known are `a=fmtp` of some hundred.
    package static let maximumLineLength = 2048
    package static let maximumMedia = 16

    /// Parses what a peer sent. Lines we have no use for (`b=`, `k=`…) are skipped; lines may end in LF alone.
    package init(_ text: String) throws(SDPParseError) {
        guard text.utf8.count <= Self.maximumLength else { throw .tooLong }
        var origin: Origin?
        var sessionName = "-"
        var attributes: [SDPAttribute] = []
        var media: [MediaDescription] = []
        var hasVersion = false
        var number = 0
        for raw in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            guard number <= Self.maximumLines else { throw .tooManyLines }
            let bytes = raw.last == 0x0D ? raw.dropLast() : raw
            if bytes.isEmpty { continue }
            // A control character echoed in an answer could forge a line there.
            guard bytes.count >= 2, bytes.count <= Self.maximumLineLength, bytes.dropFirst().first == 0x3D,
                bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 })
            else { throw .malformedLine(number) }
            let type = bytes[bytes.startIndex]
            let value = String(Substring(bytes.dropFirst(2)))
            guard hasVersion || type == 0x76 else { throw .version }
            switch type {
            case 0x76:  // v
                guard value == "0", !hasVersion else { throw .version }
                hasVersion = true
            case 0x6F where media.isEmpty:  // o
                origin = try Self.origin(value)
            case 0x73 where media.isEmpty:  // s
                sessionName = value
            case 0x63:  // c
                if !media.isEmpty { media[media.count - 1].connection = value }
            case 0x61:  // a
                let attribute = Self.attribute(value)
                if media.isEmpty {
                    attributes.append(attribute)
                } else {
                    media[media.count - 1].attributes.append(attribute)
                }
            case 0x6D:  // m
                guard media.count < Self.maximumMedia else { throw .tooManyMedia }
                guard let section = Self.media(value) else { throw .malformedMedia(line: number) }
                media.append(section)
            default: break
            }
        }
        guard hasVersion else { throw .version }
        guard let origin else { throw .origin }
        self.init(origin: origin, sessionName: sessionName, attributes: attributes, media: media)
    }

    private static func origin(_ value: String) throws(SDPParseError) -> Origin {
        let words = value.split(separator: " ").map(String.init)
        guard words.count == 6 else { throw .origin }
        return Origin(
            userName: words[0], sessionID: words[1], sessionVersion: words[2],
            address: words[3...].joined(separator: " "))
    }

    private static func attribute(_ value: String) -> SDPAttribute {
        guard let colon = value.utf8.firstIndex(of: 0x3A) else { return SDPAttribute(value) }
        return SDPAttribute(String(value[..<colon]), String(value[value.utf8.index(after: colon)...]))
    }

    private static func media(_ value: String) -> MediaDescription? {
        let words = value.split(separator: " ").map(String.init)
        guard words.count >= 4 else { return nil }
        // `port/number of ports` is legal SDP; WebRTC knows one port only.
        guard let first = words[1].split(separator: "/").first, let port = UInt16(first) else { return nil }
        return MediaDescription(
            media: words[0], port: port, transportProtocol: words[2], formats: Array(words[3...]))
    }
}
