internal import CFFmpeg
internal import Glibc

/// Owns the bytes of a file and lends them to FFmpeg as if it were one.
@safe final class MemoryFile {
    private static let bufferSize: Int32 = 16_384

    private let bytes: [UInt8]
    private var position = 0
    private(set) var context: UnsafeMutablePointer<AVIOContext>

    /// Nil where memory is short.
    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard let buffer = unsafe av_malloc(Int(Self.bufferSize)) else { return nil }
        // The context exists before `self` may be lent, so it is made without its owner and told it afterwards.
        guard
            let context = unsafe avio_alloc_context(
                buffer.assumingMemoryBound(to: UInt8.self), Self.bufferSize, 0, nil,
                { owner, output, count in unsafe MemoryFile.read(owner, output, count) }, nil,
                { owner, offset, whence in unsafe MemoryFile.seek(owner, offset, whence) })
        else {
            unsafe av_free(buffer)
            return nil
        }
        unsafe self.context = context
        unsafe context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        // FFmpeg may have put another buffer in place of the first.
        unsafe av_free(context.pointee.buffer)
        var freed: UnsafeMutablePointer<AVIOContext>? = unsafe context
        unsafe avio_context_free(&freed)
    }

    private static func read(
        _ owner: UnsafeMutableRawPointer?, _ output: UnsafeMutablePointer<UInt8>?, _ count: Int32
    ) -> Int32 {
        guard let owner = unsafe owner, let output = unsafe output else { return endOfFile }
        let file = unsafe Unmanaged<MemoryFile>.fromOpaque(owner).takeUnretainedValue()
        let length = min(max(Int(count), 0), file.bytes.count - file.position)
        guard length > 0 else { return endOfFile }
        unsafe file.bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe output.update(from: start + file.position, count: length)
        }
        file.position += length
        return Int32(length)
    }

    private static func seek(_ owner: UnsafeMutableRawPointer?, _ offset: Int64, _ whence: Int32) -> Int64 {
        guard let owner = unsafe owner else { return -1 }
        let file = unsafe Unmanaged<MemoryFile>.fromOpaque(owner).takeUnretainedValue()
        let size = Int64(file.bytes.count)
        let origin: Int64
        switch whence & ~AVSEEK_FORCE {
        case AVSEEK_SIZE: return size
        case SEEK_SET: origin = 0
        case SEEK_CUR: origin = Int64(file.position)
        case SEEK_END: origin = size
        default: return -1
        }
        let (target, overflow) = origin.addingReportingOverflow(offset)
        guard !overflow, target >= 0, target <= size else { return -1 }
        file.position = Int(target)
        return target
    }

    /// `AVERROR_EOF`, a macro of four letters: -('E' | 'O' << 8 | 'F' << 16 | ' ' << 24).
    private static let endOfFile: Int32 = -(0x45 | 0x4F << 8 | 0x46 << 16 | 0x20 << 24)
}
