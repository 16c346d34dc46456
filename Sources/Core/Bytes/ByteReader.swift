/// Reads big-endian fields from borrowed bytes. Every read past the end returns nil and moves nothing: it never traps.
package struct ByteReader: ~Escapable {
    private let bytes: Span<UInt8>
    /// How many bytes were consumed so far.
    package private(set) var offset: Int

    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
        self.offset = 0
    }

    /// How many bytes are left.
    package var remaining: Int { bytes.count - offset }
    package var isAtEnd: Bool { offset >= bytes.count }

    package mutating func readUInt8() -> UInt8? {
        guard remaining >= 1 else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    package mutating func readUInt16() -> UInt16? {
        guard remaining >= 2 else { return nil }
        defer { offset += 2 }
        return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }

    package mutating func readUInt24() -> UInt32? {
        guard remaining >= 3 else { return nil }
        defer { offset += 3 }
        return UInt32(bytes[offset]) << 16 | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2])
    }

    package mutating func readUInt32() -> UInt32? {
        guard remaining >= 4 else { return nil }
        defer { offset += 4 }
        return bytes.uint32(at: offset)
    }

    package mutating func readUInt64() -> UInt64? {
        guard remaining >= 8 else { return nil }
        defer { offset += 8 }
        return UInt64(bytes.uint32(at: offset)) << 32 | UInt64(bytes.uint32(at: offset + 4))
    }

    /// Copies the next `count` bytes.
    package mutating func readBytes(_ count: Int) -> [UInt8]? {
        guard count >= 0, remaining >= count else { return nil }
        defer { offset += count }
        return bytes.array(offset..<(offset + count))
    }

    package mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, remaining >= count else { return false }
        offset += count
        return true
    }

    /// Borrows the next `count` bytes.
    @_lifetime(copy self)
    package mutating func readSpan(_ count: Int) -> Span<UInt8>? {
        guard count >= 0, remaining >= count else { return nil }
        let range = offset..<(offset + count)
        offset += count
        return bytes.extracting(range)
    }
}

extension Span where Element == UInt8 {
    /// The big-endian 16-bit value at `offset`; the caller has checked the bounds (out of bounds traps, it never reads).
    package func uint16(at offset: Int) -> UInt16 {
        UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
    }

    /// The big-endian 32-bit value at `offset`; the caller has checked the bounds (out of bounds traps, it never reads).
    package func uint32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16 | UInt32(self[offset + 2]) << 8
            | UInt32(self[offset + 3])
    }

    /// A copy of the bytes in `range`.
    package func array(_ range: Range<Int>) -> [UInt8] {
        let part = extracting(range)
        return unsafe part.withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }

    /// A copy of all bytes.
    package func array() -> [UInt8] {
        array(0..<count)
    }
}
