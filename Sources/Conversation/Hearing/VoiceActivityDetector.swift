internal import CAudioProcessing
internal import MediaPipeline

/// Owns one of WebRTC's voice detectors: high-pass filter, noise suppression, and the decision, 10 ms at a time.
@safe struct VoiceActivityDetector: ~Copyable {
    struct Finding: Equatable, Sendable {
        var isVoice: Bool
        /// Mean amplitude before the noise was taken out, 0...1.
        var level: Float
    }
    /// 10 ms at 16 kHz.
    static let frameSize = 160
    /// Mean amplitude below which nothing is a voice, whatever it is like: -60 dBFS, a quiet room's noise.
    static let floor: Float = 0.001

    private let detector: OpaquePointer

    /// Nil where the library refuses.
    init?() {
        // 1 of 0...3: noise of keyboards and fans is turned away, the ends of words are not.
        guard let detector = unsafe cap_detector_create(1) else { return nil }
        unsafe self.detector = detector
    }

    deinit {
        unsafe cap_detector_destroy(detector)
    }

    /// One finding for each whole 10 ms of `samples`, 16 kHz.
    mutating func detect(_ samples: [Int16]) -> [Finding] {
        var findings: [Finding] = []
        var start = 0
        while start + Self.frameSize <= samples.count {
            // The library cleans what it is given in place; the recogniser wants the sound as it was.
            var frame = Array(samples[start..<start + Self.frameSize])
            let level = Self.level(of: frame)
            let detector = unsafe self.detector
            let outcome = unsafe frame.withUnsafeMutableBufferPointer { buffer in
                unsafe buffer.baseAddress.map { unsafe cap_detector_process(detector, $0) } ?? -1
            }
            findings.append(Finding(isVoice: outcome == 1 && level >= Self.floor, level: level))
            start += Self.frameSize
        }
        return findings
    }

    private static func level(of frame: [Int16]) -> Float {
        var sum: Int32 = 0
        for sample in frame { sum += Int32(sample.magnitude) }
        return Float(sum) / Float(frame.count) / 32768
    }
}
