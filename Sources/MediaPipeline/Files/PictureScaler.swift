internal import CFFmpeg

/// Fits decoded pictures of any size and format into the stage's picture, with bars where the shapes differ.
@safe struct PictureScaler: ~Copyable {
    private var context: OpaquePointer?

    init() {}

    deinit {
        if let context = unsafe context { unsafe sws_freeContext(context) }
    }

    /// False where the format cannot be converted.
    mutating func scale(_ frame: UnsafeMutablePointer<AVFrame>, into picture: borrowing I420Picture) -> Bool {
        let (sourceWidth, sourceHeight) = unsafe (frame.pointee.width, frame.pointee.height)
        guard sourceWidth > 0, sourceHeight > 0 else { return false }
        let ratio = min(Double(picture.width) / Double(sourceWidth), Double(picture.height) / Double(sourceHeight))
        // Even sizes and offsets, so that luma and chroma fit.
        let width = min(picture.width, max(2, Int((Double(sourceWidth) * ratio).rounded()) & ~1))
        let height = min(picture.height, max(2, Int((Double(sourceHeight) * ratio).rounded()) & ~1))
        let (left, top) = ((picture.width - width) / 4 * 2, (picture.height - height) / 4 * 2)
        unsafe context = sws_getCachedContext(
            context, sourceWidth, sourceHeight, AVPixelFormat(rawValue: frame.pointee.format), Int32(width),
            Int32(height), AV_PIX_FMT_YUV420P, Int32(SWS_BILINEAR), nil, nil, nil)
        guard let context = unsafe context else { return false }
        let lumaStride = picture.width
        let chromaStride = picture.chromaWidth
        let lumaCount = picture.width * picture.height
        let chromaCount = picture.chromaByteCount
        return unsafe picture.withBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            let chroma = unsafe base + lumaCount + (top / 2) * chromaStride + left / 2
            let planes: [UnsafeMutablePointer<UInt8>?] = unsafe [
                base + top * lumaStride + left, chroma, chroma + chromaCount, nil,
            ]
            let strides = [Int32(lumaStride), Int32(chromaStride), Int32(chromaStride), 0]
            let sources = unsafe [
                UnsafePointer(frame.pointee.data.0), UnsafePointer(frame.pointee.data.1),
                UnsafePointer(frame.pointee.data.2), UnsafePointer(frame.pointee.data.3),
            ]
            let sourceStrides = unsafe [
                frame.pointee.linesize.0, frame.pointee.linesize.1, frame.pointee.linesize.2,
                frame.pointee.linesize.3,
            ]
            return unsafe sws_scale(context, sources, sourceStrides, 0, sourceHeight, planes, strides) > 0
        }
    }
}
