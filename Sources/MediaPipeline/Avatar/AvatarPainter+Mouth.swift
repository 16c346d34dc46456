extension AvatarPainter {
    /// Lips, teeth and tongue, laid out about the mouth's centre.
    func paintMouth(on canvas: borrowing CairoCanvas, _ mouth: MouthShape) {
        canvas.save()
        canvas.translate(256, 315)
        let outline = MouthOutline(mouth)
        outline.lips(on: canvas)
        canvas.fill(
            .linear(
                from: Point(0, -8), to: Point(0, outline.bottom + 9),
                stops: [(0, palette.lipDark), (0.35, palette.lip), (1, Color(0xF08C86))]))
        if outline.isOpen {
            canvas.save()
            outline.inside(on: canvas)
            canvas.fill(palette.mouthInside, keepsPath: true)
            canvas.clip()
            let tongueTop = outline.bottom * (0.62 - 0.42 * mouth.tongue)
            canvas.ellipse(0, tongueTop + 15, outline.halfWidth * 0.66, 15)
            canvas.fill(
                .linear(
                    from: Point(0, tongueTop), to: Point(0, tongueTop + 20),
                    stops: [(0, palette.tongue), (1, Color(0xB94A56))]))
            // Upper teeth hang from the upper lip; for "f" they come down to the lower one.
            let teeth = outline.top + 4 + min(5, mouth.opening * 9) + mouth.bite * 4
            canvas.move(-outline.halfWidth * 0.8, outline.top - 6)
            canvas.line(outline.halfWidth * 0.8, outline.top - 6)
            canvas.curve(
                outline.halfWidth * 0.7, teeth + 2, -outline.halfWidth * 0.7, teeth + 2, -outline.halfWidth * 0.8,
                outline.top - 6)
            canvas.fill(Color(0xFFFDF8))
            canvas.restore()
        } else {
            outline.seam(on: canvas)
            canvas.stroke(Color(0x8E3440), width: 2.4)
        }
        // Dimples and the light on the lower lip.
        for side in [-1.0, 1.0] {
            canvas.move(side * (outline.halfWidth + 1), outline.corner - 3)
            canvas.curve(
                side * (outline.halfWidth + 4.5), outline.corner - 2, side * (outline.halfWidth + 5),
                outline.corner + 1, side * (outline.halfWidth + 4), outline.corner + 3)
            canvas.stroke(Color(0xC77B68, 0.7 * max(0, 1 - 2 * mouth.opening)), width: 2)
        }
        canvas.ellipse(-3, outline.bottom + 4.2, outline.halfWidth * 0.3, 1.7)
        canvas.fill(Color(0xFFFFFF, 0.45))
        canvas.restore()
    }
}

/// The lines of the mouth that follow from its shape.
private struct MouthOutline {
    let halfWidth: Double
    /// The height of the corners; negative is up.
    let corner: Double
    /// The inner edge of the upper and the lower lip in the middle.
    let top: Double
    let bottom: Double
    private let fullness: Double

    init(_ mouth: MouthShape) {
        halfWidth = max(11, 30 + 6 * mouth.spread - 16 * mouth.rounding - 3 * mouth.opening)
        corner = -6.5 + 5 * mouth.rounding + 3 * mouth.opening
        top = -0.5 - 4 * mouth.opening - 2 * mouth.rounding * mouth.opening
        bottom = 1 + 21 * mouth.opening - 2 * mouth.bite
        fullness = 1 + 0.5 * mouth.rounding
    }

    var isOpen: Bool { bottom - top > 3 }

    func lips(on canvas: borrowing CairoCanvas) {
        let upper = top - 6 * fullness
        canvas.move(-halfWidth, corner)
        canvas.curve(-halfWidth * 0.62, upper + 0.5, -halfWidth * 0.3, upper - 1.5, 0, upper + 2.4)
        canvas.curve(halfWidth * 0.3, upper - 1.5, halfWidth * 0.62, upper + 0.5, halfWidth, corner)
        let lower = bottom + 8.5 * fullness
        canvas.curve(halfWidth * 0.94, lower * 0.86, halfWidth * 0.5, lower + 1.5, 0, lower + 1.5)
        canvas.curve(-halfWidth * 0.5, lower + 1.5, -halfWidth * 0.94, lower * 0.86, -halfWidth, corner)
        canvas.close()
    }

    func inside(on canvas: borrowing CairoCanvas) {
        let width = halfWidth * 0.9
        canvas.move(-width, corner + 0.8)
        canvas.curve(-width * 0.5, top, -width * 0.25, top - 0.6, 0, top + 0.6)
        canvas.curve(width * 0.25, top - 0.6, width * 0.5, top, width, corner + 0.8)
        canvas.curve(width * 0.96, bottom * 0.84, width * 0.5, bottom + 2, 0, bottom + 2)
        canvas.curve(-width * 0.5, bottom + 2, -width * 0.96, bottom * 0.84, -width, corner + 0.8)
        canvas.close()
    }

    /// The line between closed lips.
    func seam(on canvas: borrowing CairoCanvas) {
        canvas.move(-halfWidth, corner)
        canvas.curve(-halfWidth * 0.5, top + 2.5, -halfWidth * 0.2, top + 2.5, 0, top + 1.2)
        canvas.curve(halfWidth * 0.2, top + 2.5, halfWidth * 0.5, top + 2.5, halfWidth, corner)
    }
}
