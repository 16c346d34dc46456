import Core
import PeerConnection
import Testing

@testable import MediaLoop

@Suite struct PictureDraftTests {
    private func frame(time: UInt32, epoch: UInt32 = 0, byteCount: Int = 10, ends: Bool) -> MediaFrame {
        MediaFrame(
            codec: .h264,
            payloads: PacketizedPayloads(
                storage: [UInt8](repeating: 1, count: byteCount), payloadSize: 1000, isKeyFrame: false),
            rtpTimestamp: time, presentationTime: .zero, epoch: epoch, capturedAt: .zero, endsPicture: ends)
    }

    /// How many frames the picture has that is whole; nil where none is.
    private func count(_ outcome: PictureDraft.Outcome) -> Int? {
        if case .whole(let frames) = outcome { frames.count } else { nil }
    }

    @Test("A picture is whole with its last frame")
    func whole() {
        var draft = PictureDraft()
        #expect(count(draft.append(frame(time: 1, ends: true))) == 1)
        #expect(count(draft.append(frame(time: 2, ends: false))) == nil)
        #expect(count(draft.append(frame(time: 2, ends: false))) == nil)
        #expect(count(draft.append(frame(time: 2, ends: true))) == 3)
    }

    @Test("A picture that was never ended is not mixed with the next one")
    func abandoned() {
        var draft = PictureDraft()
        #expect(count(draft.append(frame(time: 1, ends: false))) == nil)
        #expect(count(draft.append(frame(time: 2, ends: true))) == 1)
        #expect(count(draft.append(frame(time: 3, ends: false))) == nil)
        #expect(count(draft.append(frame(time: 3, epoch: 1, ends: true))) == 1)
    }

    @Test("More frames or bytes than a batch may hold are let go at once")
    func bounded() {
        var draft = PictureDraft()
        for index in 0...PictureDraft.maximumFrames {
            let outcome = draft.append(frame(time: 1, ends: false))
            if case .tooLarge = outcome {
                #expect(index == PictureDraft.maximumFrames)
            } else {
                #expect(index < PictureDraft.maximumFrames)
            }
        }
        if case .tooLarge = draft.append(frame(time: 2, byteCount: PictureDraft.maximumBytes + 1, ends: true)) {
        } else {
            Issue.record("a picture past the limit was taken")
        }
        #expect(count(draft.append(frame(time: 3, byteCount: PictureDraft.maximumBytes, ends: true))) == 1)
    }
}
