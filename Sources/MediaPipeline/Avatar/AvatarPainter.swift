/// Paints one character, pose by pose, onto a canvas of its own.
///
/// The drawing is laid out on a square of 512 units, which is scaled and centred into the picture; the backdrop,
/// which never moves, is painted once.
final class AvatarPainter {
    let palette: AvatarPalette
    let canvas: CairoCanvas
    private let backdrop: CairoCanvas
    /// Backdrop, back hair and body as they were last painted.
    private let underlay: CairoCanvas
    private var paintedFrames = 0
    /// The underlay moves so slowly (a few points in two seconds) that painting it anew for every third picture is
    /// enough; between them the encoder, too, has less to do.
    private static let underlayInterval = 3

    init?(width: Int, height: Int, palette: AvatarPalette = .mira) {
        guard let canvas = CairoCanvas(width: width, height: height),
            let backdrop = CairoCanvas(width: width, height: height),
            let underlay = CairoCanvas(width: width, height: height)
        else { return nil }
        self.palette = palette
        self.canvas = canvas
        Self.paintBackdrop(on: backdrop, palette: palette)
        self.backdrop = backdrop
        self.underlay = underlay
    }

    /// Paints the whole picture; read it from ``canvas``.
    func paint(_ pose: AvatarPose) {
        let head = HeadPlacement(pose)
        if paintedFrames % Self.underlayInterval == 0 {
            underlay.replace(with: backdrop)
            within(underlay) {
                head.within(underlay, share: -0.35) { paintBackHair(on: underlay, pose) }
                paintBody(on: underlay, pose)
            }
        }
        paintedFrames += 1
        canvas.replace(with: underlay)
        within(canvas) {
            head.within(canvas, share: 0) { paintFace(on: canvas, pose) }
            head.within(canvas, share: 1) { paintFeatures(on: canvas, pose) }
            head.within(canvas, share: 0.45) { paintFringe(on: canvas, pose) }
        }
    }

    /// Draws on the square of 512 units.
    private func within(_ canvas: borrowing CairoCanvas, _ body: () -> Void) {
        canvas.save()
        let unit = Double(min(canvas.width, canvas.height)) / 512
        canvas.translate((Double(canvas.width) - 512 * unit) / 2, Double(canvas.height) - 512 * unit)
        canvas.scale(unit, unit)
        body()
        canvas.restore()
    }

    private static func paintBackdrop(on canvas: borrowing CairoCanvas, palette: AvatarPalette) {
        let width = Double(canvas.width)
        let height = Double(canvas.height)
        canvas.rectangle(0, 0, width, height)
        canvas.fill(
            .linear(
                from: Point(0, 0), to: Point(width * 0.25, height),
                stops: [(0, palette.backdropTop), (1, palette.backdropBottom)]))
        // A soft light behind the head and a few discs out of focus.
        canvas.rectangle(0, 0, width, height)
        canvas.fill(
            .radial(
                center: Point(width * 0.5, height * 0.42), innerRadius: 0, outerRadius: max(width, height) * 0.6,
                stops: [(0, Color(0xFFFFFF, 0.55)), (1, Color(0xFFFFFF, 0))]))
        let discs: [(Double, Double, Double, UInt32)] = [
            (0.13, 0.2, 0.085, 0xFFF3C9), (0.87, 0.14, 0.06, 0xD5F2E6), (0.93, 0.47, 0.1, 0xFFE1D6),
            (0.07, 0.56, 0.06, 0xD9EEFF), (0.24, 0.07, 0.035, 0xFFFFFF), (0.76, 0.33, 0.03, 0xFFFFFF),
        ]
        for (x, y, radius, hex) in discs {
            let size = radius * min(width, height)
            canvas.ellipse(x * width, y * height, size, size)
            canvas.fill(
                .radial(
                    center: Point(x * width, y * height), innerRadius: 0, outerRadius: size,
                    stops: [(0, Color(hex, 0.55)), (0.8, Color(hex, 0.4)), (1, Color(hex, 0))]))
        }
    }
}

/// Where the head is, and how far each layer of it moves when it turns: near layers more than far ones.
struct HeadPlacement {
    /// The point the head leans about: the base of the neck.
    private static let pivot = Point(256, 370)
    private let offset: Point
    private let parallax: Point
    private let lean: Double

    init(_ pose: AvatarPose) {
        offset = Point(pose.turn * 5, pose.nod * 5 - pose.breath * 2.6)
        parallax = Point(pose.turn * 13, pose.nod * 8)
        lean = pose.lean + pose.turn * 0.035
    }

    func within(_ canvas: borrowing CairoCanvas, share: Double, _ body: () -> Void) {
        canvas.save()
        canvas.translate(offset.x, offset.y)
        canvas.rotate(lean, about: Self.pivot)
        canvas.translate(parallax.x * share, parallax.y * share)
        body()
        canvas.restore()
    }
}
