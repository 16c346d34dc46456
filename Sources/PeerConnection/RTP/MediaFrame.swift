package import Core

/// One frame of picture or sound on its stage's clock, ready to be sent to any number of viewers.
///
/// A picture may come in several frames of one ``rtpTimestamp``, one behind the other: only the last of them ``endsPicture``.
package struct MediaFrame: Sendable {
    package let codec: MediaCodec
    package let payloads: PacketizedPayloads
    /// The stage's clock in units of ``MediaKind/clockRateHz``; each viewer's stream adds an offset of its own.
    package let rtpTimestamp: UInt32
    /// When the frame is due on the stage's media clock; sender reports map the RTP clock to it.
    package let presentationTime: Instant
    /// Counts the playout's discontinuities: frames of another epoch do not continue this one's prediction chain.
    package let epoch: UInt32
    /// When the frame entered the encoder, for the frame-in to last-packet-out histogram.
    package let capturedAt: Instant
    /// False where more of the same picture follows. The last packet of a picture carries the marker. Of no meaning for sound.
    package let endsPicture: Bool

    package var kind: MediaKind { codec.kind }

    package init(
        codec: MediaCodec, payloads: PacketizedPayloads, rtpTimestamp: UInt32, presentationTime: Instant, epoch: UInt32,
        capturedAt: Instant, endsPicture: Bool = true
    ) {
        self.codec = codec
        self.payloads = payloads
        self.rtpTimestamp = rtpTimestamp
        self.presentationTime = presentationTime
        self.epoch = epoch
        self.capturedAt = capturedAt
        self.endsPicture = endsPicture
    }
}
