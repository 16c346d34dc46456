/// Takes the long strings out of a spooled packet's JSON, so that the rest is small and they stay in their file.
///
/// Each is replaced by a placeholder like an attachment's, numbered behind the packet's own attachments.
struct LongTexts {
    /// Bytes of a string that stays in the JSON.
    static let maximumInline = 64 << 10
    /// Bytes of the JSON without its long strings.
    static let maximumRest = 4 << 20
    private static let maximumCount = 16

    /// The packet's text without its long strings.
    private(set) var rest: [UInt8] = []
    /// The strings as they stand in the JSON, without their quotes and without an escape in them.
    private(set) var texts: [SpooledSlice] = []

    /// Nil where the rest is too large, a long string has escapes, or there are too many.
    /// - Parameter firstNumber: of the first placeholder.
    init?(_ packet: SpooledSlice, firstNumber: Int, maximumInline: Int = Self.maximumInline) {
        var index = packet.range.lowerBound
        let end = packet.range.upperBound
        let bytes = packet.bytes
        while index < end {
            // Up to the next string everything is copied.
            let quote = bytes.firstIndex(of: UInt8(ascii: "\""), in: index..<end) ?? end
            guard rest.count + quote - index <= Self.maximumRest else { return nil }
            rest += bytes[index..<quote]
            guard quote < end else { break }
            guard let close = Self.closingQuote(bytes, from: quote + 1, to: end) else { return nil }
            let text = quote + 1..<close.index
            index = close.index + 1
            guard text.count > maximumInline else {
                guard rest.count + text.count + 2 <= Self.maximumRest else { return nil }
                rest += bytes[quote..<index]
                continue
            }
            guard !close.hasEscapes, texts.count < Self.maximumCount else { return nil }
            rest += Array("{\"_placeholder\":true,\"num\":\(firstNumber + texts.count)}".utf8)
            texts.append(SpooledSlice(bytes, text))
        }
    }

    private static func closingQuote(
        _ bytes: SpooledBytes, from start: Int, to end: Int
    ) -> (index: Int, hasEscapes: Bool)? {
        var index = start
        var hasEscapes = false
        while let quote = bytes.firstIndex(of: UInt8(ascii: "\""), in: index..<end) {
            // An odd number of backslashes before it escapes it.
            var first = quote
            while first > index, bytes[first - 1] == UInt8(ascii: "\\") { first -= 1 }
            // No further than the quote: else each of many short strings would cost a look at the whole packet.
            hasEscapes = hasEscapes || bytes.firstIndex(of: UInt8(ascii: "\\"), in: index..<quote) != nil
            if (quote - first) % 2 == 0 { return (quote, hasEscapes) }
            index = quote + 1
        }
        return nil
    }
}
