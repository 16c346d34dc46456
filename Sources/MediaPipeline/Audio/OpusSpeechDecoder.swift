internal import COpus

/// Owns one libopus decoder that gives speech as recognisers take it: 16 kHz, one channel. What it is fed may be hostile.
///
/// libopus decodes at this rate itself, so nothing has to be converted afterwards.
@safe package struct OpusSpeechDecoder: ~Copyable {
    package static let sampleRateHz = 16_000
    /// 120 ms, the most that a packet holds ([RFC 6716 §3.2.5](https://www.rfc-editor.org/rfc/rfc6716#section-3.2.5)).
    private static let maximumSamples = 1920
    private let decoder: OpaquePointer

    package init() throws(CodecError) {
        var status: Int32 = 0
        guard let decoder = unsafe opus_decoder_create(Int32(Self.sampleRateHz), 1, &status) else {
            throw CodecError(code: .unavailable, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        unsafe self.decoder = decoder
    }

    deinit {
        unsafe opus_decoder_destroy(decoder)
    }

    /// Forgets the sound before, as a new decoder would.
    package mutating func reset() {
        unsafe _ = copus_decoder_reset(decoder)
    }

    package mutating func decode(_ packet: [UInt8]) throws(CodecError) -> [Int16] {
        try run(packet, capacity: Self.maximumSamples, recovers: false)
    }

    /// The last `samples` before `next`, from the copy that `next` may carry of them (in-band FEC); concealed where it
    /// carries none. A multiple of 40 samples, 2.5 ms.
    package mutating func recover(_ samples: Int, from next: [UInt8]) throws(CodecError) -> [Int16] {
        try run(next, capacity: min(max(samples, 40), Self.maximumSamples), recovers: true)
    }

    /// Continues the sound before for so many samples, a multiple of 40; at most 120 ms.
    package mutating func conceal(_ samples: Int) throws(CodecError) -> [Int16] {
        try run(nil, capacity: min(max(samples, 40), Self.maximumSamples), recovers: false)
    }

    private mutating func run(_ packet: [UInt8]?, capacity: Int, recovers: Bool) throws(CodecError) -> [Int16] {
        let decoder = unsafe self.decoder
        var status: Int32 = 0
        let samples = unsafe [Int16](unsafeUninitializedCapacity: capacity) { buffer, count in
            guard let output = buffer.baseAddress else { return }
            if let packet {
                unsafe packet.withUnsafeBufferPointer { bytes in
                    unsafe status = opus_decode(
                        decoder, bytes.baseAddress, Int32(clamping: bytes.count), output, Int32(capacity),
                        recovers ? 1 : 0)
                }
            } else {
                unsafe status = opus_decode(decoder, nil, 0, output, Int32(capacity), 0)
            }
            count = min(max(0, Int(status)), capacity)
        }
        guard status > 0 else {
            throw CodecError(code: .decodeFailed, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        return samples
    }
}
