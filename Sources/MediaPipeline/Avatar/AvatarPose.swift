internal import Glibc

/// Everything that moves in one picture of the drawn avatar.
package struct AvatarPose: Sendable, Equatable {
    /// 0: breathed out; 1: breathed in.
    package var breath: Double = 0
    /// 0: eyes open; 1: closed.
    package var blink: Double = 0
    /// Where the eyes look, each -1...1: left to right, up to down.
    package var gazeX: Double = 0
    package var gazeY: Double = 0
    /// How far the head is turned, -1...1: to the left or right, up or down.
    package var turn: Double = 0
    package var nod: Double = 0
    /// The head's lean in radians.
    package var lean: Double = 0
    /// How far the brows are raised, 0...1.
    package var brows: Double = 0
    package var mouth: MouthShape = .rest

    package init() {}
}

/// The avatar's motion when nobody speaks: periodic, so that a loop of it has no seam.
package enum IdleMotion {
    /// The loop's length in seconds: two breaths, three blinks, one look about.
    package static let period = 8.0

    /// The pose at `time` seconds; the same for `time + period`.
    package static func pose(at time: Double) -> AvatarPose {
        let phase = time.truncatingRemainder(dividingBy: period)
        let turns = 2 * Double.pi * phase / period
        var pose = AvatarPose()
        pose.breath = (1 - cos(2 * turns)) / 2
        pose.blink = max(blink(phase, at: 1.3), blink(phase, at: 4.45), blink(phase, at: 6.9), blink(phase, at: 7.2))
        // Looks to one side, back, to the other side and up, back; the head follows the eyes by a part and later.
        pose.gazeX = 0.75 * bump(phase, from: 2.0, to: 3.6) - 0.65 * bump(phase, from: 4.6, to: 6.3)
        pose.gazeY = -0.3 * bump(phase, from: 4.6, to: 6.3) + 0.12 * bump(phase, from: 2.0, to: 3.6)
        pose.turn =
            0.34 * bump(phase, from: 2.1, to: 4.0) - 0.3 * bump(phase, from: 4.7, to: 6.7) + 0.06 * sin(turns)
        pose.nod = 0.14 * sin(2 * turns + 0.9) - 0.12 * bump(phase, from: 4.7, to: 6.7)
        pose.lean = 0.016 * sin(turns) + 0.008 * sin(3 * turns)
        pose.brows = 0.35 * bump(phase, from: 4.7, to: 6.2)
        return pose
    }

    /// The pose of somebody who speaks: the idle motion goes on, the head moves a little with the voice.
    package static func speakingPose(at time: Double, mouth: MouthShape) -> AvatarPose {
        var pose = pose(at: time)
        pose.mouth = mouth
        pose.nod += 0.16 * mouth.opening
        pose.brows = min(1, pose.brows + 0.25 * mouth.opening)
        return pose
    }

    /// One blink of 0.3 s: quickly closed, more slowly opened.
    private static func blink(_ phase: Double, at time: Double) -> Double {
        let since = phase - time
        if since <= 0 || since >= 0.3 { return 0 }
        return since < 0.11 ? smooth(since / 0.11) : 1 - smooth((since - 0.11) / 0.19)
    }

    /// Rises within 0.3 s after `from`, holds, and is back at 0 at `to`.
    private static func bump(_ phase: Double, from: Double, to: Double) -> Double {
        smooth((phase - from) / 0.3) * smooth((to - phase) / 0.45)
    }

    private static func smooth(_ value: Double) -> Double {
        let clamped = min(1, max(0, value))
        return clamped * clamped * (3 - 2 * clamped)
    }
}
