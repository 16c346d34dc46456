extension AvatarPainter {
    /// One eye; `side` is -1 for the one on the picture's left.
    func paintEye(on canvas: borrowing CairoCanvas, _ pose: AvatarPose, side: Double) {
        canvas.save()
        canvas.translate(256 + side * 44, 250)
        // Mirrored, so that the outer corner is always to the right.
        canvas.scale(side, 1)
        let upper = -27.5 + pose.blink * 36.5
        let lower = 25 - pose.blink * 12

        // The lid's fold, then the white of the eye with the upper lid's shadow on it.
        eyePath(on: canvas, upper: upper, lower: lower)
        canvas.fill(
            .linear(
                from: Point(0, upper), to: Point(0, 24),
                stops: [(0, Color(0xC9C4D6)), (0.4, Color(0xFFFFFF)), (1, Color(0xF4F1F6))]))
        if pose.blink < 0.97 {
            canvas.save()
            eyePath(on: canvas, upper: upper, lower: lower)
            canvas.clip()
            // Gaze is not mirrored: both eyes look the same way.
            paintIris(on: canvas, x: pose.gazeX * 8.5 * side - 1, y: pose.gazeY * 7 + 0.5, side: side)
            canvas.restore()
        }

        // Upper lid, lashes, lower lid, fold.
        canvas.move(-26, 4 + pose.blink * 3)
        canvas.curve(-18, upper * 1.05, 16, upper * 1.15, 28, -2 + pose.blink * 6)
        canvas.stroke(palette.line, width: 5.2)
        canvas.move(24, -6 + pose.blink * 8)
        canvas.curve(28, -7 + pose.blink * 9, 31, -9 + pose.blink * 13, 34, -13 + pose.blink * 20)
        canvas.stroke(palette.line, width: 3.4)
        canvas.move(-17, lower * 0.66 + 1)
        canvas.curve(-6, lower * 0.86 + 2, 8, lower * 0.86 + 2, 19, lower * 0.6 + 1)
        canvas.stroke(Color(0x9A5A55, 0.55), width: 1.8)
        canvas.move(-16, -30 + pose.blink * 9)
        canvas.curve(-6, -38 + pose.blink * 9, 12, -38 + pose.blink * 9, 24, -25 + pose.blink * 9)
        canvas.stroke(Color(0xC07F6B, 0.7), width: 1.8)
        canvas.restore()
    }

    private func eyePath(on canvas: borrowing CairoCanvas, upper: Double, lower: Double) {
        canvas.move(-26, 4)
        canvas.curve(-18, upper * 1.05, 16, upper * 1.15, 28, -1)
        canvas.curve(22, lower, -16, lower, -26, 4)
        canvas.close()
    }

    private func paintIris(on canvas: borrowing CairoCanvas, x: Double, y: Double, side: Double) {
        canvas.ellipse(x, y, 18.6, 20.6)
        canvas.fill(palette.irisDark)
        canvas.ellipse(x, y + 0.8, 16.6, 18.6)
        canvas.fill(
            .linear(
                from: Point(x, y - 18), to: Point(x, y + 18),
                stops: [(0, palette.irisDark), (0.5, palette.iris), (1, palette.irisLight)]))
        canvas.ellipse(x, y, 9, 10)
        canvas.fill(Color(0x0C2229))
        // Highlights: the window above, a small reflection below. They stay on the light's side in both eyes.
        canvas.ellipse(x - side * 6, y - 8, 5.6, 6.4)
        canvas.fill(Color(0xFFFFFF, 0.96))
        canvas.ellipse(x + side * 6.5, y + 7.5, 2.9, 2.9)
        canvas.fill(Color(0xFFFFFF, 0.75))
    }
}
