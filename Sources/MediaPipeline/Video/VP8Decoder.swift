internal import CVPX

/// Owns one libvpx VP8 decoder. Hostile frames are refused with an error; libvpx conceals nothing here.
@safe package struct VP8Decoder: ~Copyable {
    private let context: UnsafeMutablePointer<vpx_codec_ctx_t>
    /// Larger pictures are refused, so that a forged header cannot claim gigabytes.
    private let maximumSide: Int

    package init(maximumSide: Int = 4096) throws(CodecError) {
        let context = UnsafeMutablePointer<vpx_codec_ctx_t>.allocate(capacity: 1)
        unsafe context.initialize(to: vpx_codec_ctx_t())
        guard unsafe cvpx_vp8_decoder_init(context) == VPX_CODEC_OK else {
            unsafe context.deallocate()
            throw CodecError(code: .unavailable, reason: "libvpx has no VP8 decoder")
        }
        unsafe self.context = context
        self.maximumSide = maximumSide
    }

    deinit {
        unsafe _ = vpx_codec_destroy(context)
        unsafe context.deallocate()
    }

    /// Decodes one whole frame and copies its picture.
    package mutating func decode(_ frame: [UInt8]) throws(CodecError) -> I420Picture {
        if let size = Self.keyFrameSize(frame), size.width > maximumSide || size.height > maximumSide {
            throw CodecError(code: .decodeFailed, reason: "a picture of \(size.width)x\(size.height) is too large")
        }
        guard frame.count <= UInt32.max else {
            throw CodecError(code: .decodeFailed, reason: "a frame of \(frame.count) bytes")
        }
        let context = unsafe self.context
        let status = unsafe frame.withUnsafeBufferPointer { bytes in
            unsafe vpx_codec_decode(context, bytes.baseAddress, UInt32(bytes.count), nil, 0)
        }
        guard status == VPX_CODEC_OK else {
            throw CodecError(
                code: .decodeFailed, reason: unsafe "libvpx: \(String(cString: vpx_codec_error(context)))")
        }
        var iterator: vpx_codec_iter_t?
        guard let image = unsafe vpx_codec_get_frame(context, &iterator),
            let picture = unsafe Self.copy(image.pointee)
        else {
            throw CodecError(code: .decodeFailed, reason: "the frame holds no picture")
        }
        return picture
    }

    /// The size that a key frame's header claims ([RFC 6386 §9.1](https://www.rfc-editor.org/rfc/rfc6386#section-9.1)).
    package static func keyFrameSize(_ frame: [UInt8]) -> (width: Int, height: Int)? {
        guard frame.count >= 10, frame[0] & 1 == 0, frame[3] == 0x9D, frame[4] == 0x01, frame[5] == 0x2A else {
            return nil
        }
        return (
            Int(frame[6]) | Int(frame[7] & 0x3F) << 8, Int(frame[8]) | Int(frame[9] & 0x3F) << 8
        )
    }

    private static func copy(_ image: vpx_image_t) -> I420Picture? {
        let width = unsafe Int(image.d_w)
        let height = unsafe Int(image.d_h)
        guard width > 0, height > 0, let luma = unsafe image.planes.0, let blue = unsafe image.planes.1,
            let red = unsafe image.planes.2
        else { return nil }
        let picture = I420Picture(width: width, height: height)
        let chromaWidth = picture.chromaWidth
        let chromaHeight = picture.chromaHeight
        unsafe picture.withBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var target = unsafe base
            func append(_ plane: UnsafePointer<UInt8>, stride: Int32, columns: Int, rows: Int) {
                for row in 0..<rows {
                    unsafe target.update(from: plane + row * Int(stride), count: columns)
                    unsafe target += columns
                }
            }
            unsafe append(luma, stride: image.stride.0, columns: width, rows: height)
            unsafe append(blue, stride: image.stride.1, columns: chromaWidth, rows: chromaHeight)
            unsafe append(red, stride: image.stride.2, columns: chromaWidth, rows: chromaHeight)
        }
        return picture
    }
}
