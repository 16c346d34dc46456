package import Core

/// Decides what a stage shows and says at each tick of its media clock. Does no I/O, holds no codec.
///
/// Feed it with ``handle(_:now:)``, act on ``pollOutput()`` until it gives nil, then wait until ``deadline``.
/// While nobody speaks, an avatar's idle loop is replayed as it was encoded; speech makes the picture live, and the
/// stage goes back to the loop at one of the loop's key frames, where the motion meets it.
package struct Playout: Sendable {
    package struct Configuration: Sendable {
        package var framesPerSecond: Int
        /// The source has a sound of its own (a file), so no voice is spoken.
        package var hasSourceSound: Bool
        /// The picture moves with the idle motion, and is still while nobody speaks: a loop may stand for it.
        package var isAvatar: Bool

        package init(framesPerSecond: Int, hasSourceSound: Bool, isAvatar: Bool) {
            self.framesPerSecond = framesPerSecond
            self.hasSourceSound = hasSourceSound
            self.isAvatar = isAvatar
        }
    }

    package enum Input: Sendable {
        case viewerCountChanged(Int)
        case keyFrameRequested
        /// The idle loop has been encoded: `frames` of it, with a key frame every `keyFrameInterval`.
        case loopBecameReady(frames: Int, keyFrameInterval: Int)
        case utteranceAccepted(UtteranceID)
        case partSynthesised(UtteranceID, SpokenPart)
        case synthesisEnded(UtteranceID)
        case interrupted
        case timeout
    }

    /// When and where in its streams a frame belongs.
    package struct Stamp: Sendable, Equatable {
        package let presentationTime: Instant
        package let rtpTimestamp: UInt32
        package let epoch: UInt32
        /// Time on the source's own clock, which stands still while nobody watches.
        package let sourceTime: Duration
    }

    package enum Picture: Sendable, Equatable {
        /// A frame of the encoded loop.
        case loopFrame(Int)
        /// A picture to be drawn and encoded: the idle motion at `motionTime` seconds with this mouth.
        /// `startsChain` asks for a fresh encoder.
        case live(motionTime: Double, mouth: MouthShape, startsChain: Bool, forceKeyFrame: Bool)
    }

    package enum Sound: Sendable, Equatable {
        case silence
        case samples([Int16], startsChain: Bool)
        /// The source's own sound.
        case source
    }

    package enum Output: Sendable, Equatable {
        case show(Picture, Stamp)
        case play(Sound, Stamp)
        /// No live picture is needed for now.
        case releaseEncoder
        case report(StageEvent)
        /// So many frames were left out since the driver came late.
        case countSkippedFrames(Int)
    }

    /// A key frame beyond the regular ones comes at most once in this time, however many viewers ask.
    package static let keyFrameRequestInterval: Duration = .seconds(1)
    /// A driver that comes later than this leaves frames out instead of sending them in a burst.
    package static let maximumLateness: Duration = .milliseconds(120)
    /// Silent packets that are still encoded after speech, so that its last sound fades as it should.
    static let fadingPackets = 5

    enum PictureState: Sendable {
        case replaying
        case live
    }
    struct Run: Sendable {
        var nextFrame: Int64
        var nextPacket: Int64
        /// Nil until the first frame is out.
        var picture: PictureState?
    }
    enum State: Sendable {
        /// Nobody watches; the stage costs nothing.
        case paused
        case running(Run)
    }
    struct HeardPacket: Sendable {
        let visemes: VisemeTrack
        /// Where in the track the packet began, and when that was on the media clock.
        let offset: Double
        let time: Instant
    }
    struct Loop: Sendable {
        let frames: Int64
        let keyFrameInterval: Int64
        /// Loop frame = (stage frame + phase) mod frames.
        var phase: Int64 = 0
    }

    package let clock: MediaClock
    let configuration: Configuration
    var state: State
    var loop: Loop?
    var utterances: [Utterance] = []
    /// The lips of the packet that is being heard, for the frames that fall into it.
    var heard: HeardPacket?
    var fadingLeft = 0
    var isVoiceChainOpen = false
    var epoch: UInt32 = 0
    /// The last frame and packet that went out.
    var lastFrame: Int64 = -1
    var lastPacket: Int64 = -1
    var pausedTime: Duration = .zero
    /// From when on the source's clock has been running.
    var resumedAt: Instant
    var isKeyFrameWanted = false
    var lastKeyFrame: Instant?
    var outputs: [Output] = []
    private var outputIndex = 0

    package init(configuration: Configuration, origin: Instant) {
        self.configuration = configuration
        clock = MediaClock(origin: origin, framesPerSecond: configuration.framesPerSecond)
        state = .paused
        resumedAt = origin
    }

    /// When the next frame or packet is due; nil while nobody watches.
    package var deadline: Instant? {
        guard case .running(let run) = state else { return nil }
        return min(clock.time(ofFrame: run.nextFrame), clock.time(ofPacket: run.nextPacket))
    }

    package var isSpeaking: Bool { utterances.first?.hasStarted ?? false }

    package mutating func pollOutput() -> Output? {
        guard outputIndex < outputs.count else {
            outputs.removeAll(keepingCapacity: true)
            outputIndex = 0
            return nil
        }
        defer { outputIndex += 1 }
        return outputs[outputIndex]
    }

    package mutating func handle(_ input: Input, now: Instant) {
        switch input {
        case .viewerCountChanged(let count):
            if count > 0 { resume(now) } else { pause() }
        case .keyFrameRequested:
            isKeyFrameWanted = true
        case .loopBecameReady(let frames, let interval):
            guard configuration.isAvatar, loop == nil, frames > 0, interval > 0, frames % interval == 0 else { return }
            loop = Loop(frames: Int64(frames), keyFrameInterval: Int64(interval))
        case .utteranceAccepted(let id):
            utterances.append(Utterance(id: id))
        case .partSynthesised(let id, let part):
            // A part of an utterance that was interrupted meanwhile is of no use.
            guard let index = utterances.firstIndex(where: { $0.id == id }) else { return }
            utterances[index].append(part)
        case .synthesisEnded(let id):
            guard let index = utterances.firstIndex(where: { $0.id == id }) else { return }
            utterances[index].isComplete = true
        case .interrupted:
            interrupt()
        case .timeout:
            advance(to: now)
        }
    }

    private mutating func resume(_ now: Instant) {
        guard case .paused = state else { return }
        // The frame that is due now goes out at once; but no timestamp may come twice.
        let run = Run(
            nextFrame: max(lastFrame + 1, clock.frame(dueAt: now)),
            nextPacket: max(lastPacket + 1, clock.packet(dueAt: now)))
        // The source's clock goes on from the last thing that went out.
        let last = max(resumedAt, clock.time(ofFrame: lastFrame), clock.time(ofPacket: lastPacket))
        let next = min(clock.time(ofFrame: run.nextFrame), clock.time(ofPacket: run.nextPacket))
        if next > last { pausedTime += next - last }
        resumedAt = max(last, next)
        state = .running(run)
    }

    private mutating func pause() {
        guard case .running = state else { return }
        state = .paused
        isVoiceChainOpen = false
        fadingLeft = 0
        outputs.append(.releaseEncoder)
    }

    private mutating func interrupt() {
        for utterance in utterances {
            outputs.append(
                .report(.speechFinished(utterance.id, position: utterance.position, interrupted: true)))
        }
        utterances.removeAll()
        heard = nil
        if isVoiceChainOpen { fadingLeft = Self.fadingPackets }
    }
}
