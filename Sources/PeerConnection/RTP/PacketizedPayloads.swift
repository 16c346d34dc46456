/// The RTP payloads of one encoded frame, cut once and shared by every viewer, replay and retransmission.
///
/// All payloads have the same size but for the last, which may be shorter: so the packets that carry them are equal segments
/// for generic segmentation offload.
package final class PacketizedPayloads: Sendable {
    /// The payloads back to back.
    package let storage: [UInt8]
    /// Size in bytes of every payload but the last.
    package let payloadSize: Int
    /// How many payloads there are.
    package let count: Int
    /// True where a decoder can start with this frame: of a key picture that comes in several frames, the first. Always true
    /// of sound.
    package let isKeyFrame: Bool

    /// Payloads of `payloadSize` bytes each lie back to back in `storage`; the last takes what is left.
    package init(storage: [UInt8], payloadSize: Int, isKeyFrame: Bool) {
        let size = max(payloadSize, 1)
        self.storage = storage
        self.payloadSize = size
        self.count = storage.count / size + (storage.count % size == 0 ? 0 : 1)
        self.isKeyFrame = isKeyFrame
    }

    /// A frame that travels in one packet as it is, as Opus does ([RFC 7587 §4.2](https://www.rfc-editor.org/rfc/rfc7587#section-4.2)).
    package convenience init(single payload: [UInt8], isKeyFrame: Bool = true) {
        self.init(storage: payload, payloadSize: payload.count, isKeyFrame: isKeyFrame)
    }

    /// Where payload `index` lies in ``storage``. The caller keeps `index` below ``count``.
    package func range(of index: Int) -> Range<Int> {
        let start = index * payloadSize
        return start..<min(start + payloadSize, storage.count)
    }

    /// Where each payload lies in ``storage``.
    package var ranges: [Range<Int>] {
        (0..<count).map(range(of:))
    }
}
