import Core
import PeerConnection
import Testing

@testable import MediaPipeline

@Suite("The drawn avatar")
struct AvatarTests {
    private func picture(_ pose: AvatarPose) throws -> I420Picture {
        let painter = try #require(AvatarPainter(width: 512, height: 512))
        painter.paint(pose)
        let picture = I420Picture(width: 512, height: 512)
        picture.convert(from: painter.canvas)
        return picture
    }

    @Test("moves only its mouth when only the mouth changes, and shows each viseme differently")
    func mouth() throws {
        var pose = AvatarPose()
        let still = try picture(pose)
        var seen: [Double] = []
        for phone in ["aa", "iy", "uw", "f", "th"] {
            pose.mouth = VisemeTrack.shape(of: phone)
            let moved = try picture(pose)
            seen.append(moved.difference(from: still, x: 210..<302, y: 295..<352))
            #expect(moved.difference(from: still, x: 0..<512, y: 0..<290) == 0)
        }
        #expect(seen.allSatisfy { $0 > 1.5 })
        #expect(Set(seen.map { Int($0 * 10) }).count == seen.count)
    }

    @Test("closes its eyes when it blinks")
    func blink() throws {
        var pose = AvatarPose()
        let open = try picture(pose)
        pose.blink = 1
        let closed = try picture(pose)
        let eyes = (x: 185..<328, y: 225..<272)
        #expect(
            open.darkPoints(x: eyes.x, y: eyes.y, below: 80) > 2 * closed.darkPoints(x: eyes.x, y: eyes.y, below: 80))
    }

    @Test("breathes, blinks and looks about in its idle motion, which has no seam")
    func idleMotion() {
        let poses = (0..<240).map { IdleMotion.pose(at: Double($0) / 30) }
        #expect(poses.contains { $0.blink > 0.95 } && poses.contains { $0.gazeX > 0.5 })
        #expect(poses.contains { $0.gazeX < -0.5 } && poses.contains { $0.breath > 0.95 })
        #expect(poses.allSatisfy { $0.mouth == .rest })
        // No quantity jumps from one picture to the next, nor from the last to the first.
        for (one, next) in zip(poses, poses.dropFirst() + [poses[0]]) {
            #expect(abs(one.turn - next.turn) < 0.1 && abs(one.breath - next.breath) < 0.1)
            #expect(abs(one.gazeX - next.gazeX) < 0.35 && abs(one.lean - next.lean) < 0.01)
        }
    }

    @Test("fits pictures of other shapes")
    func otherShapes() throws {
        for (width, height) in [(640, 360), (360, 640), (1280, 720)] {
            let painter = try #require(AvatarPainter(width: width, height: height))
            painter.paint(AvatarPose())
            let picture = I420Picture(width: width, height: height)
            picture.convert(from: painter.canvas)
            // Hair in the middle of the upper half, backdrop in the corner.
            #expect(picture.luma(x: 2, y: 2) > 180)
            let unit = Double(min(width, height)) / 512
            let hairY = height - Int((512 - 110) * unit)
            #expect(picture.luma(x: width / 2, y: hairY) < 150)
        }
        #expect(AvatarPainter(width: 0, height: 10) == nil)
    }
}

@Suite("The idle loop")
struct IdleLoopTests {
    private static let key = IdleLoop.Key(
        width: 128, height: 128, framesPerSecond: 30, bitRate: 400_000, keyFrameInterval: 30)

    @Test("has a key frame each second, decodes from any of them, and meets its own beginning")
    func seamless() throws {
        let loop = try IdleLoop(key: Self.key)
        #expect(loop.frameCount == 240)
        for (index, frame) in loop.frames.enumerated() { #expect(frame.isKeyFrame == (index % 30 == 0)) }
        var decoder = try VP8Decoder()
        for index in 210..<240 { _ = try decoder.decode(depacketize(loop.frames[index])) }
        let last = try decoder.decode(depacketize(loop.frames[239]))
        let first = try decoder.decode(depacketize(loop.frames[0]))
        #expect(first.difference(from: last, x: 0..<128, y: 0..<128) < 3)
        var middleDecoder = try VP8Decoder()
        let middle = try middleDecoder.decode(depacketize(loop.frames[90]))
        #expect(middle.difference(from: first, x: 0..<128, y: 0..<128) > 0.3)
    }

    @Test("is made once for all who ask")
    func cache() async throws {
        let cache = IdleLoopCache()
        let loops = try await withThrowingTaskGroup(of: IdleLoop.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    try await withCheckedThrowingContinuation { continuation in
                        cache.loop(for: Self.key) { continuation.resume(with: $0) }
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(loops.count == 5)
        #expect(Set(loops.map(ObjectIdentifier.init)).count == 1)
    }
}
