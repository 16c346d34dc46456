import Core
import MediaLoop
import PeerConnection
import TestSupport
import Testing

/// Viewers of two codecs on one stage.
@Suite(.timeLimit(.minutes(15))) struct CodecFanOutTests {
    private let camera = StageID("camera")

    private func bench(_ codecs: [MediaCodec] = [.h264, .vp8]) async throws -> LoopBench {
        let bench = try await LoopBench.start()
        bench.addStage(camera, videoCodecs: { codecs })
        return bench
    }

    private func join(_ bench: LoopBench, _ codecs: [MediaCodec]) async throws -> LoopBench.Joined {
        try await bench.join(try await LoopbackViewer.make(on: bench.viewerLoop, codecs: codecs), stage: camera)
    }

    private func deliver(_ number: UInt8, isKeyFrame: Bool = false, on bench: LoopBench) {
        bench.media.deliver(LoopBench.picture(number, isKeyFrame: isKeyFrame), stage: camera)
    }

    @Test("Each viewer gets the pictures of its own codec, and the stage is told who takes which")
    func separate() async throws {
        let bench = try await bench()
        let camera = try await join(bench, [.h264])
        let other = try await join(bench, [.vp8])
        #expect(await camera.isConnected())
        #expect(await other.isConnected())
        #expect(
            await bench.viewers.wait {
                $0 == StageViewers(total: 2, byVideoCodec: [.h264: 1, .vp8: 1], audio: 2)
            })
        bench.deliverH264(1, isKeyFrame: true, to: self.camera)
        deliver(2, isKeyFrame: true, on: bench)
        bench.deliverH264(3, to: self.camera)
        deliver(4, on: bench)
        #expect(await camera.hasPictures([1, 3]))
        #expect(await other.hasPictures([2, 4]))
        #expect(camera.seen.current.pictures == [1, 3])
        #expect(other.seen.current.pictures == [2, 4])
        // A picture of several frames ends once.
        #expect(camera.seen.current.markers == 2)
        #expect(await bench.media.statistics(viewer: camera.id)?.videoCodec == "H264")
        #expect(await bench.media.statistics(viewer: other.id)?.videoCodec == "VP8")
        await camera.viewer.leave()
        #expect(await bench.viewers.wait { $0 == StageViewers(total: 1, byVideoCodec: [.vp8: 1], audio: 1) })
        await bench.stop()
    }

    @Test("The stage's preference decides for a viewer who takes both, anew for each")
    func preference() async throws {
        let preferred = Watched<[MediaCodec]>([.h264, .vp8])
        let bench = try await LoopBench.start()
        bench.addStage(camera, videoCodecs: { preferred.current })
        let first = try await join(bench, [.vp8, .h264])
        preferred.update { $0 = [.vp8, .h264] }
        let second = try await join(bench, [.h264, .vp8])
        #expect(await bench.media.statistics(viewer: first.id)?.videoCodec == "H264")
        #expect(await bench.media.statistics(viewer: second.id)?.videoCodec == "VP8")
        await bench.stop()
    }

    @Test("A joiner of either codec gets that codec's frames since its last key frame")
    func joiners() async throws {
        let bench = try await bench()
        let (early, other) = (try await join(bench, [.h264]), try await join(bench, [.vp8]))
        #expect(await early.isConnected())
        #expect(await other.isConnected())
        bench.deliverH264(1, isKeyFrame: true, to: camera)
        bench.deliverH264(2, to: camera)
        deliver(7, isKeyFrame: true, on: bench)
        let late = try await join(bench, [.h264])
        #expect(await late.hasPictures([1, 2]))
        let lateOther = try await join(bench, [.vp8])
        #expect(await lateOther.hasPictures([7]))
        bench.deliverH264(3, to: camera)
        #expect(await late.hasPictures([1, 2, 3]))
        let stamps = late.seen.current.timestamps
        #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1 &- $0 < 1 << 31 && $1 != $0 })
        await bench.stop()
    }

    @Test("Who joins while a picture comes in gets that picture whole")
    func joinsWithinPicture() async throws {
        let bench = try await bench()
        let early = try await join(bench, [.h264])
        #expect(await early.isConnected())
        bench.deliverH264(1, isKeyFrame: true, to: camera)
        let parts = LoopBench.h264Picture(2, isKeyFrame: false)
        for part in parts.dropLast() { bench.media.deliver(part, stage: camera) }
        let late = try await join(bench, [.h264])
        #expect(await late.hasPictures([1]))
        if let last = parts.last { bench.media.deliver(last, stage: camera) }
        #expect(await late.hasPictures([1, 2]))
        #expect(await early.hasPictures([1, 2]))
        await bench.stop()
    }

    @Test("A key frame is asked for in the codec of the viewer who needs it, and one viewer's repair is not another's")
    func keyFrames() async throws {
        let bench = try await bench()
        let viewer = try await join(bench, [.h264])
        #expect(await viewer.isConnected())
        #expect(await bench.keyFrameCodecs.wait { $0 == [.h264] })
        let other = try await join(bench, [.vp8])
        #expect(await other.isConnected())
        #expect(await bench.keyFrameCodecs.wait { $0 == [.h264, .vp8] })
        // What cannot be decoded is not sent.
        bench.deliverH264(1, to: camera)
        bench.deliverH264(2, isKeyFrame: true, to: camera)
        #expect(await viewer.hasPictures([2]))
        #expect(viewer.seen.current.pictures == [2])
        await viewer.viewer.requestKeyFrame()
        #expect(await viewer.hasPictures([2, 2]))
        #expect(other.seen.current.pictures.isEmpty)
        await bench.stop()
    }

    @Test("A viewer who changes the codec goes on with a key frame of the new one")
    func renegotiated() async throws {
        let bench = try await bench([.vp8, .h264])
        let viewer = try await join(bench, [.vp8, .h264])
        #expect(await viewer.isConnected())
        deliver(1, isKeyFrame: true, on: bench)
        #expect(await viewer.hasPictures([1]))
        let offer = await viewer.viewer.offer().replacing("SAVPF 96 97 102 103", with: "SAVPF 102 103")
        let answer = try await bench.media.renegotiate(viewer: viewer.id, offer: offer)
        try await viewer.viewer.accept(answer)
        #expect(await bench.viewers.wait { $0.byVideoCodec == [.h264: 1] })
        #expect(await bench.keyFrameCodecs.wait { $0.last == .h264 })
        deliver(2, on: bench)
        bench.deliverH264(3, to: camera)
        bench.deliverH264(4, isKeyFrame: true, to: camera)
        bench.deliverH264(5, to: camera)
        #expect(await viewer.hasPictures([1, 4, 5]))
        await bench.stop()
    }

    @Test("A picture that no batch holds is dropped and counted, and the next key frame mends it")
    func tooLarge() async throws {
        let bench = try await bench()
        let viewer = try await join(bench, [.h264])
        #expect(await viewer.isConnected())
        bench.deliverH264(1, isKeyFrame: true, to: camera)
        #expect(await viewer.hasPictures([1]))
        let asked = bench.keyFrameCodecs.current.count
        let payloads = PacketizedPayloads(
            storage: [UInt8](repeating: 1, count: 1 << 20), payloadSize: 1000, isKeyFrame: false)
        bench.media.deliver(
            MediaFrame(
                codec: .h264, payloads: payloads, rtpTimestamp: 7200, presentationTime: SystemClock.now(), epoch: 0,
                capturedAt: SystemClock.now()), stage: camera)
        #expect(await bench.keyFrameCodecs.wait { $0.count > asked })
        #expect(bench.metrics.counter("avatar_pictures_too_large_total", help: "").current == 1)
        bench.deliverH264(3, to: camera)
        bench.deliverH264(4, isKeyFrame: true, to: camera)
        #expect(await viewer.hasPictures([1, 4]))
        await bench.stop()
    }
}
