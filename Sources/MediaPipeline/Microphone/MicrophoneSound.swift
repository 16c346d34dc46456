package import Core

/// 20 ms of what a viewer's microphone picked up.
package struct MicrophoneSound: Equatable, Sendable {
    package static let sampleRateHz = OpusSpeechDecoder.sampleRateHz
    /// 20 ms.
    package static let sampleCount = 320
    package static let duration: Duration = .milliseconds(20)

    /// 16 kHz, one channel; always ``sampleCount`` of them.
    package var samples: [Int16]
    /// When the first sample was spoken, on this machine's clock, as far as arrivals tell.
    package var time: Instant
    /// Made up, at least in part, for packets that did not come.
    package var isConcealed: Bool

    package init(samples: [Int16], time: Instant, isConcealed: Bool) {
        self.samples = samples
        self.time = time
        self.isConcealed = isConcealed
    }
}
