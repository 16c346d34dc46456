import Core
import MediaPipeline
import PeerConnection
import Synchronization
import Testing

/// Keeps every frame that a stage delivers, and lets a test wait for them.
final class RecordingSink: MediaFrameSink {
    let frames: AsyncStream<MediaFrame>
    private let continuation: AsyncStream<MediaFrame>.Continuation

    init() {
        (frames, continuation) = AsyncStream.makeStream()
    }

    func deliver(_ frame: MediaFrame, stage: StageID) {
        continuation.yield(frame)
    }

    /// The frames from now on, up to and with the first that satisfies `isLast`.
    func collect(until isLast: (MediaFrame) -> Bool) async -> [MediaFrame] {
        var collected: [MediaFrame] = []
        for await frame in frames {
            collected.append(frame)
            if isLast(frame) { break }
        }
        return collected
    }
}

/// The encoded frame that was packetised: each payload without its one-byte descriptor.
func depacketize(_ payloads: PacketizedPayloads) -> [UInt8] {
    payloads.ranges.flatMap { payloads.storage[$0].dropFirst() }
}

extension I420Picture {
    /// How many points of the rectangle are darker than `limit`.
    func darkPoints(x: Range<Int>, y: Range<Int>, below limit: UInt8) -> Int {
        var count = 0
        for row in y { for column in x where luma(x: column, y: row) < limit { count += 1 } }
        return count
    }

    /// The mean difference of luma from another picture of the same size, inside a rectangle.
    func difference(from other: borrowing I420Picture, x: Range<Int>, y: Range<Int>) -> Double {
        var sum = 0
        for row in y {
            for column in x { sum += abs(Int(luma(x: column, y: row)) - Int(other.luma(x: column, y: row))) }
        }
        return Double(sum) / Double(x.count * y.count)
    }
}

func rms(_ samples: some Sequence<Int16>) -> Double {
    var sum = 0.0
    var count = 0.0
    for sample in samples {
        sum += Double(sample) * Double(sample)
        count += 1
    }
    return count == 0 ? 0 : (sum / count).squareRoot()
}
