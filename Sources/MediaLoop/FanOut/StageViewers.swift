package import PeerConnection

/// Who watches a stage: what has to be made for them.
package struct StageViewers: Hashable, Sendable {
    package var total: Int
    /// Those who negotiated each of the picture's codecs; a codec that nobody takes is not in it.
    package var byVideoCodec: [MediaCodec: Int]
    /// Those who take sound.
    package var audio: Int

    package init(total: Int = 0, byVideoCodec: [MediaCodec: Int] = [:], audio: Int = 0) {
        self.total = total
        self.byVideoCodec = byVideoCodec
        self.audio = audio
    }
}
