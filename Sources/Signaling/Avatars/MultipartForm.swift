/// Why a body is not a form.
package enum MultipartParseError: Error, Equatable {
    case noBoundary, unfinishedPart, headerTooLong, missingName, tooManyParts
}

/// `multipart/form-data` as browsers and curl write it ([RFC 7578](https://www.rfc-editor.org/rfc/rfc7578)).
package enum MultipartForm {
    package struct Part: Equatable, Sendable {
        package var name: String
        package var fileName: String?
        /// Where the part's content stands in the parsed bytes.
        package var body: Range<Int>
    }

    package static let maximumParts = 16
    /// Bytes of one part's headers.
    package static let maximumHeader = 2048

    /// The `boundary` parameter: 1 to 70 characters ([RFC 2046 §5.1.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1)).
    package static func boundary(of contentType: String) -> String? {
        guard contentType.utf8.count <= 512 else { return nil }
        let fields = contentType.split(separator: ";").map { $0.drop { $0 == " " } }
        guard fields.first?.lowercased().hasPrefix("multipart/form-data") == true else { return nil }
        for field in fields.dropFirst() where field.lowercased().hasPrefix("boundary=") {
            var value = field.dropFirst("boundary=".count)
            if value.hasPrefix("\""), value.hasSuffix("\""), value.count >= 2 { value = value.dropFirst().dropLast() }
            guard (1...70).contains(value.utf8.count), value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                return nil
            }
            return String(value)
        }
        return nil
    }

    /// The parts in their order. The content is not copied.
    package static func parse(_ bytes: [UInt8], boundary: String) throws(MultipartParseError) -> [Part] {
        let delimiter = Array("\r\n--\(boundary)".utf8)
        let opening = Array(delimiter.dropFirst(2))
        var parts: [Part] = []
        // The first delimiter may stand at the very start, without its line break.
        var position: Int
        if bytes.starts(with: opening) {
            position = opening.count
        } else if let found = find(delimiter, in: bytes, from: 0) {
            position = found + delimiter.count
        } else {
            throw .noBoundary
        }
        while true {
            if bytes[position...].starts(with: "--".utf8) { return parts }
            guard parts.count < maximumParts else { throw .tooManyParts }
            let limit = min(bytes.count, position + maximumHeader)
            guard let headerEnd = find(Array("\r\n\r\n".utf8), in: bytes, from: position, until: limit) else {
                throw limit < bytes.count ? .headerTooLong : .unfinishedPart
            }
            let header = String(decoding: bytes[position..<headerEnd], as: UTF8.self)
            let start = headerEnd + 4
            // The blank line's own line break may begin the delimiter of an empty part.
            guard let end = find(delimiter, in: bytes, from: start - 2) else { throw .unfinishedPart }
            let (name, fileName) = try disposition(header)
            parts.append(Part(name: name, fileName: fileName, body: start..<max(start, end)))
            position = end + delimiter.count
        }
    }

    private static func disposition(_ header: String) throws(MultipartParseError) -> (String, String?) {
        for line in header.split(whereSeparator: \.isNewline)
        where line.lowercased().hasPrefix("content-disposition:") {
            guard let name = parameter("name", of: line) else { throw .missingName }
            return (name, parameter("filename", of: line))
        }
        throw .missingName
    }

    private static func parameter(_ name: String, of line: Substring) -> String? {
        for field in line.split(separator: ";").dropFirst() {
            let field = field.drop { $0 == " " }
            guard field.hasPrefix("\(name)=") else { continue }
            let value = field.dropFirst(name.count + 1)
            let isQuoted = value.hasPrefix("\"") && value.hasSuffix("\"") && value.count >= 2
            return String(isQuoted ? value.dropFirst().dropLast() : value)
        }
        return nil
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int, until end: Int? = nil) -> Int? {
        let last = (end ?? bytes.count) - needle.count
        guard start >= 0, start <= last, let first = needle.first else { return nil }
        var index = start
        while index <= last {
            // Most bytes of a video differ from the first byte of the delimiter.
            guard bytes[index] == first else {
                index += 1
                continue
            }
            if bytes[index..<index + needle.count].elementsEqual(needle) { return index }
            index += 1
        }
        return nil
    }
}
