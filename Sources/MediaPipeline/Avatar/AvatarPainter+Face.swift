extension AvatarPainter {
    /// Ears and the shape of the face with its shading.
    func paintFace(on canvas: borrowing CairoCanvas, _ pose: AvatarPose) {
        for side in [-1.0, 1.0] {
            let x = 256 + side * 97
            canvas.ellipse(x, 256, 15, 23)
            canvas.fill(
                .radial(
                    center: Point(x - side * 5, 252), innerRadius: 2, outerRadius: 25,
                    stops: [(0, palette.skin), (1, palette.skinShade)]))
            canvas.ellipse(x + side * 1, 281, 3.4, 3.4)
            canvas.fill(palette.accent)
        }
        facePath(on: canvas)
        canvas.fill(
            .radial(
                center: Point(244, 218), innerRadius: 24, outerRadius: 158,
                stops: [(0, Color(0xFFEBDC)), (0.55, palette.skin), (1, palette.skinShade)]))
        // The fringe's shadow on the forehead, and a warm light from below the jaw.
        canvas.save()
        facePath(on: canvas)
        canvas.clip()
        canvas.rectangle(140, 100, 232, 130)
        canvas.fill(
            .linear(
                from: Point(256, 150), to: Point(256, 226),
                stops: [(0, Color(0xC9826C, 0.55)), (1, Color(0xC9826C, 0))]))
        canvas.ellipse(256, 372, 84, 34)
        canvas.fill(
            .radial(
                center: Point(256, 372), innerRadius: 0, outerRadius: 70,
                stops: [(0, Color(0xE49A80, 0.55)), (1, Color(0xE49A80, 0))]))
        canvas.restore()
    }

    private func facePath(on canvas: borrowing CairoCanvas) {
        canvas.move(256, 112)
        canvas.curve(324, 112, 356, 170, 355, 234)
        canvas.curve(354, 284, 318, 352, 256, 357)
        canvas.curve(194, 352, 158, 284, 157, 234)
        canvas.curve(156, 170, 188, 112, 256, 112)
        canvas.close()
    }

    /// Cheeks, eyes, brows, nose and mouth: what moves most when the head turns.
    func paintFeatures(on canvas: borrowing CairoCanvas, _ pose: AvatarPose) {
        for side in [-1.0, 1.0] {
            canvas.ellipse(256 + side * 62, 290, 27, 18)
            canvas.fill(
                .radial(
                    center: Point(256 + side * 62, 290), innerRadius: 0, outerRadius: 27,
                    stops: [(0, Color(0xFF8079, 0.42)), (1, Color(0xFF8079, 0))]))
            paintEye(on: canvas, pose, side: side)
            paintBrow(on: canvas, pose, side: side)
        }
        // Nose: a soft shadow, a line and a light.
        canvas.ellipse(256, 287, 10, 6)
        canvas.fill(
            .radial(
                center: Point(256, 288), innerRadius: 0, outerRadius: 10,
                stops: [(0, Color(0xDB8A70, 0.55)), (1, Color(0xDB8A70, 0))]))
        canvas.move(249, 288)
        canvas.curve(252, 292.5, 260, 292.5, 263, 288)
        canvas.stroke(Color(0xB8664F, 0.75), width: 2.2)
        canvas.ellipse(254, 278, 3.4, 5.5)
        canvas.fill(Color(0xFFFFFF, 0.5))
        paintMouth(on: canvas, pose.mouth)
    }

    private func paintBrow(on canvas: borrowing CairoCanvas, _ pose: AvatarPose, side: Double) {
        let lift = pose.brows * 8 - pose.blink * 1.5
        canvas.move(256 + side * 20, 207 - lift)
        canvas.curve(256 + side * 36, 197 - lift, 256 + side * 54, 196 - lift, 256 + side * 69, 206 - lift * 0.7)
        canvas.stroke(Color(0x5A3140, 0.9), width: 5.4)
    }
}
