extension AvatarPainter {
    /// The hair before the face: fringe, side locks, shine and a clip.
    func paintFringe(on canvas: borrowing CairoCanvas, _ pose: AvatarPose) {
        let sway = pose.turn * -3
        for side in [-1.0, 1.0] { paintLock(on: canvas, side: side, sway: sway) }
        canvas.move(146, 236)
        canvas.curve(132, 150, 172, 78, 258, 76)
        canvas.curve(344, 76, 382, 150, 366, 236)
        canvas.curve(362, 206, 352, 184, 338, 168)
        canvas.curve(340, 184, 338, 194, 332, 204)
        canvas.curve(326, 182, 312, 164, 296, 154)
        canvas.curve(298, 172, 292, 188, 282, 198)
        canvas.curve(274, 178, 262, 164, 246, 156)
        canvas.curve(244, 176, 232, 194, 214, 206)
        canvas.curve(216, 192, 214, 182, 210, 172)
        canvas.curve(200, 190, 186, 204, 172, 212)
        canvas.curve(172, 200, 172, 192, 170, 184)
        canvas.curve(158, 198, 150, 214, 146, 236)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(210, 76), to: Point(280, 230),
                stops: [(0, palette.hair), (0.45, Color(0x80505D)), (1, palette.hairDark)]))
        paintShine(on: canvas)
        paintClip(on: canvas)
    }

    private func paintLock(on canvas: borrowing CairoCanvas, side: Double, sway: Double) {
        canvas.move(256 + side * 98, 150)
        canvas.curve(
            256 + side * 124, 220, 256 + side * 122 + sway, 290, 256 + side * 112 + sway, 352)
        canvas.curve(
            256 + side * 106 + sway, 366, 256 + side * 92 + sway, 352, 256 + side * 94 + sway, 330)
        canvas.curve(256 + side * 98, 280, 256 + side * 97, 230, 256 + side * 66, 158)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(256, 170), to: Point(256, 360),
                stops: [(0, palette.hair), (1, palette.hairDark)]))
    }

    private func paintShine(on canvas: borrowing CairoCanvas) {
        canvas.move(172, 146)
        canvas.curve(196, 110, 238, 98, 286, 106)
        canvas.curve(312, 111, 330, 122, 342, 140)
        canvas.curve(318, 124, 292, 118, 262, 118)
        canvas.curve(226, 118, 196, 126, 172, 146)
        canvas.close()
        canvas.fill(
            .linear(
                from: Point(172, 120), to: Point(342, 120),
                stops: [
                    (0, Color(0xE0A5A4, 0)), (0.3, Color(0xE8B3AE, 0.6)), (0.7, Color(0xE0A5A4, 0.4)),
                    (1, Color(0xE0A5A4, 0)),
                ]))
        // A few strands.
        let strands: [(Double, Double, Double, Double)] = [
            (244, 84, 222, 176), (268, 84, 290, 168), (300, 92, 328, 176), (212, 94, 178, 182),
        ]
        for (startX, startY, endX, endY) in strands {
            canvas.move(startX, startY)
            canvas.curve(startX, startY + 34, (startX + endX) / 2, endY - 34, endX, endY)
            canvas.stroke(Color(0x3D2233, 0.3), width: 2)
        }
    }

    private func paintClip(on canvas: borrowing CairoCanvas) {
        canvas.save()
        canvas.translate(338, 142)
        canvas.rotate(0.5)
        for petal in 0..<5 {
            canvas.save()
            canvas.rotate(Double(petal) * 2 * .pi / 5)
            canvas.ellipse(0, -9.5, 6.6, 8)
            canvas.fill(
                .radial(
                    center: Point(0, -6), innerRadius: 0, outerRadius: 12,
                    stops: [(0, Color(0xFFF6DC)), (1, palette.accent)]))
            canvas.restore()
        }
        canvas.ellipse(0, 0, 5.4, 5.4)
        canvas.fill(Color(0xF0883E))
        canvas.restore()
    }
}
