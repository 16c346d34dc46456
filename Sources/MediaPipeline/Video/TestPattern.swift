internal import Core

/// A moving picture that is never still and never repeats soon: a disc and a field of noise on a gradient.
///
/// The encoder cannot predict the noise, so the stream fills its bit rate: that makes it the load for measurements.
final class TestPattern: PictureSource {
    private let width: Int
    private let height: Int
    private let noise: [UInt8]
    private var backdrop: [UInt8] = []
    private let random = RandomSource.seeded(7)

    /// `noiseAmplitude`: the greatest difference that the noise makes to the luma.
    init(width: Int, height: Int, noiseAmplitude: Int = 20) {
        self.width = width
        self.height = height
        let amplitude = UInt64(max(1, noiseAmplitude))
        let random = RandomSource.seeded(3)
        noise = (0..<(width * height * 2)).map { _ in UInt8(random.uint64() % (2 * amplitude)) }
        backdrop = (0..<(width * height)).map { index in
            let (row, column) = index.quotientAndRemainder(dividingBy: width)
            return UInt8(50 + (column * 90) / width + (row * 60) / height)
        }
    }

    var wantsSound: Bool { false }

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        let seconds = moment.sourceTime.seconds
        let phase = seconds - seconds.rounded(.down)
        let radius = height / 8
        let centerX = Int(Double(width - 2 * radius) * phase) + radius
        let centerY = height / 4
        let shift = Int(random.uint32() % UInt32(width * height))
        let noiseTop = height / 2
        let (width, height) = (width, height)
        unsafe picture.withBytes { bytes in
            for row in 0..<height {
                let start = row * width
                for column in 0..<width {
                    var value = backdrop[start + column]
                    if row >= noiseTop {
                        value &+= noise[start + column + shift]
                    } else if abs(row - centerY) < radius,
                        (row - centerY) * (row - centerY) + (column - centerX) * (column - centerX)
                            < radius * radius
                    {
                        value = 220
                    }
                    unsafe bytes[start + column] = value
                }
            }
        }
    }
}
