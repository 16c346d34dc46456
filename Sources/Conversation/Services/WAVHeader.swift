/// How the samples of raw sound are laid out: 16 bits, little-endian, channels interleaved.
struct PCMLayout: Equatable, Sendable {
    var sampleRateHz: Int
    var channels: Int
}

/// The head of a RIFF WAVE file that arrives piece by piece; does no I/O.
///
/// ```
/// "RIFF" size "WAVE" { id(4) size(4, little-endian) bytes[size] pad to even }...
/// "fmt ": format(2) channels(2) rate(4) byte rate(4) block(2) bits(2) ...      "data": the samples
/// ```
/// Services that stream do not know the sizes: those of RIFF and data are 0, 0xFFFFFFFF or wrong, and are not obeyed.
enum WAVHeader {
    enum Finding: Equatable, Sendable {
        /// More bytes are needed to tell.
        case incomplete
        /// No WAV file.
        case absent
        /// The samples begin at `offset`.
        case found(PCMLayout, offset: Int)
        /// A WAV file of another kind, or a broken one.
        case unusable(String)
    }

    /// Bytes before the samples, at most.
    static let maximumBytes = 64 << 10
    /// Integer samples; and the format that is told by the first two bytes of a GUID behind.
    private static let pcm = 1
    private static let extensible = 0xFFFE

    static func find(in bytes: [UInt8]) -> Finding {
        let magic = Array("RIFF".utf8)
        guard bytes.count >= 12 else {
            return bytes.elementsEqual(magic.prefix(bytes.count)) || bytes.starts(with: magic) ? .incomplete : .absent
        }
        guard bytes.starts(with: magic), bytes[8..<12].elementsEqual("WAVE".utf8) else { return .absent }
        var offset = 12
        var layout: PCMLayout?
        while true {
            guard offset <= maximumBytes else { return .unusable("a WAV file without sound") }
            guard bytes.count >= offset + 8 else { return .incomplete }
            let id = bytes[offset..<(offset + 4)]
            let size = number(bytes, offset + 4, 4)
            let start = offset + 8
            if id.elementsEqual("data".utf8) {
                guard let layout else { return .unusable("a WAV file that does not say its format") }
                return .found(layout, offset: start)
            }
            guard size <= maximumBytes else {
                return .unusable("a WAV file with a part of \(size) bytes before its sound")
            }
            if id.elementsEqual("fmt ".utf8) {
                guard size >= 16 else { return .unusable("a WAV file with a broken format") }
                guard bytes.count >= start + size else { return .incomplete }
                var format = number(bytes, start, 2)
                if format == extensible && size >= 26 { format = number(bytes, start + 24, 2) }
                let bits = number(bytes, start + 14, 2)
                guard format == pcm && bits == 16 else {
                    return .unusable("a WAV file of format \(format) with \(bits) bits; 16 bits of PCM are understood")
                }
                layout = PCMLayout(sampleRateHz: number(bytes, start + 4, 4), channels: number(bytes, start + 2, 2))
            }
            offset = start + size + size % 2
        }
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }

    /// A whole file of one channel.
    static func file(_ samples: [Int16], sampleRateHz: Int) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        let length = samples.count * 2
        var bytes = Array("RIFF".utf8) + number(36 + length, 4) + Array("WAVEfmt ".utf8) + number(16, 4)
        bytes += number(pcm, 2) + number(1, 2) + number(sampleRateHz, 4) + number(sampleRateHz * 2, 4)
        bytes += number(2, 2) + number(16, 2) + Array("data".utf8) + number(length, 4)
        bytes.reserveCapacity(bytes.count + length)
        for sample in samples {
            bytes.append(UInt8(truncatingIfNeeded: sample))
            bytes.append(UInt8(truncatingIfNeeded: sample >> 8))
        }
        return bytes
    }
}
