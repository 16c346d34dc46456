package import Core

/// The 96 random bits that tie a response to its request.
/// - SeeAlso: [RFC 8489 §5](https://www.rfc-editor.org/rfc/rfc8489#section-5)
package struct STUNTransactionID: Hashable, Sendable {
    package static let byteCount = 12

    private let high: UInt32
    private let low: UInt64

    package init(random: RandomSource) {
        high = random.uint32()
        low = random.uint64()
    }

    /// Exactly 12 bytes; nil for another count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(bytes.span, at: 0)
    }

    /// The caller has checked that 12 bytes follow `offset`.
    init(_ bytes: Span<UInt8>, at offset: Int) {
        high = bytes.uint32(at: offset)
        low = UInt64(bytes.uint32(at: offset + 4)) << 32 | UInt64(bytes.uint32(at: offset + 8))
    }

    package var bytes: [UInt8] {
        var writer = ByteWriter(reservingCapacity: Self.byteCount)
        write(to: &writer)
        return writer.bytes
    }

    func write(to writer: inout ByteWriter) {
        writer.write(high)
        writer.write(low)
    }
}
