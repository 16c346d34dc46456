/// The ICE part of an SDP text, as trickle ICE sends it over HTTP: `application/trickle-ice-sdpfrag`.
///
/// - SeeAlso: [RFC 8840 §9](https://www.rfc-editor.org/rfc/rfc8840#section-9)
package struct SDPFragment: Equatable, Sendable {
    package enum ParseError: Error, Equatable {
        case tooLong, tooManyCandidates, notText, noCredentials
    }

    /// Bytes.
    package static let maximumLength = 32_768
    package static let maximumCandidates = 64

    package var usernameFragment: String
    package var password: String
    /// Candidate lines without `a=`.
    package var candidates: [String]
    package var endsCandidates: Bool
    /// The `m=` line and the `mid` of the first media section, which a reply repeats.
    package var mediaLine: String?
    package var mid: String?

    /// Reads a fragment, or as much of a whole session description as a fragment would hold.
    package init(_ bytes: [UInt8]) throws(ParseError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLong }
        guard !bytes.contains(0) else { throw .notText }
        var usernameFragment: String?
        var password: String?
        candidates = []
        endsCandidates = false
        for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("m=") {
                mediaLine = mediaLine ?? text
            } else if let value = Self.value("a=ice-ufrag:", of: text) {
                usernameFragment = usernameFragment ?? value
            } else if let value = Self.value("a=ice-pwd:", of: text) {
                password = password ?? value
            } else if let value = Self.value("a=mid:", of: text) {
                mid = mid ?? value
            } else if text.hasPrefix("a=candidate:") {
                guard candidates.count < Self.maximumCandidates else { throw .tooManyCandidates }
                let candidate = String(text.dropFirst(2))
                if !candidates.contains(candidate) { candidates.append(candidate) }
            } else if text == "a=end-of-candidates" {
                endsCandidates = true
            }
        }
        guard let usernameFragment, let password, !usernameFragment.isEmpty, !password.isEmpty else {
            throw .noCredentials
        }
        self.usernameFragment = usernameFragment
        self.password = password
    }

    private static func value(_ prefix: String, of line: String) -> String? {
        line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
    }

    /// The body of the reply to an ICE restart.
    package var text: String {
        var lines = ["a=ice-options:trickle ice2"]
        if let mediaLine { lines.append(mediaLine) }
        if let mid { lines.append("a=mid:\(mid)") }
        lines += ["a=ice-ufrag:\(usernameFragment)", "a=ice-pwd:\(password)"]
        lines += candidates.map { "a=\($0)" }
        if endsCandidates { lines.append("a=end-of-candidates") }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    /// `offer` with this fragment's credentials and candidates in place of its own: what the browser would offer if WHEP
    /// let it make a further offer.
    package func restarting(_ offer: String) -> String {
        var lines: [String] = []
        var hasCandidates = false
        for line in offer.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("a=ice-ufrag:") {
                lines.append("a=ice-ufrag:\(usernameFragment)")
            } else if text.hasPrefix("a=ice-pwd:") {
                lines.append("a=ice-pwd:\(password)")
                // The candidates of the one bundled transport stand in its first media section.
                if !hasCandidates {
                    hasCandidates = true
                    lines += candidates.map { "a=\($0)" }
                    if endsCandidates { lines.append("a=end-of-candidates") }
                }
            } else if text.hasPrefix("o=") {
                lines.append(Self.nextVersion(of: text))
            } else if !text.hasPrefix("a=candidate:"), text != "a=end-of-candidates" {
                lines.append(text)
            }
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    private static func nextVersion(of origin: String) -> String {
        var fields = origin.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard fields.count > 2, let version = UInt64(fields[2]), version < .max else { return origin }
        fields[2] = String(version + 1)
        return fields.joined(separator: " ")
    }
}
