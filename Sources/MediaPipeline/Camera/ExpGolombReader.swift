/// Reads the bits of a NAL unit's payload, emulation prevention bytes left out.
/// - SeeAlso: ITU-T H.264 §7.3.1 (`emulation_prevention_three_byte`), §9.1 (`ue(v)`).
struct ExpGolombReader {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    /// Bits of the byte at ``index`` that were read, 0...7.
    private var bit = 0
    private var zeros = 0

    /// - Parameter offset: bytes to skip: the NAL unit's header and what follows it.
    init(_ nalUnit: [UInt8], skipping offset: Int) {
        bytes = nalUnit.dropFirst(offset)
        index = bytes.startIndex
    }

    /// Nil at the end.
    private mutating func readBit() -> UInt32? {
        guard index < bytes.endIndex else { return nil }
        if bit == 0 {
            if zeros >= 2, bytes[index] == 3 {
                zeros = 0
                index += 1
                guard index < bytes.endIndex else { return nil }
            }
            zeros = bytes[index] == 0 ? zeros + 1 : 0
        }
        let value = UInt32(bytes[index] >> UInt8(7 - bit)) & 1
        bit += 1
        if bit == 8 {
            bit = 0
            index += 1
        }
        return value
    }

    /// An unsigned Exp-Golomb code; nil at the end, and for codes of more than 32 bits.
    mutating func readUnsigned() -> UInt32? {
        var leading = 0
        while true {
            guard let bit = readBit() else { return nil }
            if bit == 1 { break }
            leading += 1
            guard leading < 32 else { return nil }
        }
        var suffix: UInt32 = 0
        for _ in 0..<leading {
            guard let bit = readBit() else { return nil }
            suffix = suffix << 1 | bit
        }
        return (UInt32(1) << UInt32(leading)) &- 1 &+ suffix
    }
}
