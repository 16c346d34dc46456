import Glibc

@testable import MediaPipeline

/// Any bytes as an avatar's video file: it is refused, or a second and a half of it is played, twice round where it is short.
@c(LLVMFuzzerTestOneInput)
package func fuzzMediaFile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    guard let start, file >= 0, ftruncate(file, 0) == 0, pwrite(file, start, count, 0) == count else { return 0 }
    let path = "/proc/self/fd/\(file)"
    guard let source = try? MediaFileSource(path: path, width: 64, height: 48, framesPerSecond: 10) else { return 0 }
    let picture = I420Picture(width: 64, height: 48)
    for tick in 0..<15 {
        let time = Duration.milliseconds(100 * tick)
        let moment = PictureMoment(motionTime: 0, mouth: .rest, sourceTime: time)
        try? source.draw(moment, into: picture)
        guard let samples = try? source.sound(at: time) else { continue }
        precondition(samples.count == OpusFormat.samplesPerPacket, "a packet is too short or too long")
    }
    return 0
}

/// Has no name, and goes with the process.
private let file = tmpfile().map(fileno) ?? -1
