import Core
import PeerConnection
import Testing

@testable import MediaLoop

@Suite struct GroupOfPicturesTests {
    private func frame(_ number: Int, isKeyFrame: Bool = false, byteCount: Int = 100) -> MediaFrame {
        MediaFrame(
            kind: .video,
            payloads: PacketizedPayloads(
                storage: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: byteCount), payloadSize: 1000,
                isKeyFrame: isKeyFrame),
            rtpTimestamp: UInt32(number) &* 3000, presentationTime: Instant(nanoseconds: Int64(number) * 33_333_333),
            epoch: 1, capturedAt: .zero)
    }

    @Test("Nothing is decodable before the first key frame")
    func beginsWithKeyFrame() {
        var pictures = GroupOfPictures()
        #expect(!pictures.isDecodable)
        pictures.append(frame(1))
        #expect(!pictures.isDecodable)
        #expect(pictures.catchUp().isEmpty)
        pictures.append(frame(2, isKeyFrame: true))
        #expect(pictures.isDecodable)
        #expect(pictures.catchUp().count == 1)
    }

    @Test("A key frame lets go of everything before it")
    func restarts() {
        var pictures = GroupOfPictures()
        for number in 1...10 { pictures.append(frame(number, isKeyFrame: number == 1)) }
        pictures.append(frame(11, isKeyFrame: true))
        pictures.append(frame(12))
        #expect(pictures.catchUp().map(\.payloads.storage.first) == [11, 12])
    }

    @Test("The catch-up lies between the last frame sent and the next one, in order")
    func timestamps() {
        var pictures = GroupOfPictures()
        for number in 1...GroupOfPictures.maximumFrames { pictures.append(frame(number, isKeyFrame: number == 1)) }
        let stamps = pictures.catchUp().map(\.rtpTimestamp)
        #expect(stamps.count == GroupOfPictures.maximumFrames)
        #expect(stamps == stamps.sorted() && Set(stamps).count == stamps.count)
        let last = UInt32(GroupOfPictures.maximumFrames) * 3000
        // Half a frame at 60 pictures a second is 750 ticks.
        #expect(stamps.allSatisfy { $0 > last && $0 < last + 750 })
        #expect(
            Set(pictures.catchUp().map(\.presentationTime)) == [frame(GroupOfPictures.maximumFrames).presentationTime])
    }

    @Test("The clock's wrap-around is no obstacle")
    func wrapAround() {
        var pictures = GroupOfPictures()
        let key = PacketizedPayloads(storage: [1], payloadSize: 1, isKeyFrame: true)
        pictures.append(
            MediaFrame(
                kind: .video, payloads: key, rtpTimestamp: .max, presentationTime: .zero, epoch: 0, capturedAt: .zero))
        #expect(pictures.catchUp().map(\.rtpTimestamp) == [7])
    }

    @Test("More frames or bytes than the bounds make it useless until the next key frame")
    func bounds() {
        var pictures = GroupOfPictures()
        for number in 0...GroupOfPictures.maximumFrames { pictures.append(frame(number, isKeyFrame: number == 0)) }
        #expect(!pictures.isDecodable)
        pictures.append(frame(100))
        #expect(!pictures.isDecodable && pictures.catchUp().isEmpty)
        pictures.append(frame(101, isKeyFrame: true))
        #expect(pictures.isDecodable)

        pictures.append(frame(102, byteCount: GroupOfPictures.maximumBytes))
        #expect(!pictures.isDecodable)
        pictures.append(frame(103, isKeyFrame: true, byteCount: GroupOfPictures.maximumBytes))
        #expect(pictures.isDecodable)
    }
}
