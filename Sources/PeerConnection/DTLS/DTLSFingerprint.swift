internal import Core

/// A certificate's digest as SDP carries it: `sha-256 AB:CD:…`.
/// - SeeAlso: [RFC 8122 §5](https://www.rfc-editor.org/rfc/rfc8122#section-5)
package struct DTLSFingerprint: Hashable, Sendable {
    /// The hash functions that are accepted. MD5 and SHA-1 prove nothing any more and are not.
    package enum Algorithm: String, Sendable {
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

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

    /// Nil where the digest has another length than the algorithm's.
    package init?(algorithm: Algorithm, digest: [UInt8]) {
        guard digest.count == algorithm.digestLength else { return nil }
        self.algorithm = algorithm
        self.digest = digest
    }

    /// Parses the attribute's value, `sha-256 AB:CD:…`. Nil for an unknown algorithm or a digest of another length.
    package init?(sdp text: some StringProtocol) {
        let parts = text.split(separator: " ")
        guard text.utf8.count <= 256, parts.count == 2,
            let algorithm = Algorithm(rawValue: parts[0].lowercased())
        else { return nil }
        let pairs = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard pairs.allSatisfy({ $0.utf8.count == 2 }),
            let digest = [UInt8](hexadecimal: pairs.joined())
        else { return nil }
        self.init(algorithm: algorithm, digest: digest)
    }

    /// The digest as SDP writes it: upper-case pairs with colons between.
    package var digestText: String {
        digest.map { [$0].hexadecimal.uppercased() }.joined(separator: ":")
    }

    /// The attribute's value.
    package var sdp: String { "\(algorithm.rawValue) \(digestText)" }
}
