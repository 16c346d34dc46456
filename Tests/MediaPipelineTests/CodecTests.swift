import Foundation
import MediaPipeline
import Testing

@Suite("The VP8 codec")
struct VP8CodecTests {
    private func picture(luma: UInt8) -> I420Picture {
        let picture = I420Picture(width: 64, height: 64)
        let isCopied = picture.copy(
            from: [UInt8](repeating: luma, count: 64 * 64) + [UInt8](repeating: 128, count: 64 * 64 / 2))
        #expect(isCopied)
        return picture
    }

    @Test("gives back the pictures that went in; the first and the forced ones are key frames, no others")
    func roundTrip() throws {
        var encoder = try VP8Encoder(
            VP8Encoder.Configuration(width: 64, height: 64, framesPerSecond: 30, bitRate: 500_000))
        var decoder = try VP8Decoder()
        for index in 0..<60 {
            let luma = UInt8(40 + index * 3)
            let frame = try encoder.encode(picture(luma: luma), forceKeyFrame: index == 30)
            #expect(frame.isKeyFrame == (index == 0 || index == 30))
            let decoded = try decoder.decode(frame.bytes)
            #expect(abs(decoded.meanLuma(x: 0..<64, y: 0..<64) - Double(luma)) < 4)
        }
    }

    @Test("refuses a picture of another size")
    func wrongSize() throws {
        var encoder = try VP8Encoder(
            VP8Encoder.Configuration(width: 128, height: 64, framesPerSecond: 30, bitRate: 500_000))
        var code: CodecError.Code?
        do { _ = try encoder.encode(picture(luma: 20)) } catch { code = error.code }
        #expect(code == .encodeFailed)
    }

    @Test("survives hostile frames: cut off, altered, empty, with a giant's size")
    func hostileFrames() throws {
        var encoder = try VP8Encoder(
            VP8Encoder.Configuration(width: 64, height: 64, framesPerSecond: 30, bitRate: 500_000))
        let good = try encoder.encode(picture(luma: 90)).bytes
        var giant = good
        (giant[6], giant[7], giant[8], giant[9]) = (0xFF, 0x3F, 0xFF, 0x3F)
        for hostile in [[], [0], Array(good.prefix(5)), giant, [UInt8](repeating: 0xFF, count: 900)] {
            var decoder = try VP8Decoder()
            var code: CodecError.Code?
            do { _ = try decoder.decode(hostile) } catch { code = error.code }
            #expect(code == .decodeFailed)
        }
        for position in good.indices {
            var altered = good
            altered[position] ^= 0x5A
            var decoder = try VP8Decoder()
            // Either outcome is right; a crash is not.
            do { _ = try decoder.decode(altered) } catch { #expect(error.code == .decodeFailed) }
        }
    }
}

@Suite("The Opus codec")
struct OpusCodecTests {
    private func tone(packet: Int) -> [Int16] {
        (0..<OpusFormat.samplesPerPacket).map { offset in
            let time = Double(packet * OpusFormat.samplesPerPacket + offset) / 48_000
            return Int16(10_000 * sin(2 * .pi * 440 * time))
        }
    }

    @Test("gives back a tone with its level and pitch")
    func roundTrip() throws {
        var encoder = try OpusPacketEncoder(bitRate: 48_000)
        var decoder = try OpusPacketDecoder()
        var decoded: [Int16] = []
        for packet in 0..<50 { decoded += try decoder.decode(try encoder.encode(tone(packet: packet))) }
        let steady = decoded[9_600..<43_200]
        #expect((5_500...8_500).contains(rms(steady)))
        let crossings = zip(steady, steady.dropFirst()).filter { $0 < 0 && $1 >= 0 }.count
        #expect(abs(crossings - 308) <= 2)
    }

    @Test("refuses half a packet of samples, and hostile packets")
    func refusals() throws {
        var encoder = try OpusPacketEncoder(bitRate: 48_000)
        var decoder = try OpusPacketDecoder()
        var codes: [CodecError.Code] = []
        do { _ = try encoder.encode([1, 2, 3]) } catch { codes.append(error.code) }
        // Code 3 of RFC 6716 §3.2.5 with more frames than the packet has room for.
        do { _ = try decoder.decode([0x03, 0xFF, 0x01]) } catch { codes.append(error.code) }
        #expect(codes == [.encodeFailed, .decodeFailed])
    }
}
