internal import Core
internal import PeerConnection

/// The camera's pictures since the last key frame: what a decoder, or a viewer, that comes later needs to have a picture at once.
struct PictureGroup: Sendable {
    /// Twice the robot's group of 2.1 s at 30 pictures a second.
    static let maximumPictures = 128
    /// Four times what the robot's camera sends in that time.
    static let maximumBytes = 4 << 20
    /// After so long without a picture the last one shows what is no more.
    static let maximumAge: Duration = .seconds(1)

    private var pictures: [CameraPicture] = []
    private var byteCount = 0

    mutating func append(_ picture: CameraPicture) {
        let continues = pictures.last?.epoch == picture.epoch
        if picture.unit.isKeyFrame || !continues {
            pictures.removeAll(keepingCapacity: true)
            byteCount = 0
        }
        guard picture.unit.isKeyFrame || !pictures.isEmpty else { return }
        byteCount += picture.unit.byteCount
        guard pictures.count < Self.maximumPictures, byteCount <= Self.maximumBytes else { return clear() }
        pictures.append(picture)
    }

    mutating func clear() {
        pictures.removeAll()
        byteCount = 0
    }

    /// From the key frame to the newest; none where the newest is too old.
    func recent(at now: Instant) -> [CameraPicture] {
        guard let last = pictures.last, now - last.unit.receivedAt <= Self.maximumAge else { return [] }
        return pictures
    }
}
