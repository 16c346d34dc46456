internal import CFFmpeg

/// Fits decoded pictures of any size and format into another picture, with bars where the shapes differ.
@safe struct PictureScaler: ~Copyable {
    private var context: OpaquePointer?

    init() {}

    deinit {
        if let context = unsafe context { unsafe sws_freeContext(context) }
    }

    /// False where the format cannot be converted.
    /// - Parameter fills: the shapes differ by no more than rounding: no bars.
    mutating func scale(
        _ frame: UnsafeMutablePointer<AVFrame>, into picture: borrowing I420Picture, fills: Bool = false
    ) -> Bool {
        let (sourceWidth, sourceHeight) = unsafe (frame.pointee.width, frame.pointee.height)
        guard sourceWidth > 0, sourceHeight > 0 else { return false }
        let ratio = min(Double(picture.width) / Double(sourceWidth), Double(picture.height) / Double(sourceHeight))
        // Even sizes and offsets, so that luma and chroma fit.
        let fitted = { (side: Int32, limit: Int) in min(limit, max(2, Int((Double(side) * ratio).rounded()) & ~1)) }
        let width = fills ? picture.width : fitted(sourceWidth, picture.width)
        let height = fills ? picture.height : fitted(sourceHeight, picture.height)
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
            guard unsafe sws_scale(context, sources, sourceStrides, 0, sourceHeight, planes, strides) > 0 else {
                return false
            }
            unsafe Self.blank(
                base + top * lumaStride, 16, rows: height, stride: lumaStride, picture: left..<(left + width))
            for offset in [0, chromaCount] {
                unsafe Self.blank(
                    chroma - left / 2 + offset, 128, rows: height / 2, stride: chromaStride,
                    picture: (left / 2)..<((left + width) / 2))
            }
            return true
        }
    }

    /// Draws the bars beside the picture anew: FFmpeg writes rows in blocks, past their end into the bars and the next row's start.
    private static func blank(
        _ plane: UnsafeMutablePointer<UInt8>, _ value: UInt8, rows: Int, stride: Int, picture: Range<Int>
    ) {
        guard picture.count < stride else { return }
        for row in 0..<rows {
            let start = unsafe plane + row * stride
            unsafe start.update(repeating: value, count: picture.lowerBound)
            unsafe (start + picture.upperBound).update(repeating: value, count: stride - picture.upperBound)
        }
    }
}
