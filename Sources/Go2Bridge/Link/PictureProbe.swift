internal import Core
internal import MediaPipeline
internal import PeerConnection

/// Waits for the first picture of a camera that a decoder can begin with: the proof that pictures come.
///
/// By the rules of the stage that shows them, so that rubbish which happens to look like a key frame proves nothing.
struct PictureProbe: Sendable {
    private var reception = CameraReception(maximumWait: CameraStageConfiguration().maximumReordering)

    /// True once such a picture has come.
    mutating func receive(_ packet: ReceivedPacket, now: Instant) -> Bool {
        reception.handle(packet, arrival: now)
        reception.handleTimeout(now: now)
        return reception.pollPicture() != nil
    }
}
