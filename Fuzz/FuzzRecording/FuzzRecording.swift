import MediaPipeline

/// Any bytes as an audio file: they are refused, or at most two minutes of sound come out.
@c(LLVMFuzzerTestOneInput)
package func fuzzRecording(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let sound = try? RecordedSound(input, sampleRateHz: 16_000) else { return 0 }
    precondition(!sound.samples.isEmpty, "a recording without sound was taken")
    precondition(sound.samples.count <= RecordedSound.maximumSeconds * 16_000, "a recording is too long")
    return 0
}
