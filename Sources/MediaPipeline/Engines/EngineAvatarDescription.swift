/// How an engine's pixels lie: rows from the top, without padding (docs/protocols/engine.md, Values).
package enum EnginePixelFormat: String, Sendable {
    /// Three bytes a pixel, blue first.
    case bgr24
    /// Three bytes a pixel, red first.
    case rgb24
    /// A plane of luma, one of blue and one of red chroma at half the size.
    case i420
    /// A plane of luma and one of both chromas, by turns.
    case nv12

    /// Bytes of a picture with even sides.
    package func byteCount(width: Int, height: Int) -> Int {
        switch self {
        case .bgr24, .rgb24: width * height * 3
        case .i420, .nv12: width * height * 3 / 2
        }
    }
}

/// What an engine says of one of its avatars.
package struct EngineAvatarDescription: Equatable, Sendable {
    package var id: String
    /// Pixels; even.
    package var width: Int
    package var height: Int
    /// Of the engine's pictures, moving and idle.
    package var framesPerSecond: Double
    package var pixelFormat: EnginePixelFormat
    /// Mouth patches over idle pictures come, as well as whole pictures.
    package var sendsPatches: Bool
    /// Pictures of the idle motion, played forth and back.
    package var idleCount: Int

    package init(
        id: String, width: Int, height: Int, framesPerSecond: Double, pixelFormat: EnginePixelFormat,
        sendsPatches: Bool, idleCount: Int
    ) {
        self.id = id
        self.width = width
        self.height = height
        self.framesPerSecond = framesPerSecond
        self.pixelFormat = pixelFormat
        self.sendsPatches = sendsPatches
        self.idleCount = idleCount
    }

    static let sizeRange = 16...2160
    static let frameRateRange = 5.0...60.0
    static let idleCountRange = 1...3000

    /// Bytes of one of its pictures as it comes.
    var pictureByteCount: Int { pixelFormat.byteCount(width: width, height: height) }
    /// Positions of the idle motion's cycle, forth and back.
    var idleCycle: Int { max(1, 2 * idleCount - 2) }

    /// The idle picture at a position of the cycle; any integer will do.
    func idleIndex(atPosition position: Int) -> Int {
        let cycle = idleCycle
        let position = ((position % cycle) + cycle) % cycle
        return position < idleCount ? position : cycle - position
    }
}
