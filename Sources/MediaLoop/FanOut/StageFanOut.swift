internal import Core
internal import PeerConnection

/// What the loop knows of one stage: who watches, and the frames a joiner needs.
struct StageFanOut {
    /// The closures are called on the loop's thread and must return at once.
    struct Callbacks: Sendable {
        let videoCodecs: @Sendable () -> [MediaCodec]
        let keyFrameRequested: @Sendable (MediaCodec) -> Void
        let viewersChanged: @Sendable (StageViewers) -> Void
    }

    let callbacks: Callbacks
    private(set) var viewers: [Viewer] = []
    private var pictures: [MediaCodec: GroupOfPictures] = [:]
    private var drafts: [MediaCodec: PictureDraft] = [:]
    private var told: StageViewers?

    init(_ callbacks: Callbacks) {
        self.callbacks = callbacks
    }

    /// The frames since the last key frame of one codec.
    func group(of codec: MediaCodec) -> GroupOfPictures? { pictures[codec] }

    /// Takes one frame of a picture; tells the picture once it is whole: it is sent in one go, so that a joiner never comes between
    /// two of its frames.
    mutating func append(_ frame: MediaFrame) -> PictureDraft.Outcome {
        let outcome = drafts[frame.codec, default: PictureDraft()].append(frame)
        switch outcome {
        case .waiting: break
        case .whole(let picture): pictures[frame.codec, default: GroupOfPictures(frame.codec)].append(picture)
        case .tooLarge: pictures[frame.codec] = nil
        }
        return outcome
    }

    mutating func add(_ viewer: Viewer) {
        viewers.append(viewer)
        tell()
    }

    mutating func remove(_ id: ViewerID) {
        guard let index = viewers.firstIndex(where: { $0.id == id }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
        tell()
    }

    /// Says who watches, where that has changed; forgets the pictures of a codec that nobody takes any more.
    mutating func tell() {
        var now = StageViewers(total: viewers.count)
        for viewer in viewers {
            if let codec = viewer.videoCodec { now.byVideoCodec[codec, default: 0] += 1 }
            if viewer.takesSound { now.audio += 1 }
        }
        pictures = pictures.filter { now.byVideoCodec[$0.key] != nil }
        guard now != told else { return }
        told = now
        callbacks.viewersChanged(now)
    }
}
