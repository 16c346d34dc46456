internal import CFlite

/// Owns the built-in voice: Flite's `cmu_us_slt`, 16 kHz. Used by one thread at a time.
@safe struct FliteVoice: ~Copyable {
    /// What one piece of text sounds like.
    struct Speech {
        /// 16 kHz, one channel.
        var samples: [Int16]
        var phones: [PhoneInterval]
    }
    static let sampleRateHz = 16_000

    private let voice: UnsafeMutablePointer<cst_voice>

    init?() {
        guard flite_init() == 0, let voice = unsafe register_cmu_us_slt(nil) else { return nil }
        unsafe self.voice = voice
    }

    /// Speaks one sentence; nil where Flite makes nothing of it.
    borrowing func synthesise(_ text: String) -> Speech? {
        guard let utterance = unsafe flite_synth_text(text, voice) else { return nil }
        defer { unsafe delete_utterance(utterance) }
        guard let wave = unsafe utt_wave(utterance), unsafe wave.pointee.num_samples > 0,
            unsafe wave.pointee.sample_rate == Int32(Self.sampleRateHz), let data = unsafe wave.pointee.samples
        else { return nil }
        let samples = unsafe [Int16](UnsafeBufferPointer(start: data, count: Int(wave.pointee.num_samples)))
        return unsafe Speech(samples: samples, phones: Self.phones(of: utterance))
    }

    private static func phones(of utterance: UnsafeMutablePointer<cst_utterance>) -> [PhoneInterval] {
        var phones: [PhoneInterval] = []
        guard let relation = unsafe utt_relation(utterance, "Segment") else { return [] }
        var item = unsafe relation_head(relation)
        var start = 0.0
        while let segment = unsafe item {
            let end = Double(unsafe item_feat_float(segment, "end"))
            let name = unsafe item_feat_string(segment, "name").map { unsafe String(cString: $0) } ?? "pau"
            phones.append(PhoneInterval(phone: name, start: start, end: end))
            start = end
            unsafe item = item_next(segment)
        }
        return phones
    }
}
