package import Core

/// What a live picture is to show.
package struct PictureMoment: Sendable {
    /// Seconds on the idle motion's own clock.
    package var motionTime: Double
    package var mouth: MouthShape
    /// Time on the source's clock, which stands still while nobody watches.
    package var sourceTime: Duration
    /// What is heard while the picture is shown; nil while nothing is spoken.
    package var speech: SpeechPosition?

    package init(motionTime: Double, mouth: MouthShape, sourceTime: Duration, speech: SpeechPosition? = nil) {
        self.motionTime = motionTime
        self.mouth = mouth
        self.sourceTime = sourceTime
        self.speech = speech
    }
}

/// A place in an utterance.
package struct SpeechPosition: Equatable, Sendable {
    package var utterance: UtteranceID
    /// The first sample that is heard while the picture is shown, counted from the utterance's first, at 48 kHz.
    package var sample: Int64

    package init(utterance: UtteranceID, sample: Int64) {
        self.utterance = utterance
        self.sample = sample
    }
}

/// What a source tells its stage, from any thread.
package enum SourceEvent: Sendable {
    /// The first picture of the utterance is there: its sound may begin.
    case picturesReady(UtteranceID)
    /// The idle motion as it is to be replayed; a later one takes the place of an earlier one.
    case loopReady(IdleLoop)
    /// An engine that speaks itself: the next sound of the utterance, 48 kHz, and its end.
    case sound(UtteranceID, SpokenPart)
    case soundEnded(UtteranceID)
    /// The source goes on, but not as it should; nil once all is well again.
    case degraded(reason: String?)
}

/// Where a stage's live pictures come from, and its sound if it has one of its own. Used by the stage's thread only.
package protocol PictureSource: AnyObject {
    /// It has a sound of its own, which is heard while no voice is.
    var hasSound: Bool { get }
    /// It is to be told what will be heard.
    var wantsSound: Bool { get }
    /// Utterances wait for ``SourceEvent/picturesReady(_:)``, but only so long; nil: they need not wait.
    var pictureWait: Duration? { get }
    /// The utterances' sound comes back from the source by ``SourceEvent/sound(_:_:)``.
    var speaksItself: Bool { get }
    /// Where its events go; called once, before anything else.
    func connect(_ events: @escaping @Sendable (SourceEvent) -> Void)
    /// The next sound of an utterance, 16 kHz, in order and as early as it is known. `motionTime` is where the idle
    /// motion will be about when it is heard.
    func utteranceBegan(_ utterance: UtteranceID, motionTime: Double)
    func heard(_ samples: [Int16], of utterance: UtteranceID)
    func utteranceEnded(_ utterance: UtteranceID)
    /// Everything that was begun is void.
    func clear()
    /// Draws the picture of that moment. An error leaves the last picture standing.
    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError)
    /// One packet's samples from that time on.
    func sound(at sourceTime: Duration) throws(SourceError) -> [Int16]
    /// No picture is needed for a while: let go of what can be made anew.
    func rest()
}

extension PictureSource {
    package var hasSound: Bool { false }
    package var wantsSound: Bool { true }
    package var pictureWait: Duration? { nil }
    package var speaksItself: Bool { false }
    package func connect(_ events: @escaping @Sendable (SourceEvent) -> Void) {}
    package func utteranceBegan(_ utterance: UtteranceID, motionTime: Double) {}
    package func heard(_ samples: [Int16], of utterance: UtteranceID) {}
    package func utteranceEnded(_ utterance: UtteranceID) {}
    package func clear() {}
    package func sound(at sourceTime: Duration) throws(SourceError) -> [Int16] {
        [Int16](repeating: 0, count: OpusFormat.samplesPerPacket)
    }
    package func rest() {}
}

/// Why a source gave no picture or no sound this time.
package struct SourceError: Error, Equatable {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

/// The drawn avatar as a source of live pictures.
final class AvatarSource: PictureSource {
    private let width: Int
    private let height: Int
    private var painter: AvatarPainter?

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    var wantsSound: Bool { false }

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        if painter == nil { painter = AvatarPainter(width: width, height: height) }
        let pose = IdleMotion.speakingPose(at: moment.motionTime, mouth: moment.mouth)
        guard let painter else { throw SourceError(reason: "Cairo has no memory for a picture") }
        painter.paint(pose)
        picture.convert(from: painter.canvas)
    }

    func rest() {
        painter = nil
    }
}
