internal import Core

/// Issues and checks nonces without keeping any: each is the time of its issue, signed for one client path.
///
/// ```
/// base64url( seconds (4 bytes) | HMAC-SHA1(key, seconds | path), first 8 bytes ) = 16 characters
/// ```
/// A nonce that comes back therefore proves that the client receives on the path it sends from.
/// - SeeAlso: [RFC 8489 §9.2](https://www.rfc-editor.org/rfc/rfc8489#section-9.2)
struct NonceIssuer: Sendable {
    enum Verdict: Equatable, Sendable {
        case fresh
        /// Ours and for this path, but too old.
        case stale
        /// Never issued to this path by this process.
        case foreign
    }

    /// A shorter one would end browsers' allocations (see ``TURNServer/Lifetimes/nonce``).
    static let leastLifetime: Duration = .seconds(3_600)
    private static let signatureLength = 8

    private let key: [UInt8]
    private let lifetime: Duration

    init(lifetime: Duration, random: RandomSource) {
        key = random.bytes(20)
        self.lifetime = max(lifetime, Self.leastLifetime)
    }

    func nonce(for path: TURNClientPath, now: Instant) -> String {
        let seconds = Self.seconds(now)
        var writer = ByteWriter(reservingCapacity: 4 + Self.signatureLength)
        writer.write(seconds)
        writer.write(signature(seconds: seconds, path: path))
        return Base64.encode(writer.bytes, urlSafe: true)
    }

    func verdict(on nonce: some StringProtocol, for path: TURNClientPath, now: Instant) -> Verdict {
        guard nonce.utf8.count == 16, let bytes = Base64.decode(nonce), bytes.count == 4 + Self.signatureLength else {
            return .foreign
        }
        let issued = bytes.span.uint32(at: 0)
        guard constantTimeEquals(bytes.dropFirst(4), signature(seconds: issued, path: path)) else { return .foreign }
        let age = Duration.seconds(Int64(Self.seconds(now) &- issued))
        return age < lifetime ? .fresh : .stale
    }

    private func signature(seconds: UInt32, path: TURNClientPath) -> ArraySlice<UInt8> {
        var writer = ByteWriter(reservingCapacity: 32)
        writer.write(seconds)
        switch path.transport {
        case .udp: writer.write(UInt64(0))
        // Connections are counted from 0, so one more never looks like UDP.
        case .tcp(let connection, _): writer.write(connection &+ 1)
        }
        writer.write(path.address.port)
        writer.write(path.address.ip.bytes)
        return MessageDigest.sha1.authenticate(writer.bytes, key: key).prefix(Self.signatureLength)
    }

    private static func seconds(_ instant: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: instant.nanoseconds / 1_000_000_000)
    }
}
