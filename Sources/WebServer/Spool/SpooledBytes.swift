internal import Glibc
internal import Synchronization

/// Bytes of a large message, in a file without a name that is mapped into memory: what is not looked at takes none.
///
/// Gone with the last reference.
// SAFETY: the mapping is read-only and private to this object until its deinit.
@safe package final class SpooledBytes: @unchecked Sendable {
    package let count: Int
    private let start: UnsafeRawPointer?
    private let lease: SpoolBudget.Lease

    /// Nil where the file cannot be mapped. The descriptor stays the caller's.
    init?(descriptor: Int32, count: Int, lease: SpoolBudget.Lease) {
        self.count = count
        self.lease = lease
        guard count > 0 else {
            unsafe start = nil
            return
        }
        let mapped = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { return nil }
        unsafe start = UnsafeRawPointer(mapped)
    }

    deinit {
        if let start = unsafe start { unsafe _ = munmap(UnsafeMutableRawPointer(mutating: start), count) }
    }

    package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "outside of the spooled bytes")
        guard let start = unsafe start else { preconditionFailure("there are no bytes") }
        return unsafe start.load(fromByteOffset: index, as: UInt8.self)
    }

    /// A copy of some of them.
    package subscript(range: Range<Int>) -> [UInt8] {
        unsafe withBytes { bytes in unsafe Array(bytes[range]) }
    }

    /// `body` must not keep the pointer.
    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        unsafe body(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Where that byte stands first in a range of them; nothing outside of it is looked at.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside of the spooled bytes")
        return unsafe withBytes { bytes in
            guard !range.isEmpty, let base = bytes.baseAddress,
                let found = unsafe memchr(base + range.lowerBound, Int32(byte), range.count)
            else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    var isUTF8: Bool {
        unsafe withBytes { bytes in
            let span = unsafe Span<UInt8>(_unsafeElements: bytes.bindMemory(to: UInt8.self))
            return (try? UTF8Span(validating: span)) != nil
        }
    }
}

/// Some of the bytes of a large message.
package struct SpooledSlice: Sendable, Equatable {
    package let bytes: SpooledBytes
    package let range: Range<Int>

    package init(_ bytes: SpooledBytes, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "outside of the spooled bytes")
        self.bytes = bytes
        self.range = range
    }

    package var count: Int { range.count }

    /// Hands over the bytes piece by piece, so that they are never all in memory.
    package func forEachPiece<Failure: Error>(
        of size: Int = 1 << 20, _ body: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
            try body(bytes[start..<min(start + size, range.upperBound)])
        }
    }

    package static func == (left: SpooledSlice, right: SpooledSlice) -> Bool {
        left.bytes === right.bytes && left.range == right.range
    }
}

/// How many bytes may lie in spool files at a time.
final class SpoolBudget: Sendable {
    /// Bytes of one file; they are given back with it.
    final class Lease: Sendable {
        private let budget: SpoolBudget
        private let bytes = Atomic<Int>(0)

        init(_ budget: SpoolBudget) { self.budget = budget }

        func take(_ count: Int) -> Bool {
            guard budget.take(count) else { return false }
            bytes.wrappingAdd(count, ordering: .relaxed)
            return true
        }

        deinit { budget.give(back: bytes.load(ordering: .relaxed)) }
    }

    private let limit: Int
    private let used = Mutex(0)

    init(limit: Int) { self.limit = limit }

    fileprivate func take(_ count: Int) -> Bool {
        used.withLock { used in
            guard used + count <= limit else { return false }
            used += count
            return true
        }
    }

    fileprivate func give(back count: Int) {
        used.withLock { $0 -= count }
    }
}
