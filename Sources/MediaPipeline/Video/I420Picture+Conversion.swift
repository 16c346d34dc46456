internal import CYUV

/// Raw pictures of other layouts, taken over by libyuv.
extension I420Picture {
    package enum Layout: Sendable {
        /// Three bytes a pixel, blue first.
        case bgr24
        /// Three bytes a pixel, red first.
        case rgb24
        /// Three planes.
        case i420
        /// A plane of luma and one of both chromas by turns.
        case nv12
    }

    /// Draws a picture of `width` by `height` pixels at a place in this one; colours are BT.601, limited range.
    ///
    /// All sides are even, and rows have no padding. False, and nothing is drawn, where it does not fit or the number of
    /// bytes is another.
    package borrowing func draw(
        _ source: UnsafeRawBufferPointer, _ layout: Layout, width: Int, height: Int, x: Int = 0, y: Int = 0
    ) -> Bool {
        guard width > 0, height > 0, x >= 0, y >= 0, (width | height | x | y) & 1 == 0, x + width <= self.width,
            y + height <= self.height, source.count == Self.count(layout, width, height),
            let start = unsafe source.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return false }
        let (strideY, strideC) = (Int32(self.width), Int32(chromaWidth))
        let (columns, rows) = (Int32(width), Int32(height))
        let (chromaStart, chromaCount) = (self.width * self.height, chromaByteCount)
        let lumaOffset = y * self.width + x
        let chromaOffset = chromaStart + (y / 2) * chromaWidth + x / 2
        let code: Int32 = unsafe withBytes { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            let luma = unsafe base + lumaOffset
            let blue = unsafe base + chromaOffset
            let red = unsafe blue + chromaCount
            switch layout {
            case .bgr24:  // libyuv names it by the word in a little-endian register.
                return unsafe RGB24ToI420(
                    start, columns * 3, luma, strideY, blue, strideC, red, strideC, columns, rows)
            case .rgb24:
                return unsafe RAWToI420(start, columns * 3, luma, strideY, blue, strideC, red, strideC, columns, rows)
            case .i420:
                let chroma = unsafe start + width * height
                return unsafe I420Copy(
                    start, columns, chroma, columns / 2, chroma + width * height / 4, columns / 2, luma, strideY, blue,
                    strideC, red, strideC, columns, rows)
            case .nv12:
                return unsafe NV12ToI420(
                    start, columns, start + width * height, columns, luma, strideY, blue, strideC, red, strideC,
                    columns, rows)
            }
        }
        return code == 0
    }

    private static func count(_ layout: Layout, _ width: Int, _ height: Int) -> Int {
        switch layout {
        case .bgr24, .rgb24: width * height * 3
        case .i420, .nv12: width * height * 3 / 2
        }
    }

    /// Fits another picture into this one, with bars left as they are where the shapes differ.
    package borrowing func fit(_ other: borrowing I420Picture) -> Bool {
        let ratio = min(Double(width) / Double(other.width), Double(height) / Double(other.height))
        // Even sizes and offsets, so that luma and chroma fit.
        let columns = min(width, max(2, Int((Double(other.width) * ratio).rounded()) & ~1))
        let rows = min(height, max(2, Int((Double(other.height) * ratio).rounded()) & ~1))
        let (left, top) = ((width - columns) / 4 * 2, (height - rows) / 4 * 2)
        let (strideY, strideC) = (Int32(width), Int32(chromaWidth))
        let lumaOffset = top * width + left
        let chromaOffset = width * height + (top / 2) * chromaWidth + left / 2
        let chromaCount = chromaByteCount
        let (otherWidth, otherHeight) = (other.width, other.height)
        let (otherChromaWidth, otherChromaCount) = (other.chromaWidth, other.chromaByteCount)
        let code: Int32 = unsafe withBytes { bytes in
            unsafe other.withBytes { source in
                guard let base = bytes.baseAddress, let start = source.baseAddress else { return -1 }
                let otherBlue = unsafe start + otherWidth * otherHeight
                let blue = unsafe base + chromaOffset
                return unsafe I420Scale(
                    start, Int32(otherWidth), otherBlue, Int32(otherChromaWidth), otherBlue + otherChromaCount,
                    Int32(otherChromaWidth), Int32(otherWidth), Int32(otherHeight), base + lumaOffset, strideY, blue,
                    strideC, blue + chromaCount, strideC, Int32(columns), Int32(rows), kFilterBox)
            }
        }
        return code == 0
    }
}
