internal import COpus

/// Owns one libopus encoder with in-band forward error correction.
@safe package struct OpusPacketEncoder: ~Copyable {
    package enum Content: Sendable {
        case voice, anySound
    }
    private let encoder: OpaquePointer

    /// `bitRate` in bits per second.
    package init(bitRate: Int, content: Content = .voice) throws(CodecError) {
        var status: Int32 = 0
        let application = content == .voice ? OPUS_APPLICATION_VOIP : OPUS_APPLICATION_AUDIO
        guard
            let encoder = unsafe opus_encoder_create(
                Int32(OpusFormat.sampleRateHz), Int32(OpusFormat.channels), application, &status)
        else {
            throw CodecError(code: .unavailable, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        unsafe _ = copus_set_bitrate(encoder, Int32(min(max(bitRate, 6_000), 510_000)))
        unsafe _ = copus_set_inband_fec(encoder, 1)
        unsafe _ = copus_set_packet_loss_percent(encoder, 10)
        unsafe _ = copus_set_complexity(encoder, 5)
        if content == .voice { unsafe _ = copus_set_signal_voice(encoder) }
        unsafe self.encoder = encoder
    }

    deinit {
        unsafe opus_encoder_destroy(encoder)
    }

    /// How many samples the decoded sound lags behind what was encoded.
    package var lookahead: Int {
        var samples: Int32 = 0
        unsafe _ = copus_lookahead(encoder, &samples)
        return Int(samples)
    }

    /// Forgets what came before, as a new encoder would.
    package mutating func reset() {
        unsafe _ = copus_reset(encoder)
    }

    /// Encodes exactly one packet's samples.
    package mutating func encode(_ samples: [Int16]) throws(CodecError) -> [UInt8] {
        guard samples.count == OpusFormat.samplesPerPacket else {
            throw CodecError(code: .encodeFailed, reason: "\(samples.count) samples are not one packet")
        }
        let encoder = unsafe self.encoder
        var status: Int32 = 0
        let packet = unsafe [UInt8](unsafeUninitializedCapacity: OpusFormat.maximumPacketSize) { buffer, count in
            unsafe samples.withUnsafeBufferPointer { samples in
                unsafe status = opus_encode(
                    encoder, samples.baseAddress!, Int32(samples.count), buffer.baseAddress!, Int32(buffer.count))
            }
            count = max(0, Int(status))
        }
        guard status > 0 else {
            throw CodecError(code: .encodeFailed, reason: unsafe "libopus: \(String(cString: opus_strerror(status)))")
        }
        return packet
    }
}
