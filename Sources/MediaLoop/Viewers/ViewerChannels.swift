package import Core
package import PeerConnection

/// Takes what viewers say over their data channels. Called on the media loop's thread; must return at once.
package protocol ViewerChannels: Sendable {
    /// The viewer opened a channel; it may be sent on from now on.
    func opened(_ channel: DataChannelID, label: String, viewer: ViewerID)
    func received(_ message: DataChannelMessage, on channel: DataChannelID, viewer: ViewerID)
    /// True once a message was dropped because too much waits to be sent; false when there is room again.
    func congested(_ isCongested: Bool, on channel: DataChannelID, viewer: ViewerID)
    func closed(_ channel: DataChannelID, viewer: ViewerID)
    /// The viewer is gone and its channels with it; nothing more will come.
    func ended(viewer: ViewerID)
}

extension ViewerChannels {
    package func congested(_ isCongested: Bool, on channel: DataChannelID, viewer: ViewerID) {}
}
