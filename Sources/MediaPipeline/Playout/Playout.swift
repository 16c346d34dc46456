package import Core

/// Decides what a stage shows and says at each tick of its media clock. Does no I/O, holds no codec.
///
/// Feed it with ``handle(_:now:)``, act on ``pollOutput()`` until it gives nil, then wait until ``deadline``.
/// While nobody speaks, the source's idle loop is replayed as it was encoded; speech makes the picture live, and the
/// stage goes back to the loop at one of the loop's key frames, where the motion meets it.
package struct Playout: Sendable {
    package struct Configuration: Sendable {
        package var framesPerSecond: Int
        /// The source has a sound of its own (a file), which is heard while no voice is.
        package var hasSourceSound: Bool
        /// Utterances wait for their first picture, but only so long; nil: they need not.
        package var pictureWait: Duration?
        /// Samples by which the decoded voice lags behind what was encoded: the picture is as late.
        package var voiceDelaySamples: Int

        package init(
            framesPerSecond: Int, hasSourceSound: Bool = false, pictureWait: Duration? = nil,
            voiceDelaySamples: Int = 0
        ) {
            self.framesPerSecond = framesPerSecond
            self.hasSourceSound = hasSourceSound
            self.pictureWait = pictureWait
            self.voiceDelaySamples = voiceDelaySamples
        }
    }

    package enum Input: Sendable {
        case viewerCountChanged(Int)
        case keyFrameRequested
        /// The idle loop has been encoded: `frames` of it, with a key frame every `keyFrameInterval`.
        case loopBecameReady(frames: Int, keyFrameInterval: Int)
        case utteranceBegan(UtteranceID)
        case soundArrived(UtteranceID, SpokenPart)
        case utteranceEnded(UtteranceID)
        /// The source has the utterance's first picture.
        case picturesBecameReady(UtteranceID)
        /// What the avatar does while it does not speak.
        case activityChanged(StageActivity)
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

    /// A picture to be drawn and encoded.
    package struct LivePicture: Sendable, Equatable {
        /// Seconds on the idle motion's clock.
        package var motionTime: Double
        package var mouth: MouthShape
        /// What is heard meanwhile.
        package var speech: SpeechPosition?
        /// Asks for a fresh encoder.
        package var startsChain: Bool
        package var forceKeyFrame: Bool
    }

    package enum Picture: Sendable, Equatable {
        /// A frame of the encoded loop.
        case loopFrame(Int)
        case live(LivePicture)
    }

    package enum Sound: Sendable, Equatable {
        case silence
        /// One packet of the voice. `startsChain` asks for a fresh encoder.
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
        /// The answer to one ``Input/interrupted``: what was cut off, in order.
        case interrupted([Interruption])
        /// The last packet that holds any of a voice that was interrupted is out.
        case speechCutOff
        /// So many frames were left out since the driver came late.
        case countSkippedFrames(Int)
        /// A packet of an utterance that goes on lacks samples: silence took their place.
        case countMissingVoice
        /// An utterance was begun without its pictures.
        case countLatePictures
    }

    /// A key frame beyond the regular ones comes at most once in this time, however many viewers ask.
    package static let keyFrameRequestInterval: Duration = .seconds(1)
    /// A driver that comes later than this leaves frames out instead of sending them in a burst.
    package static let maximumLateness: Duration = .milliseconds(120)
    /// An utterance that brings no sound for so long is given up: another one may be waiting behind it.
    package static let maximumVoiceGap: Duration = .seconds(60)
    /// Silent packets that are still encoded after speech, so that its last sound fades as it should.
    static let fadingPackets = 5
    /// Samples in which an interrupted voice fades: 5 ms, so that it does not click.
    static let cutOffSamples = 240

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
    /// The packet of voice that is being heard, for the frames that fall into it.
    struct HeardPacket: Sendable {
        /// The lips' track, and where in it the packet began; nil while the voice is missing.
        let visemes: (track: VisemeTrack, offset: Double)?
        let time: Instant
        /// At the packet's begin.
        let position: SpeechPosition
        /// Of the utterance; the rest of the packet is silence.
        let sampleCount: Int
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
    var heard: HeardPacket?
    /// What is left of an interrupted voice: the next packet.
    var cutOff: [Int16]?
    var fadingLeft = 0
    var isVoiceChainOpen = false
    /// What the avatar does while it does not speak.
    var restActivity = StageActivity.idle
    var isVoiceHeard = false
    var reportedActivity = StageActivity.idle
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
            takeLoop(frames: frames, keyFrameInterval: interval)
        case .utteranceBegan(let id):
            utterances.append(Utterance(id: id))
        case .soundArrived(let id, let part):
            // A part of an utterance that was interrupted meanwhile is of no use.
            withUtterance(id) { $0.append(part) }
        case .utteranceEnded(let id):
            withUtterance(id) { $0.isComplete = true }
        case .picturesBecameReady(let id):
            withUtterance(id) { $0.hasPictures = true }
        case .activityChanged(let activity):
            restActivity = activity == .speaking ? .idle : activity
            reportActivity()
        case .interrupted:
            interrupt()
        case .timeout:
            advance(to: now)
        }
    }

    private mutating func withUtterance(_ id: UtteranceID, _ body: (inout Utterance) -> Void) {
        guard let index = utterances.firstIndex(where: { $0.id == id }) else { return }
        body(&utterances[index])
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
        pauseSpeech()
        outputs.append(.releaseEncoder)
    }
}
