/// Takes keys, tokens and serial numbers out of what leaves the house in a bundle.
package struct Redactor: Sendable {
    package static let mark = "[redacted]"
    /// Shorter texts would take half of a log away.
    private static let minimumSecretLength = 4
    /// A hexadecimal key has 32 digits; fingerprints, which are no secrets, are written with colons.
    private static let keyDigits = 32
    private static let secretLabels = [
        "ice-pwd:", "ice-ufrag:", "Bearer ", "token=", "\"token\":\"", "\"sn\":\"", "password=",
    ]

    private let secrets: [String]

    /// - Parameter secrets: what is known to be secret, whatever it looks like.
    package init(secrets: [String] = []) {
        // The longest first, so that none is cut by a part of it.
        self.secrets = secrets.filter { $0.utf8.count >= Self.minimumSecretLength }.sorted { $0.count > $1.count }
    }

    package func redact(_ text: String) -> String {
        var result = text
        for secret in secrets {
            for spelling in Set([secret, secret.lowercased(), secret.uppercased()]) {
                result = Self.replacing(spelling, in: result)
            }
        }
        for label in Self.secretLabels { result = Self.hiding(after: label, in: result) }
        return Self.hidingWords(in: result)
    }

    private static func replacing(_ secret: String, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: secret) {
            result += rest[..<range.lowerBound] + mark
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    /// What follows a label up to white space, a quote or the next parameter.
    private static func hiding(after label: String, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: label) {
            result += rest[..<range.upperBound]
            let behind = rest[range.upperBound...]
            let end = behind.firstIndex { $0.isWhitespace || $0 == "\"" || $0 == "&" || $0 == "," } ?? behind.endIndex
            result += end == behind.startIndex ? "" : mark
            rest = behind[end...]
        }
        return result + rest
    }

    /// Words of letters and digits that look like a key or a robot's serial number.
    private static func hidingWords(in text: String) -> String {
        var result = ""
        var word = ""
        for character in text {
            if character.isASCII, character.isLetter || character.isNumber {
                word.append(character)
                continue
            }
            result += hidden(word)
            result.append(character)
            word = ""
        }
        return result + hidden(word)
    }

    private static func hidden(_ word: String) -> String {
        isKey(word) || isSerialNumber(word) ? mark : word
    }

    private static func isKey(_ word: String) -> Bool {
        word.utf8.count >= keyDigits && word.allSatisfy(\.isHexDigit)
    }

    /// A Go2's begins with B, a humanoid's with E; 16 capitals and digits.
    private static func isSerialNumber(_ word: String) -> Bool {
        guard word.utf8.count == 16, word.first == "B" || word.first == "E" else { return false }
        return word.allSatisfy { $0.isNumber || $0.isUppercase } && word.count(where: \.isNumber) >= 4
    }
}
