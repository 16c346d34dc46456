import Core
import PeerConnection
import TestSupport
import Testing

@testable import MediaLoop

@Suite struct GroupOfPicturesTests {
    private func frame(_ number: Int, isKeyFrame: Bool = false, byteCount: Int = 100) -> MediaFrame {
        MediaFrame(
            codec: .vp8,
            payloads: PacketizedPayloads(
                storage: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: byteCount), payloadSize: 1000,
                isKeyFrame: isKeyFrame),
            rtpTimestamp: UInt32(number) &* 3000, presentationTime: Instant(nanoseconds: Int64(number) * 33_333_333),
            epoch: 1, capturedAt: .zero)
    }

    private func picture(_ number: Int, isKeyFrame: Bool = false, byteCount: Int = 100) -> [MediaFrame] {
        [frame(number, isKeyFrame: isKeyFrame, byteCount: byteCount)]
    }

    @Test("Nothing is decodable before the first key frame")
    func beginsWithKeyFrame() {
        var pictures = GroupOfPictures(.vp8)
        #expect(!pictures.isDecodable)
        pictures.append(picture(1))
        #expect(!pictures.isDecodable)
        #expect(pictures.catchUp().isEmpty)
        pictures.append(picture(2, isKeyFrame: true))
        #expect(pictures.isDecodable)
        #expect(pictures.catchUp().count == 1)
    }

    @Test("A key frame lets go of everything before it")
    func restarts() {
        var pictures = GroupOfPictures(.vp8)
        for number in 1...10 { pictures.append(picture(number, isKeyFrame: number == 1)) }
        pictures.append(picture(11, isKeyFrame: true))
        pictures.append(picture(12))
        #expect(pictures.catchUp().map(\.payloads.storage.first) == [11, 12])
    }

    @Test("The catch-up lies between the last frame sent and the next one, in order")
    func timestamps() {
        let bounds = GroupOfPictures.Bounds.encodedByUs
        var pictures = GroupOfPictures(.vp8)
        for number in 1...bounds.pictures { pictures.append(picture(number, isKeyFrame: number == 1)) }
        let stamps = pictures.catchUp().map(\.rtpTimestamp)
        #expect(stamps.count == bounds.pictures)
        #expect(stamps == stamps.sorted() && Set(stamps).count == stamps.count)
        let last = UInt32(bounds.pictures) * 3000
        // Half a frame at 60 pictures a second is 750 ticks.
        #expect(stamps.allSatisfy { $0 > last && $0 < last + 750 })
        #expect(
            Set(pictures.catchUp().map(\.presentationTime)) == [frame(bounds.pictures).presentationTime])
    }

    @Test("The clock's wrap-around is no obstacle")
    func wrapAround() {
        var pictures = GroupOfPictures(.vp8)
        let key = PacketizedPayloads(storage: [1], payloadSize: 1, isKeyFrame: true)
        pictures.append([
            MediaFrame(
                codec: .vp8, payloads: key, rtpTimestamp: .max, presentationTime: .zero, epoch: 0, capturedAt: .zero)
        ])
        #expect(pictures.catchUp().map(\.rtpTimestamp) == [7])
    }

    @Test("A camera's pictures of 2.1 s at 30 a second are held, all of them before the next one at 30 a second")
    func camera() {
        var pictures = GroupOfPictures(.h264)
        var fewer = GroupOfPictures(.vp8)
        for number in 0..<64 {
            pictures.append(picture(number, isKeyFrame: number == 0, byteCount: 16_000))
            fewer.append(picture(number, isKeyFrame: number == 0, byteCount: 100))
        }
        #expect(pictures.isDecodable)
        #expect(!fewer.isDecodable)
        for number in 64..<GroupOfPictures.Bounds.passedThrough.pictures { pictures.append(picture(number)) }
        let last = UInt32(GroupOfPictures.Bounds.passedThrough.pictures - 1) * 3000
        #expect(pictures.catchUp().allSatisfy { $0.rtpTimestamp > last && $0.rtpTimestamp < last + 3000 })
        pictures.append(picture(200))
        #expect(!pictures.isDecodable)
    }

    @Test("The frames of one picture keep one time, and only the last of them ends it")
    func parts() {
        var pictures = GroupOfPictures(.h264)
        for number in UInt8(1)...3 { pictures.append(LoopBench.h264Picture(number, isKeyFrame: number == 1)) }
        let frames = pictures.catchUp()
        #expect(frames.map(\.endsPicture) == [false, false, true, false, true, false, true])
        #expect(Set(frames.map(\.rtpTimestamp)).count == 3)
        #expect(frames.map(\.rtpTimestamp) == frames.map(\.rtpTimestamp).sorted())
    }

    @Test("More frames or bytes than the bounds make it useless until the next key frame")
    func bounds() {
        let bounds = GroupOfPictures.Bounds.encodedByUs
        var pictures = GroupOfPictures(.vp8)
        for number in 0...bounds.pictures { pictures.append(picture(number, isKeyFrame: number == 0)) }
        #expect(!pictures.isDecodable)
        pictures.append(picture(100))
        #expect(!pictures.isDecodable && pictures.catchUp().isEmpty)
        pictures.append(picture(101, isKeyFrame: true))
        #expect(pictures.isDecodable)

        pictures.append(picture(102, byteCount: bounds.bytes))
        #expect(!pictures.isDecodable)
        pictures.append(picture(103, isKeyFrame: true, byteCount: bounds.bytes))
        #expect(pictures.isDecodable)
    }
}
