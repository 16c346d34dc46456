internal import CYUV

/// Owns one picture in I420: a plane of luma and two of chroma at half the size, without padding.
@safe package struct I420Picture: ~Copyable {
    package let width: Int
    package let height: Int
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    /// A black picture. The caller keeps both sides within 16...4096.
    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
        let luma = width * height
        let count = Self.byteCount(width: width, height: height)
        unsafe bytes = .allocate(capacity: count)
        unsafe bytes.initialize(repeating: 128)
        unsafe bytes.extracting(0..<luma).update(repeating: 16)
    }

    deinit {
        unsafe bytes.deallocate()
    }

    /// Bytes of one picture of that size.
    package static func byteCount(width: Int, height: Int) -> Int {
        width * height + 2 * ((width + 1) / 2) * ((height + 1) / 2)
    }

    var chromaWidth: Int { (width + 1) / 2 }
    var chromaHeight: Int { (height + 1) / 2 }
    var chromaByteCount: Int { chromaWidth * chromaHeight }

    /// Lends all bytes: luma, then blue and red chroma.
    package borrowing func withBytes<Result>(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Result) -> Result {
        unsafe body(bytes)
    }

    /// The luma at a point; the caller keeps it inside the picture.
    package borrowing func luma(x: Int, y: Int) -> UInt8 {
        precondition((0..<width).contains(x) && (0..<height).contains(y), "a point outside the picture")
        return unsafe bytes[y * width + x]
    }

    /// The mean luma of a rectangle inside the picture.
    package borrowing func meanLuma(x: Range<Int>, y: Range<Int>) -> Double {
        var sum = 0
        for row in y { for column in x { sum += Int(luma(x: column, y: row)) } }
        return Double(sum) / Double(max(1, x.count * y.count))
    }

    /// Takes over a canvas of the same size: 32-bit pixels, blue first (libyuv's ARGB), to BT.601 limited range.
    borrowing func convert(from canvas: borrowing CairoCanvas) {
        guard canvas.width == width, canvas.height == height, let base = unsafe bytes.baseAddress else { return }
        let luma = width * height
        let chroma = chromaByteCount
        unsafe canvas.withPixels { pixels, stride in
            unsafe _ = ARGBToI420(
                pixels, Int32(stride), base, Int32(width), base + luma, Int32(chromaWidth), base + luma + chroma,
                Int32(chromaWidth), Int32(width), Int32(height))
        }
    }

    /// Copies a whole picture of this size; false where the number of bytes is another.
    package borrowing func copy(from source: [UInt8]) -> Bool {
        guard source.count == Self.byteCount(width: width, height: height) else { return false }
        unsafe source.withUnsafeBufferPointer { unsafe _ = bytes.update(from: $0) }
        return true
    }

    package borrowing func copy(from other: borrowing I420Picture) {
        guard other.width == width, other.height == height else { return }
        unsafe _ = bytes.update(from: other.bytes)
    }
}
