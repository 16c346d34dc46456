internal import Core

/// What a live picture is to show.
struct PictureMoment: Sendable {
    /// Seconds on the idle motion's own clock.
    var motionTime: Double
    var mouth: MouthShape
    /// Time on the source's clock, which stands still while nobody watches.
    var sourceTime: Duration
}

/// Where a stage's live pictures come from, and its sound if it has one of its own. Used by the stage's thread only.
protocol PictureSource: AnyObject {
    var isAvatar: Bool { get }
    var hasSound: Bool { get }
    /// Draws the picture of that moment. An error leaves the last picture standing.
    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError)
    /// One packet's samples from that time on.
    func sound(at sourceTime: Duration) throws(SourceError) -> [Int16]
    /// No picture is needed for a while: let go of what can be made anew.
    func rest()
}

extension PictureSource {
    var isAvatar: Bool { false }
    var hasSound: Bool { false }
    func sound(at sourceTime: Duration) throws(SourceError) -> [Int16] {
        [Int16](repeating: 0, count: OpusFormat.samplesPerPacket)
    }
    func rest() {}
}

/// Why a source gave no picture or no sound this time.
struct SourceError: Error, Equatable {
    let reason: String
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

    var isAvatar: Bool { true }

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
