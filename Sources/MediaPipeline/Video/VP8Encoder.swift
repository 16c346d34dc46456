internal import CVPX
package import PeerConnection

/// Why a codec refused its work.
package struct CodecError: Error, Equatable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case unavailable, encodeFailed, decodeFailed
    }
    package let code: Code
    package let reason: String

    package var description: String { reason }
}

/// Owns one libvpx VP8 encoder: real-time, one pass, constant bit rate, one thread.
@safe package struct VP8Encoder: ~Copyable {
    package struct Configuration: Sendable, Equatable {
        package enum Effort: Sendable {
            /// As cheap as libvpx gets while it still looks well.
            case live
            /// For pictures that are encoded once and replayed for hours.
            case thorough
        }
        package var width: Int
        package var height: Int
        package var framesPerSecond: Int
        /// Bits per second.
        package var bitRate: Int
        package var effort: Effort = .live
        /// What ``VP8Encoder/encode(_:forceKeyFrame:ticks:)`` counts time in; nil: pictures, which then are equally far apart.
        package var ticksPerSecond: Int?

        package init(width: Int, height: Int, framesPerSecond: Int, bitRate: Int, effort: Effort = .live) {
            self.width = width
            self.height = height
            self.framesPerSecond = framesPerSecond
            self.bitRate = bitRate
            self.effort = effort
        }
    }

    /// One encoded frame, whole.
    package struct EncodedFrame: Sendable {
        package let bytes: [UInt8]
        package let isKeyFrame: Bool

        package var payloads: PacketizedPayloads {
            VP8Packetizer.packetize(frame: bytes, isKeyFrame: isKeyFrame)
        }
    }

    private let configuration: Configuration
    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    /// When the next picture begins, in ticks.
    private var time: Int64 = 0

    package init(_ configuration: Configuration) throws(CodecError) {
        var settings = unsafe vpx_codec_enc_cfg_t()
        guard unsafe cvpx_vp8_encoder_defaults(&settings) == VPX_CODEC_OK else {
            throw CodecError(code: .unavailable, reason: "libvpx has no VP8 encoder")
        }
        unsafe Self.apply(configuration, to: &settings)
        let context = UnsafeMutablePointer<vpx_codec_ctx_t>.allocate(capacity: 1)
        unsafe context.initialize(to: vpx_codec_ctx_t())
        guard unsafe cvpx_vp8_encoder_init(context, &settings) == VPX_CODEC_OK else {
            let reason = unsafe String(cString: vpx_codec_error(context))
            unsafe context.deallocate()
            throw CodecError(
                code: .unavailable,
                reason: "libvpx refuses \(configuration.width)x\(configuration.height): \(reason)")
        }
        // Negative values fix the speed; positive ones adapt it to the machine's load, which makes it unsteady.
        unsafe _ = cvpx_set_cpu_used(context, configuration.effort == .live ? -10 : -3)
        unsafe _ = cvpx_set_static_threshold(context, configuration.effort == .live ? 100 : 1)
        unsafe _ = cvpx_set_noise_sensitivity(context, 0)
        unsafe _ = cvpx_set_token_partitions(context, 0)
        // A key frame may take what 0.3 s of the stream take, so that it looks well at once.
        unsafe _ = cvpx_set_max_intra_bit_rate(context, 900)
        self.configuration = configuration
        unsafe self.context = context
    }

    deinit {
        unsafe _ = vpx_codec_destroy(context)
        unsafe context.deallocate()
    }

    private static func apply(_ configuration: Configuration, to settings: inout vpx_codec_enc_cfg_t) {
        unsafe settings.g_w = UInt32(configuration.width)
        unsafe settings.g_h = UInt32(configuration.height)
        unsafe settings.g_timebase = vpx_rational(
            num: 1, den: Int32(clamping: configuration.ticksPerSecond ?? configuration.framesPerSecond))
        unsafe settings.g_threads = 1
        unsafe settings.g_lag_in_frames = 0
        unsafe settings.g_error_resilient = 0
        unsafe settings.g_pass = VPX_RC_ONE_PASS
        unsafe settings.rc_end_usage = VPX_CBR
        unsafe settings.rc_target_bitrate = UInt32(max(1, configuration.bitRate / 1000))
        unsafe settings.rc_min_quantizer = configuration.effort == .live ? 10 : 18
        unsafe settings.rc_max_quantizer = 56
        unsafe settings.rc_undershoot_pct = 100
        unsafe settings.rc_overshoot_pct = 15
        // Milliseconds of the stream: how much the decoder buffers, at start and at most.
        unsafe settings.rc_buf_initial_sz = 500
        unsafe settings.rc_buf_optimal_sz = 600
        unsafe settings.rc_buf_sz = 1000
        // Pictures are never dropped: the playout clock paces them.
        unsafe settings.rc_dropframe_thresh = 0
        unsafe settings.rc_resize_allowed = 0
        // Key frames come when the playout asks for them, never by themselves.
        unsafe settings.kf_mode = VPX_KF_DISABLED
    }

    /// Encodes one picture of the configured size; the first one is a key frame in any case.
    /// - Parameter ticks: how long it lasts, at least 1; the rate control shares the bits out by it.
    package mutating func encode(
        _ picture: borrowing I420Picture, forceKeyFrame: Bool = false, ticks: Int64 = 1
    ) throws(CodecError) -> EncodedFrame {
        guard picture.width == configuration.width, picture.height == configuration.height else {
            throw CodecError(code: .encodeFailed, reason: "a picture of another size than the encoder's")
        }
        let flags = forceKeyFrame ? vpx_enc_frame_flags_t(VPX_EFLAG_FORCE_KF) : 0
        let start = time
        let duration = max(1, ticks)
        time += duration
        let context = unsafe self.context
        let status = unsafe picture.withBytes { bytes in
            var image = unsafe vpx_image_t()
            guard
                unsafe vpx_img_wrap(
                    &image, VPX_IMG_FMT_I420, UInt32(picture.width), UInt32(picture.height), 1, bytes.baseAddress)
                    != nil
            else { return VPX_CODEC_MEM_ERROR }
            // The wrapped image owns nothing: there is nothing to free.
            return unsafe vpx_codec_encode(context, &image, start, UInt(duration), flags, UInt(VPX_DL_REALTIME))
        }
        guard status == VPX_CODEC_OK else {
            throw CodecError(
                code: .encodeFailed, reason: unsafe "libvpx: \(String(cString: vpx_codec_error(context)))")
        }
        var frame: [UInt8] = []
        var isKeyFrame = false
        var iterator: vpx_codec_iter_t?
        while let packet = unsafe vpx_codec_get_cx_data(context, &iterator) {
            guard unsafe cvpx_is_frame(packet) != 0, let bytes = unsafe cvpx_frame_bytes(packet) else { continue }
            unsafe frame.append(contentsOf: UnsafeBufferPointer(start: bytes, count: cvpx_frame_size(packet)))
            isKeyFrame = unsafe isKeyFrame || cvpx_frame_is_key(packet) != 0
        }
        guard !frame.isEmpty else { throw CodecError(code: .encodeFailed, reason: "libvpx gave no frame") }
        return EncodedFrame(bytes: frame, isKeyFrame: isKeyFrame)
    }
}
