/// A STUN or TURN server as the former service wrote it: `turn:HOST:PORT`, `HOST:PORT` or `HOST`.
///
/// - SeeAlso: [RFC 7064](https://www.rfc-editor.org/rfc/rfc7064), [RFC 7065](https://www.rfc-editor.org/rfc/rfc7065)
struct ServerURL: Equatable, Sendable {
    var scheme: String
    var host: String
    var port: UInt16
    /// `udp` or `tcp`, from `?transport=`; UDP where nothing is said.
    var usesTCP: Bool

    /// Nil for text that names no server. A text without a scheme is taken as TURN.
    init?(_ text: String) {
        var rest = Substring(text)
        guard text.utf8.count <= 300, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        scheme = "turn"
        for known in ["stun", "turn"] where rest.hasPrefix("\(known):") {
            scheme = known
            rest = rest.dropFirst(known.count + 1)
        }
        usesTCP = false
        if let query = rest.firstIndex(of: "?") {
            switch rest[query...] {
            case "?transport=udp": break
            case "?transport=tcp": usesTCP = true
            default: return nil
            }
            rest = rest[..<query]
        }
        port = 3478
        if rest.hasPrefix("["), let close = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
        } else {
            host = String(rest.prefix { $0 != ":" })
            rest = rest.dropFirst(host.count)
        }
        if !rest.isEmpty {
            guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
            port = number
        }
        guard !host.isEmpty, !host.contains("/"), !host.contains("@") else { return nil }
    }
}
