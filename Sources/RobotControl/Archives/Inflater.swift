internal import CZlib

/// Inflates one raw deflate stream ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)); owns zlib's state.
@safe struct Inflater: ~Copyable {
    /// The last block has ended.
    private(set) var isFinished = false
    /// Of fixed address, because zlib's state points back at it.
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8](repeating: 0, count: 65_536)

    init() throws(ArchiveFailure) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe czlib_inflate_init_raw(stream) == Z_OK else {
            throw ArchiveFailure(.storage, "There is no memory to inflate with.")
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Takes packed bytes and hands over what comes out, at most 64 KiB at a time. False where there are more bytes than
    /// the stream has.
    mutating func inflate(
        _ packed: [UInt8], to take: (Span<UInt8>) throws(ArchiveFailure) -> Void
    ) throws(ArchiveFailure) -> Bool {
        var used = 0
        while true {
            let (status, consumed, produced) = step(packed, from: used)
            used += consumed
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw ArchiveFailure(.damaged, "Packed data is damaged.")
            }
            if produced > 0 { try take(output.span.extracting(0..<produced)) }
            if status == Z_STREAM_END {
                isFinished = true
                return used == packed.count
            }
            // A full buffer may hide more; otherwise everything was used.
            if produced < output.count { return true }
        }
    }

    private mutating func step(_ packed: [UInt8], from used: Int) -> (status: Int32, consumed: Int, produced: Int) {
        let left = packed.count - used
        return unsafe packed.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(
                    mutating: input.baseAddress.map { unsafe $0 + used })
                unsafe stream.pointee.avail_in = UInt32(left)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = UInt32(output.count)
                let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                return unsafe (
                    status, left - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out)
                )
            }
        }
    }
}

/// The CRC-32 of a file's bytes, taken piece by piece.
struct ArchiveChecksum {
    private(set) var value: UInt32 = 0

    mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            value = UInt32(truncatingIfNeeded: unsafe crc32_z(UInt(value), buffer.baseAddress, buffer.count))
        }
    }
}
