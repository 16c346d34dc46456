internal import Core
internal import Networking
internal import Synchronization

/// One picture that is drawn once and then only looked at.
@safe final class IdlePicture: @unchecked Sendable {
    // SAFETY: drawn in the initialiser, before anybody else has it; only read from then on.
    let picture: I420Picture

    /// Nil where the bytes do not fit.
    init?(_ bytes: ZeroMQFrame, _ avatar: EngineAvatarDescription) {
        picture = I420Picture(width: avatar.width, height: avatar.height)
        let isDrawn = unsafe bytes.withBytes {
            unsafe picture.draw($0, avatar.pixelFormat.layout, width: avatar.width, height: avatar.height)
        }
        guard isDrawn else { return nil }
    }
}

extension EnginePixelFormat {
    var layout: I420Picture.Layout {
        switch self {
        case .bgr24: .bgr24
        case .rgb24: .rgb24
        case .i420: .i420
        case .nv12: .nv12
        }
    }
}

/// The idle motion of one avatar: raw pictures, fetched once, and the loops that were encoded of them.
final class IdlePictures: Sendable {
    private struct State {
        var pictures: [IdlePicture?]
        /// Asked for and not there yet.
        var wanted: Set<Int> = []
        var received = 0
        var loops: [IdleLoop.Key: Loop] = [:]
    }
    private enum Loop {
        case making(waiting: [IdleLoopCache.Delivery])
        case ready(IdleLoop)
    }

    /// Pictures that are asked for at a time, at most.
    static let window = 16
    let avatar: EngineAvatarDescription
    /// Each so-many-th picture is kept.
    let stride: Int
    private let state: Mutex<State>

    /// Nil where not even every thirtieth picture fits into the memory, or all are needed and do not fit.
    init?(_ avatar: EngineAvatarDescription, memory: Int) {
        let size = I420Picture.byteCount(width: avatar.width, height: avatar.height)
        var stride = 1
        while (avatar.idleCount + stride - 1) / stride * size > memory { stride += 1 }
        guard stride == 1 || (!avatar.sendsPatches && stride <= 30) else { return nil }
        self.avatar = avatar
        self.stride = stride
        state = Mutex(State(pictures: Array(repeating: nil, count: (avatar.idleCount + stride - 1) / stride)))
    }

    var byteCount: Int {
        (avatar.idleCount + stride - 1) / stride * I420Picture.byteCount(width: avatar.width, height: avatar.height)
    }

    var isComplete: Bool { state.withLock { $0.received == $0.pictures.count } }

    /// The indices to be asked for now.
    func takeRequest() -> [Int] {
        state.withLock { state in
            guard state.wanted.isEmpty, state.received < state.pictures.count else { return [] }
            var indices: [Int] = []
            for (place, picture) in state.pictures.enumerated() where picture == nil {
                indices.append(place * stride)
                if indices.count == Self.window { break }
            }
            state.wanted = Set(indices)
            return indices
        }
    }

    /// What was asked for will not come any more.
    func forgetRequest() {
        state.withLock { $0.wanted.removeAll() }
    }

    /// Whether it was asked for.
    func accept(_ index: Int, _ picture: IdlePicture) -> Bool {
        state.withLock { state in
            guard state.wanted.remove(index) != nil, state.pictures[index / stride] == nil else { return false }
            state.pictures[index / stride] = picture
            state.received += 1
            return true
        }
    }

    /// That picture, or the one kept before it; nil where it has not come.
    func picture(_ index: Int) -> IdlePicture? {
        state.withLock { state in
            let place = index / stride
            guard state.pictures.indices.contains(place) else { return nil }
            return state.pictures[place] ?? state.pictures[0]
        }
    }

    // MARK: Loops

    /// The loop for that key once all pictures are there: at once, or from the thread that makes it.
    func loop(for key: IdleLoop.Key, deliver: @escaping IdleLoopCache.Delivery) {
        let ready: IdleLoop? = state.withLock { state in
            switch state.loops[key] {
            case .ready(let loop):
                return loop
            case .making(let waiting):
                state.loops[key] = .making(waiting: waiting + [deliver])
            case nil:
                state.loops[key] = .making(waiting: [deliver])
                PipelineThread.start(name: "idle-loop", niceness: 5) { self.make(key) }
            }
            return nil
        }
        if let ready { deliver(.success(ready)) }
    }

    private func make(_ key: IdleLoop.Key) {
        let motion = IdleCycle(avatar, key)
        let result = Result { () throws(CodecError) in
            try IdleLoop(key: key, pictureCount: motion.count) { index, picture in
                guard let idle = self.picture(motion.idleIndex(ofPicture: index)) else {
                    throw SourceError(reason: "an idle picture of the engine is missing")
                }
                Self.show(idle, in: picture)
            }
        }
        let waiting: [IdleLoopCache.Delivery] = state.withLock { state in
            guard case .making(let waiting) = state.loops[key] else { return [] }
            if case .success(let loop) = result { state.loops[key] = .ready(loop) } else { state.loops[key] = nil }
            return waiting
        }
        for deliver in waiting { deliver(result) }
    }

    static func show(_ idle: IdlePicture, in picture: borrowing I420Picture) {
        if idle.picture.width == picture.width, idle.picture.height == picture.height {
            picture.copy(from: idle.picture)
        } else {
            // Fails for no sizes that a stage or an engine may have.
            _ = picture.fit(idle.picture)
        }
    }
}

/// An engine's idle motion, forth and back, in a stage's pictures.
struct IdleCycle {
    private let avatar: EngineAvatarDescription
    private let framesPerSecond: Int
    /// Pictures of the loop; whole cycles.
    let count: Int
    private let positions: Int

    /// A loop is no shorter than from one key frame to the next: repeated where the cycle is.
    init(_ avatar: EngineAvatarDescription, _ key: IdleLoop.Key) {
        self.avatar = avatar
        framesPerSecond = max(1, key.framesPerSecond)
        let once = Double(avatar.idleCycle) * Double(framesPerSecond) / avatar.framesPerSecond
        let cycles = max(1, Int((Double(max(1, key.keyFrameInterval)) / once).rounded(.up)))
        count = max(1, Int((once * Double(cycles)).rounded()))
        positions = avatar.idleCycle * cycles
    }

    func idleIndex(ofPicture index: Int) -> Int {
        avatar.idleIndex(atPosition: (index % count) * positions / count)
    }

    /// The idle picture at a time of the motion, in seconds.
    func idleIndex(at time: Double) -> Int {
        let pictures = (time * Double(framesPerSecond)).rounded()
        guard pictures.isFinite, abs(pictures) < 1e15 else { return 0 }
        return idleIndex(ofPicture: max(0, Int(pictures)))
    }
}
