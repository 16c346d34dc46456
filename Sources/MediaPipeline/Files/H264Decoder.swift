internal import CFFmpeg

/// Owns one H.264 decoder of FFmpeg: one thread, no delay. Hostile bitstreams cost an error and nothing else.
///
/// A size that changes with a new parameter set is followed by itself.
/// - SeeAlso: ITU-T H.264 Annex B for the byte stream that it is fed with.
@safe package struct H264Decoder: ~Copyable {
    package struct PictureSize: Equatable, Sendable {
        package var width: Int
        package var height: Int

        package init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }

        /// This size or, with the same shape, the largest that fits into `limit`; both sides even, so that the planes of
        /// chroma are exactly half of it.
        package func fitted(into limit: PictureSize) -> PictureSize {
            let ratio = min(1, Double(limit.width) / Double(width), Double(limit.height) / Double(height))
            func even(_ side: Int, _ limit: Int) -> Int {
                min(max(2, Int((Double(side) * ratio).rounded()) & ~1), limit & ~1)
            }
            return PictureSize(width: even(width, limit.width), height: even(height, limit.height))
        }
    }

    /// The smallest side that is taken for a picture: one macroblock.
    package static let minimumSide = 16
    /// Points of the largest picture: 1080 lines, in whole macroblocks. A forged parameter set cannot claim gigabytes.
    package static let defaultMaximumPixels = 1920 * 1088

    private let decoder: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    /// The picture decoded last, until the next call.
    private let frame: UnsafeMutablePointer<AVFrame>
    private let spare: UnsafeMutablePointer<AVFrame>
    private var scaler = PictureScaler()

    package init(maximumPixels: Int = defaultMaximumPixels) throws(CodecError) {
        // FFmpeg would write to standard error by itself; what matters comes back as a return code.
        av_log_set_level(AV_LOG_FATAL)
        guard let codec = unsafe avcodec_find_decoder(AV_CODEC_ID_H264),
            let decoder = unsafe avcodec_alloc_context3(codec)
        else { throw CodecError(code: .unavailable, reason: "FFmpeg has no H.264 decoder") }
        // Several threads would hold back as many pictures.
        unsafe decoder.pointee.thread_count = 1
        unsafe decoder.pointee.flags |= Int32(bitPattern: UInt32(AV_CODEC_FLAG_LOW_DELAY))
        unsafe decoder.pointee.max_pixels = Int64(maximumPixels)
        var (packet, frame, spare) = unsafe (av_packet_alloc(), av_frame_alloc(), av_frame_alloc())
        let status = unsafe avcodec_open2(decoder, codec, nil)
        guard status >= 0, let madePacket = unsafe packet, let madeFrame = unsafe frame, let madeSpare = unsafe spare
        else {
            var freed: UnsafeMutablePointer<AVCodecContext>? = unsafe decoder
            unsafe avcodec_free_context(&freed)
            unsafe av_packet_free(&packet)
            unsafe av_frame_free(&frame)
            unsafe av_frame_free(&spare)
            throw CodecError(
                code: .unavailable, reason: "FFmpeg's H.264 decoder cannot be opened: \(MediaDemuxer.text(of: status))")
        }
        unsafe self.decoder = decoder
        unsafe self.packet = madePacket
        unsafe self.frame = madeFrame
        unsafe self.spare = madeSpare
    }

    deinit {
        var (frame, spare) = unsafe (Optional(self.frame), Optional(self.spare))
        var (packet, decoder) = unsafe (Optional(self.packet), Optional(self.decoder))
        unsafe av_frame_free(&frame)
        unsafe av_frame_free(&spare)
        unsafe av_packet_free(&packet)
        unsafe avcodec_free_context(&decoder)
    }

    /// Decodes one access unit, given as NAL units without start codes.
    /// - Returns: the size of the picture that ``draw(into:limit:)`` draws from now on; nil where the unit gave none, as parameter
    ///   sets alone do, and pictures before the first key frame.
    package mutating func decode(_ nalUnits: [[UInt8]]) throws(CodecError) -> PictureSize? {
        unsafe av_frame_unref(frame)
        try fill(nalUnits)
        let sent = unsafe avcodec_send_packet(decoder, packet)
        unsafe av_packet_unref(packet)
        var received = Int32(0)
        // A stream that is shown in another order than it is sent may give several at once: the newest counts.
        while received >= 0 {
            unsafe received = avcodec_receive_frame(decoder, spare)
            guard received >= 0 else { break }
            unsafe av_frame_unref(frame)
            unsafe av_frame_move_ref(frame, spare)
        }
        guard sent >= 0 else {
            unsafe av_frame_unref(frame)
            throw CodecError(code: .decodeFailed, reason: "FFmpeg: \(MediaDemuxer.text(of: sent))")
        }
        let size = unsafe PictureSize(width: Int(frame.pointee.width), height: Int(frame.pointee.height))
        guard size.width > 0, size.height > 0 else { return nil }
        guard size.width >= Self.minimumSide, size.height >= Self.minimumSide else {
            unsafe av_frame_unref(frame)
            throw CodecError(code: .decodeFailed, reason: "a picture of \(size.width)x\(size.height) is too small")
        }
        return size
    }

    /// Draws the picture decoded last, made smaller where it is larger than `limit` (shape kept, both sides even, BT.601 limited
    /// range). `picture` is exchanged for one of the right size where it has another.
    /// - Returns: the drawn picture's size.
    @discardableResult
    package mutating func draw(
        into picture: inout I420Picture?, limit: PictureSize
    ) throws(CodecError) -> PictureSize {
        let size = unsafe PictureSize(width: Int(frame.pointee.width), height: Int(frame.pointee.height))
        guard size.width >= Self.minimumSide, size.height >= Self.minimumSide else {
            throw CodecError(code: .decodeFailed, reason: "there is no picture")
        }
        let target = size.fitted(into: limit)
        if picture?.width != target.width || picture?.height != target.height {
            picture = I420Picture(width: target.width, height: target.height)
        }
        guard picture != nil else { return target }
        if unsafe target == size && frame.pointee.format == AV_PIX_FMT_YUV420P.rawValue {
            copy(into: picture!)
        } else if unsafe !scaler.scale(frame, into: picture!, fills: true) {
            throw CodecError(code: .decodeFailed, reason: "FFmpeg cannot convert the picture's format")
        }
        return target
    }

    /// Puts the unit into the packet as a byte stream: each NAL unit behind a start code.
    private func fill(_ nalUnits: [[UInt8]]) throws(CodecError) {
        let count = nalUnits.reduce(0) { $0 + $1.count + 4 }
        guard count > 0, let length = Int32(exactly: count), unsafe av_new_packet(packet, length) >= 0,
            let start = unsafe packet.pointee.data
        else { throw CodecError(code: .decodeFailed, reason: "a unit of \(count) bytes") }
        var target = unsafe start
        for unit in nalUnits {
            unsafe target.update(repeating: 0, count: 3)
            unsafe target[3] = 1
            unsafe target += 4
            unsafe unit.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe target.update(from: base, count: bytes.count)
            }
            unsafe target += unit.count
        }
    }

    /// Copies planes of the same size and format.
    private func copy(into picture: borrowing I420Picture) {
        let (width, height) = (picture.width, picture.height)
        let (chromaWidth, chromaHeight) = (picture.chromaWidth, picture.chromaHeight)
        unsafe picture.withBytes { bytes in
            guard let base = bytes.baseAddress, let luma = unsafe frame.pointee.data.0,
                let blue = unsafe frame.pointee.data.1, let red = unsafe frame.pointee.data.2
            else { return }
            let chroma = unsafe base + width * height
            let strides = unsafe frame.pointee.linesize
            unsafe av_image_copy_plane(base, Int32(width), luma, strides.0, Int32(width), Int32(height))
            unsafe av_image_copy_plane(
                chroma, Int32(chromaWidth), blue, strides.1, Int32(chromaWidth), Int32(chromaHeight))
            unsafe av_image_copy_plane(
                chroma + chromaWidth * chromaHeight, Int32(chromaWidth), red, strides.2, Int32(chromaWidth),
                Int32(chromaHeight))
        }
    }
}
