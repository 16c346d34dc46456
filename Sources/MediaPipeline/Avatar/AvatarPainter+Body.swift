extension AvatarPainter {
    /// Neck, shoulders and jumper; the shoulders rise with the breath.
    func paintBody(on canvas: borrowing CairoCanvas, _ pose: AvatarPose) {
        let rise = pose.breath * 3.2
        let widen = pose.breath * 2

        // Neck, with the shadow that the chin casts on it.
        canvas.move(222, 318)
        canvas.curve(224, 360, 224, 380, 206, 404 - rise)
        canvas.line(306, 404 - rise)
        canvas.curve(288, 380, 288, 360, 290, 318)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(256, 335), to: Point(256, 404),
                stops: [(0, palette.skinDeep), (0.45, palette.skinShade), (1, palette.skin)]))

        // Shoulders.
        canvas.move(64 - widen, 520)
        canvas.curve(70 - widen, 452 - rise, 100 - widen, 420 - rise, 152, 408 - rise)
        canvas.curve(184, 400 - rise, 200, 396 - rise, 210, 386 - rise)
        canvas.curve(226, 412 - rise, 286, 412 - rise, 302, 386 - rise)
        canvas.curve(312, 396 - rise, 328, 400 - rise, 360, 408 - rise)
        canvas.curve(412 + widen, 420 - rise, 442 + widen, 452 - rise, 448 + widen, 520)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(180, 390), to: Point(330, 540),
                stops: [(0, palette.clothLight), (0.4, palette.cloth), (1, palette.clothDark)]))

        // Folds at the arms.
        for side in [-1.0, 1.0] {
            canvas.move(256 + side * 132, 512)
            canvas.curve(
                256 + side * 130, 486 - rise, 256 + side * 126, 466 - rise, 256 + side * 116, 448 - rise)
            canvas.stroke(Color(0x1E3F70, 0.35), width: 3)
        }

        // A knitted collar in two tones.
        canvas.move(204, 384 - rise)
        canvas.curve(218, 424 - rise, 294, 424 - rise, 308, 384 - rise)
        canvas.stroke(palette.clothDark, width: 17)
        canvas.move(204, 382 - rise)
        canvas.curve(218, 421 - rise, 294, 421 - rise, 308, 382 - rise)
        canvas.stroke(palette.clothLight, width: 12)

        // A small pendant.
        canvas.move(232, 420 - rise)
        canvas.curve(242, 438 - rise, 252, 448 - rise, 256, 450 - rise)
        canvas.curve(260, 448 - rise, 270, 438 - rise, 280, 420 - rise)
        canvas.stroke(Color(0xF6D98A, 0.9), width: 1.6)
        canvas.ellipse(256, 456 - rise, 7, 7)
        canvas.fill(
            .radial(
                center: Point(254, 453 - rise), innerRadius: 0, outerRadius: 8,
                stops: [(0, Color(0xFFF3C4)), (1, palette.accent)]))
    }

    /// The hair behind head and neck: a bob that ends above the shoulders.
    func paintBackHair(on canvas: borrowing CairoCanvas, _ pose: AvatarPose) {
        let sway = pose.turn * -4
        canvas.move(256, 66)
        canvas.curve(352, 62, 402, 132, 400, 222)
        canvas.curve(399, 282, 412 + sway, 318, 398 + sway, 372)
        canvas.curve(392 + sway, 394, 356 + sway, 398, 330 + sway, 392)
        canvas.line(182 + sway, 392)
        canvas.curve(156 + sway, 398, 120 + sway, 394, 114 + sway, 372)
        canvas.curve(100 + sway, 318, 113, 282, 112, 222)
        canvas.curve(110, 132, 160, 62, 256, 66)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(256, 80), to: Point(256, 400),
                stops: [(0, palette.hair), (0.55, palette.hairDark), (1, Color(0x2C1826))]))
    }
}
