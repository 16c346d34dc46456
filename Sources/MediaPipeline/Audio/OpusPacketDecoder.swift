internal import COpus

/// Owns one libopus decoder; what it is fed may be hostile.
@safe package struct OpusPacketDecoder: ~Copyable {
    /// Opus packets hold at most 120 ms ([RFC 6716 §3.2.5](https://www.rfc-editor.org/rfc/rfc6716#section-3.2.5)).
    private static let maximumSamples = 5760
    private let decoder: OpaquePointer

    package init() throws(CodecError) {
        var status: Int32 = 0
        guard
            let decoder = unsafe opus_decoder_create(
                Int32(OpusFormat.sampleRateHz), Int32(OpusFormat.channels), &status)
        else {
            throw CodecError(code: .unavailable, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        unsafe self.decoder = decoder
    }

    deinit {
        unsafe opus_decoder_destroy(decoder)
    }

    /// The samples of one packet; nil stands for a lost one, which is concealed.
    package mutating func decode(_ packet: [UInt8]?) throws(CodecError) -> [Int16] {
        let decoder = unsafe self.decoder
        let capacity = packet == nil ? OpusFormat.samplesPerPacket : Self.maximumSamples
        var status: Int32 = 0
        let samples = unsafe [Int16](unsafeUninitializedCapacity: capacity) { buffer, count in
            if let packet {
                unsafe packet.withUnsafeBufferPointer { bytes in
                    unsafe status = opus_decode(
                        decoder, bytes.baseAddress, Int32(clamping: bytes.count), buffer.baseAddress!,
                        Int32(capacity), 0)
                }
            } else {
                unsafe status = opus_decode(decoder, nil, 0, buffer.baseAddress!, Int32(capacity), 0)
            }
            count = max(0, Int(status))
        }
        guard status > 0 else {
            throw CodecError(code: .decodeFailed, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        return samples
    }
}
