package import Core
package import PeerConnection

/// Takes what a viewer's microphone sends. Called on the media loop's thread; must return at once.
package protocol MicrophoneSink: Sendable {
    /// One RTP packet of Opus, in the order of its arrival.
    func receive(_ packet: ReceivedPacket, now: Instant)
    /// The viewer is gone; nothing more will come.
    func ended()
}
