internal import Core

/// The digest by which SDP vouches for a DTLS certificate.
/// - SeeAlso: [RFC 8122 §5](https://www.rfc-editor.org/rfc/rfc8122#section-5)
package struct CertificateFingerprint: Hashable, Sendable {
    /// MD5 and SHA-1 are refused: a forged certificate is within reach (RFC 8122 §5).
    package enum Algorithm: String, Sendable, CaseIterable {
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        /// Bytes.
        package var digestLength: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }
    }

    package let algorithm: Algorithm
    package let digest: [UInt8]

    /// Nil where the digest has not the algorithm's length.
    package init?(algorithm: Algorithm, digest: [UInt8]) {
        guard digest.count == algorithm.digestLength else { return nil }
        self.algorithm = algorithm
        self.digest = digest
    }

    /// Parses an attribute's value, `sha-256 AB:CD:…`; nil for another algorithm or another form.
    package init?(attributeValue value: some StringProtocol) {
        let words = value.split(separator: " ")
        guard words.count == 2, let algorithm = Algorithm(rawValue: words[0].lowercased()) else { return nil }
        let octets = words[1].split(separator: ":", omittingEmptySubsequences: false)
        guard octets.count == algorithm.digestLength, octets.allSatisfy({ $0.utf8.count == 2 }),
            let digest = [UInt8](hexadecimal: octets.joined())
        else { return nil }
        self.init(algorithm: algorithm, digest: digest)
    }

    /// The attribute's value: upper-case octets with colons, as RFC 8122 demands.
    package var attributeValue: String {
        let octets = digest.map { [$0].hexadecimal.uppercased() }
        return "\(algorithm.rawValue) \(octets.joined(separator: ":"))"
    }
}
