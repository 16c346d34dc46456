internal import Core
internal import PeerConnection

/// What the loop knows of one stage: who watches, and the frames a joiner needs.
struct StageFanOut {
    /// Called on the loop's thread; must return at once.
    let keyFrameRequested: @Sendable () -> Void
    let viewerCountChanged: @Sendable (Int) -> Void
    var pictures = GroupOfPictures()
    private(set) var viewers: [Viewer] = []

    init(keyFrameRequested: @escaping @Sendable () -> Void, viewerCountChanged: @escaping @Sendable (Int) -> Void) {
        self.keyFrameRequested = keyFrameRequested
        self.viewerCountChanged = viewerCountChanged
    }

    mutating func add(_ viewer: Viewer) {
        viewers.append(viewer)
        viewerCountChanged(viewers.count)
    }

    mutating func remove(_ id: ViewerID) {
        guard let index = viewers.firstIndex(where: { $0.id == id }) else { return }
        viewers.swapAt(index, viewers.count - 1)
        viewers.removeLast()
        if viewers.isEmpty { pictures = GroupOfPictures() }
        viewerCountChanged(viewers.count)
    }
}
