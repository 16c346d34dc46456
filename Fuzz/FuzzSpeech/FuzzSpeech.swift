@testable import MediaPipeline

private let voice = Lips()

/// Any text to be spoken: cut into pieces of bounded length, and what the voice makes of the first of them has a mouth.
@c(LLVMFuzzerTestOneInput)
package func fuzzSpeech(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    let plain = Sentences.plain(text)
    precondition(plain.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "the voice reads ASCII only")
    let pieces = Sentences.split(plain)
    for piece in pieces + Sentences.split(text) {
        precondition(piece.count <= Sentences.maximumLength, "a piece is longer than may be said in one go")
    }
    precondition((pieces.first?.count ?? 0) <= Sentences.firstMaximumLength, "the first words come late")
    // Synthesis takes a thousand times as long as cutting: only short texts are spoken.
    if plain.utf8.count <= 12, let first = pieces.first { voice.say(first) }
    return 0
}

private final class Lips: @unchecked Sendable {
    // SAFETY: the fuzzer has one thread.
    private let voice = FliteVoice()

    func say(_ sentence: String) {
        guard let speech = voice?.synthesise(sentence) else { return }
        let track = VisemeTrack(phones: speech.phones)
        let length = Double(speech.samples.count) / Double(FliteVoice.sampleRateHz)
        // A sign may be read as several words; still, sound without end would hold up every stage.
        precondition(length < 60, "a few letters that are spoken for a minute")
        for share in 0...8 { check(track.shape(at: length * Double(share) / 8)) }
    }

    private func check(_ shape: MouthShape) {
        precondition(shape.opening >= 0 && shape.opening <= 1, "a mouth that cannot be drawn")
    }
}
