internal import Core
internal import PeerConnection
internal import Synchronization

/// An idle motion, drawn and encoded once, ready to be replayed to any number of stages.
package final class IdleLoop: Sendable {
    /// What a loop is made for; stages with the same key share one.
    package struct Key: Hashable, Sendable {
        package var width: Int
        package var height: Int
        package var framesPerSecond: Int
        package var bitRate: Int
        /// Frames from one key frame to the next.
        package var keyFrameInterval: Int

        package init(width: Int, height: Int, framesPerSecond: Int, bitRate: Int, keyFrameInterval: Int) {
            self.width = width
            self.height = height
            self.framesPerSecond = framesPerSecond
            self.bitRate = bitRate
            self.keyFrameInterval = keyFrameInterval
        }

        /// Whole key-frame intervals that come nearest to the idle motion's period.
        package var frameCount: Int {
            let interval = max(1, keyFrameInterval)
            let wished = Double(framesPerSecond) * IdleMotion.period
            return max(1, Int((wished / Double(interval)).rounded())) * interval
        }
    }

    let frames: [PacketizedPayloads]
    package let key: Key

    package var byteCount: Int { frames.reduce(0) { $0 + $1.storage.count } }
    package var frameCount: Int { frames.count }

    /// Encodes `pictureCount` pictures as `draw` makes them, one after the other from 0 on; key frames are where the
    /// index is a multiple of the key's interval. What `draw` throws ends it.
    package init(
        key: Key, pictureCount: Int, draw: (Int, borrowing I420Picture) throws -> Void
    ) throws(CodecError) {
        guard pictureCount > 0 else { throw CodecError(code: .encodeFailed, reason: "a loop of no pictures") }
        var encoder = try VP8Encoder(
            VP8Encoder.Configuration(
                width: key.width, height: key.height, framesPerSecond: key.framesPerSecond, bitRate: key.bitRate,
                effort: .thorough))
        let picture = I420Picture(width: key.width, height: key.height)
        var frames: [PacketizedPayloads] = []
        frames.reserveCapacity(pictureCount)
        for index in 0..<pictureCount {
            do {
                try draw(index, picture)
            } catch {
                let reason = (error as? SourceError)?.reason ?? "\(error)"
                throw CodecError(code: .encodeFailed, reason: "picture \(index) of the loop: \(reason)")
            }
            let isKeyFrame = index % max(1, key.keyFrameInterval) == 0
            frames.append(try encoder.encode(picture, forceKeyFrame: isKeyFrame).payloads)
        }
        self.key = key
        self.frames = frames
    }

    /// The drawn avatar's idle motion.
    package convenience init(key: Key) throws(CodecError) {
        guard let painter = AvatarPainter(width: key.width, height: key.height) else {
            throw CodecError(code: .unavailable, reason: "Cairo refuses \(key.width)x\(key.height)")
        }
        let count = key.frameCount
        try self.init(key: key, pictureCount: count) { index, picture in
            // The motion is stretched by the little that rounding to whole intervals asks for.
            painter.paint(IdleMotion.pose(at: Double(index) * IdleMotion.period / Double(count)))
            picture.convert(from: painter.canvas)
        }
    }
}

/// The process's idle loops: each is made once, in the background, for all stages that want it.
package final class IdleLoopCache: Sendable {
    package typealias Delivery = @Sendable (Result<IdleLoop, CodecError>) -> Void
    private enum Entry {
        case making(waiting: [Delivery])
        case ready(IdleLoop)
    }
    private struct State {
        var entries: [IdleLoop.Key: Entry] = [:]
        var readyKeys: [IdleLoop.Key] = []
    }

    package static let shared = IdleLoopCache()
    /// Loops of so many kinds are kept (about 0.5 MB each); the oldest goes first.
    private static let capacity = 16
    private let state = Mutex(State())

    package init() {}

    /// Calls `deliver` with the loop, at once if it exists, else on the thread that makes it.
    package func loop(for key: IdleLoop.Key, deliver: @escaping Delivery) {
        let ready: IdleLoop? = state.withLock { state in
            switch state.entries[key] {
            case .ready(let loop):
                return loop
            case .making(var waiting):
                waiting.append(deliver)
                state.entries[key] = .making(waiting: waiting)
            case nil:
                state.entries[key] = .making(waiting: [deliver])
                PipelineThread.start(name: "idle-loop", niceness: 5) { self.make(key) }
            }
            return nil
        }
        if let ready { deliver(.success(ready)) }
    }

    private func make(_ key: IdleLoop.Key) {
        let result = Result { () throws(CodecError) in try IdleLoop(key: key) }
        let waiting: [Delivery] = state.withLock { state in
            guard case .making(let waiting) = state.entries[key] else { return [] }
            switch result {
            case .success(let loop):
                state.entries[key] = .ready(loop)
                state.readyKeys.append(key)
                if state.readyKeys.count > Self.capacity {
                    state.entries[state.readyKeys.removeFirst()] = nil
                }
            case .failure:
                // The next stage tries again.
                state.entries[key] = nil
            }
            return waiting
        }
        for deliver in waiting { deliver(result) }
    }
}
