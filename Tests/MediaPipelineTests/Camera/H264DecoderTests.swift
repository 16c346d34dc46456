import Core
import MediaPipeline
import PeerConnection
import Testing

@Suite("The H.264 decoder")
struct H264DecoderTests {
    private let fullHD = H264Decoder.PictureSize(width: 1920, height: 1080)

    /// The mean luma of what is drawn, and its size.
    private func draw(
        _ decoder: inout H264Decoder, limit: H264Decoder.PictureSize
    ) throws -> (luma: Double, width: Int, height: Int) {
        var picture: I420Picture?
        try decoder.draw(into: &picture, limit: limit)
        guard let drawn = picture.take() else { throw SourceError(reason: "nothing is drawn") }
        let (width, height) = (drawn.width, drawn.height)
        return (drawn.meanLuma(x: 0..<width, y: 0..<height), width, height)
    }

    @Test("gives each picture at once, when its own unit comes in")
    func noDelay() throws {
        var decoder = try H264Decoder()
        #expect(CameraFixture.wave.units.count == 40)
        for (index, unit) in CameraFixture.wave.units.enumerated() {
            let size = try decoder.decode(unit)
            #expect(size == H264Decoder.PictureSize(width: 320, height: 192))
            let drawn = try draw(&decoder, limit: fullHD)
            #expect(abs(drawn.luma - CameraFixture.luma(ofPicture: index)) < 1)
        }
    }

    @Test("brings the full range of values into the limited one that VP8 has")
    func fullRange() throws {
        var decoder = try H264Decoder()
        let size = try decoder.decode(CameraFixture.fullRange.units[0])
        #expect(size == H264Decoder.PictureSize(width: 64, height: 64))
        let drawn = try draw(&decoder, limit: fullHD)
        #expect(abs(drawn.luma - 235) < 2)
    }

    @Test("follows a size that changes, a cropped one too")
    func sizeChange() throws {
        var decoder = try H264Decoder()
        for fixture in [CameraFixture.wave, .small, .wave] {
            for unit in fixture.units.prefix(3) { _ = try decoder.decode(unit) }
            let drawn = try draw(&decoder, limit: fullHD)
            #expect(drawn.width == (fixture.units.count == 10 ? 98 : 320))
            #expect(abs(drawn.luma - CameraFixture.luma(ofPicture: 2)) < 1)
        }
    }

    @Test(
        "makes larger pictures smaller, in their own shape and with even sides",
        arguments: [
            (160, 96, 160, 96), (161, 1000, 160, 96), (1000, 50, 82, 50), (64, 64, 64, 38), (320, 192, 320, 192),
        ])
    func shrinking(limitWidth: Int, limitHeight: Int, width: Int, height: Int) throws {
        var decoder = try H264Decoder()
        _ = try decoder.decode(CameraFixture.wave.units[0])
        let drawn = try draw(&decoder, limit: H264Decoder.PictureSize(width: limitWidth, height: limitHeight))
        #expect(drawn.width == width)
        #expect(drawn.height == height)
        #expect(abs(drawn.luma - CameraFixture.luma(ofPicture: 0)) < 2)
    }

    @Test("refuses a picture past its limit, and takes one that keeps it")
    func limitOfSize() throws {
        var decoder = try H264Decoder(maximumPixels: 320 * 192 - 1)
        var refused = 0
        for unit in CameraFixture.wave.units.prefix(3) {
            do { if try decoder.decode(unit) == nil { refused += 1 } } catch { refused += 1 }
        }
        #expect(refused == 3)
        var other = try H264Decoder(maximumPixels: 320 * 192)
        #expect(try other.decode(CameraFixture.wave.units[0]) != nil)
    }

    @Test("gives nothing before the first key frame and for parameter sets alone")
    func noKeyFrame() throws {
        var decoder = try H264Decoder()
        for unit in CameraFixture.wave.units[1..<10] {
            var size: H264Decoder.PictureSize?
            do { size = try decoder.decode(unit) } catch { #expect(error.code == .decodeFailed) }
            #expect(size == nil)
        }
        let sets = CameraFixture.wave.units[10].filter(CameraFixture.isParameterSet)
        #expect(sets.count == 2)
        var size: H264Decoder.PictureSize?
        do { size = try decoder.decode(sets) } catch { #expect(error.code == .decodeFailed) }
        #expect(size == nil)
        #expect(try decoder.decode(CameraFixture.wave.units[10]) != nil)
    }

    @Test("survives hostile bitstreams, and shows the next key frame as if nothing had been")
    func hostileBitstreams() throws {
        let random = RandomSource.seeded(11)
        var decoder = try H264Decoder()
        for round in 0..<300 {
            var unit = CameraFixture.wave.units[round % 40]
            for _ in 0..<(1 + round % 5) {
                let index = Int(random.uint32()) % unit.count
                switch random.uint32() % 4 {
                case 0: unit[index] = Array(unit[index].prefix(Int(random.uint32()) % unit[index].count + 1))
                case 1: unit[index] = random.bytes(Int(random.uint32() % 600) + 1)
                case 2: unit.remove(at: index)
                default:
                    for _ in 0..<8 {
                        let place = Int(random.uint32()) % unit[index].count
                        unit[index][place] ^= UInt8(truncatingIfNeeded: 1 + random.uint32() % 255)
                    }
                }
                if unit.isEmpty { break }
            }
            do {
                if try decoder.decode(unit) != nil { _ = try draw(&decoder, limit: fullHD) }
            } catch let error as CodecError {
                #expect(error.code == .decodeFailed)
            }
        }
        _ = try? decoder.decode([])
        for index in 20..<23 { _ = try decoder.decode(CameraFixture.wave.units[index]) }
        let drawn = try draw(&decoder, limit: fullHD)
        #expect(abs(drawn.luma - CameraFixture.luma(ofPicture: 22)) < 1)
    }
}
