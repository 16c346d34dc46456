package import Core

/// One frame of picture or sound on its stage's clock, ready to be sent to any number of viewers.
package struct MediaFrame: Sendable {
    package let kind: MediaKind
    package let payloads: PacketizedPayloads
    /// The stage's clock in units of ``MediaKind/clockRateHz``; each viewer's stream adds an offset of its own.
    package let rtpTimestamp: UInt32
    /// When the frame is due on the stage's media clock; sender reports map the RTP clock to it.
    package let presentationTime: Instant
    /// Counts the playout's discontinuities: frames of another epoch do not continue this one's prediction chain.
    package let epoch: UInt32
    /// When the frame entered the encoder, for the frame-in to last-packet-out histogram.
    package let capturedAt: Instant

    package init(
        kind: MediaKind, payloads: PacketizedPayloads, rtpTimestamp: UInt32, presentationTime: Instant, epoch: UInt32,
        capturedAt: Instant
    ) {
        self.kind = kind
        self.payloads = payloads
        self.rtpTimestamp = rtpTimestamp
        self.presentationTime = presentationTime
        self.epoch = epoch
        self.capturedAt = capturedAt
    }
}
