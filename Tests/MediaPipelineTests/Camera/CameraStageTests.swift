import Core
import MediaPipeline
import PeerConnection
import Synchronization
import TestSupport
import Testing

@Suite("A camera's stage", .timeLimit(.minutes(2)))
struct CameraStageTests {
    private let sink = RecordingSink()
    private let registry = MetricsRegistry()
    private let clock = SharedClock()
    private let units = CameraFixture.wave.units

    private func makeStage(_ change: (inout CameraStageConfiguration) -> Void = { _ in }) throws -> CameraStage {
        var configuration = CameraStageConfiguration()
        configuration.videoBitRate = 1_000_000
        change(&configuration)
        let stage = try CameraStage(
            id: StageID("robot:test"), configuration: configuration, sink: sink, metrics: registry,
            clock: { [clock] in clock.now })
        stage.start()
        return stage
    }

    /// Pictures that come at their own rate, or at another, however fast the test runs.
    private func send(
        _ indices: some Sequence<Int>, by sender: inout CameraSender, to stage: CameraStage,
        each interval: Duration = .milliseconds(40)
    ) {
        for index in indices { send(units[index], by: &sender, to: stage, after: interval) }
    }

    private func send(
        _ unit: [[UInt8]], by sender: inout CameraSender, to stage: CameraStage,
        after interval: Duration = .milliseconds(40)
    ) {
        clock.advance(by: interval)
        for packet in sender.packets(of: unit) { stage.receive(packet) }
    }

    /// Pictures that have been decoded by any camera of this test.
    private var decodedPictures: UInt64 {
        registry.histogram("avatar_camera_decode_seconds", help: "", bounds: []).current.total
    }

    /// Puts the H.264 of frames together again, as a viewer does.
    private func units(in frames: [MediaFrame]) -> [AccessUnit] {
        var depacketizer = H264Depacketizer()
        var number: UInt16 = 0
        var units: [AccessUnit] = []
        for frame in frames where frame.codec == .h264 {
            for (index, range) in frame.payloads.ranges.enumerated() {
                depacketizer.receive(
                    ReceivedPacket(
                        kind: .video, payloadType: 102, ssrc: SSRC(1), sequenceNumber: number,
                        timestamp: frame.rtpTimestamp, marker: frame.endsPicture && index == frame.payloads.count - 1,
                        isRetransmitted: false, payload: Array(frame.payloads.storage[range])), now: .zero)
                number &+= 1
                while let unit = depacketizer.pollUnit() { units.append(unit) }
            }
        }
        return units
    }

    /// The mean luma of each picture of VP8, and its width.
    private func pictures(of frames: [MediaFrame]) throws -> [(luma: Double, width: Int)] {
        var decoder = try VP8Decoder()
        return try frames.filter { $0.codec == .vp8 }.map { frame in
            let picture = try decoder.decode(depacketize(frame.payloads))
            let (width, height) = (picture.width, picture.height)
            return (picture.meanLuma(x: 0..<width, y: 0..<height), width)
        }
    }

    /// The frames of one codec that come next, of exactly that many pictures.
    private func collect(_ count: Int, _ codec: MediaCodec) async throws -> [MediaFrame] {
        var left = count
        let frames = await sink.collect { frame in
            if frame.codec == codec, frame.endsPicture { left -= 1 }
            return left == 0
        }.filter { $0.codec == codec }
        try #require(left == 0, "\(left) of \(count) pictures never came")
        return frames
    }

    @Test("passes H.264 through untouched, and neither decodes nor encodes while nobody needs it")
    func passThrough() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 0, h264: 1, sound: 0)
        var sender = CameraSender()
        send(0..<20, by: &sender, to: stage)
        var frames = try await collect(20, .h264)
        send(20..<40, by: &sender, to: stage)
        frames += try await collect(20, .h264)
        #expect(units(in: frames).map(\.nalUnits) == units)
        #expect(frames.filter(\.payloads.isKeyFrame).count == 4)
        for (before, after) in zip(frames, frames.dropFirst()) {
            #expect(after.rtpTimestamp &- before.rtpTimestamp == (before.endsPicture ? 3600 : 0))
            #expect(after.presentationTime >= before.presentationTime)
        }
        #expect(decodedPictures == 0)
        stage.stop()
    }

    @Test("makes VP8 of what the robot shows, one picture at a time, beginning with a key frame")
    func transcoding() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 1, h264: 0, sound: 0)
        var sender = CameraSender()
        var frames: [MediaFrame] = []
        for index in 0..<40 {
            send([index], by: &sender, to: stage)
            frames += try await collect(1, .vp8)
        }
        let shown = try pictures(of: frames)
        for (index, picture) in shown.enumerated() {
            #expect(abs(picture.luma - CameraFixture.luma(ofPicture: index)) < 1.8)
            #expect(picture.width == 320)
        }
        #expect(frames.map(\.payloads.isKeyFrame) == (0..<40).map { $0 == 0 })
        for (before, after) in zip(frames, frames.dropFirst()) {
            #expect(after.rtpTimestamp &- before.rtpTimestamp == 3600)
        }
        stage.stop()
    }

    @Test("keeps the robot's own distances where packets came late, and all at once")
    func heldUp() async throws {
        let stage = try makeStage { $0.maximumWaitingPackets = 65_536 }
        stage.setViewers(vp8: 0, h264: 1, sound: 0)
        var sender = CameraSender()
        send(0..<10, by: &sender, to: stage)
        clock.advance(by: .seconds(3))
        // 75 pictures waited somewhere.
        for _ in 0..<2 { send(0..<40, by: &sender, to: stage, each: .milliseconds(2)) }
        send(0..<10, by: &sender, to: stage)
        let times = try await collect(100, .h264).filter(\.endsPicture).map(\.rtpTimestamp)
        for (before, after) in zip(times, times.dropFirst()) { #expect(after &- before == 3600) }
        stage.stop()
    }

    @Test("shows the newest picture to a viewer who comes between two key frames, without waiting for the next")
    func lateViewer() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 0, h264: 1, sound: 0)
        var sender = CameraSender()
        send(0..<8, by: &sender, to: stage)
        _ = try await collect(8, .h264)
        stage.setViewers(vp8: 1, h264: 1, sound: 0)
        var frames = try await collect(1, .vp8)
        send([8], by: &sender, to: stage)
        frames += try await collect(1, .vp8)
        let shown = try pictures(of: frames)
        #expect(abs(shown[0].luma - CameraFixture.luma(ofPicture: 7)) < 1.8)
        #expect(abs(shown[1].luma - CameraFixture.luma(ofPicture: 8)) < 1.8)
        stage.stop()
    }

    @Test("gives the media loop the pictures since the key frame when the first viewer comes")
    func firstViewer() async throws {
        let stage = try makeStage()
        var sender = CameraSender()
        send(0..<18, by: &sender, to: stage)
        stage.setViewers(vp8: 0, h264: 1, sound: 0)
        var frames = try await collect(8, .h264)
        send([18], by: &sender, to: stage)
        frames += try await collect(1, .h264)
        #expect(units(in: frames).map(\.nalUnits) == Array(units[10...18]))
        let times = frames.filter(\.endsPicture).map(\.rtpTimestamp)
        for (before, after) in zip(times, times.dropFirst()) { #expect(Int32(bitPattern: after &- before) > 0) }
        // All but the last lie within a fraction of a picture.
        #expect(times[7] &- times[0] < 3600)
        #expect(times[8] &- times[7] == 3600)
        stage.stop()
    }

    @Test("lets go of the decoder with the last viewer of VP8 and begins anew with the next")
    func comingAndGoing() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 1, h264: 1, sound: 0)
        var sender = CameraSender()
        send(0..<3, by: &sender, to: stage)
        var passed = 0
        var hasLeft = false
        for await frame in sink.frames {
            if frame.codec == .h264, frame.endsPicture { passed += 1 }
            if frame.codec == .vp8, !hasLeft {
                hasLeft = true
                stage.setViewers(vp8: 0, h264: 1, sound: 0)
                send(3..<10, by: &sender, to: stage)
            }
            if passed == 10 { break }
        }
        let before = decodedPictures
        #expect(before > 0)
        send(10..<20, by: &sender, to: stage)
        _ = try await collect(10, .h264)
        #expect(decodedPictures == before)
        stage.setViewers(vp8: 2, h264: 0, sound: 0)
        let frames = try await collect(1, .vp8)
        #expect(frames[0].payloads.isKeyFrame)
        #expect(abs(try pictures(of: frames)[0].luma - CameraFixture.luma(ofPicture: 19)) < 1.8)
        stage.stop()
    }

    @Test("answers a request for a key frame with the next picture, once a second")
    func keyFrameRequest() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 1, h264: 0, sound: 0)
        var sender = CameraSender()
        var frames: [MediaFrame] = []
        for index in 0..<30 {
            stage.requestKeyFrame(.vp8)
            stage.requestKeyFrame(.h264)
            send([index], by: &sender, to: stage)
            frames += try await collect(1, .vp8)
        }
        // The first picture is a key frame in any case; the 25th comes a second later.
        #expect(frames.map(\.payloads.isKeyFrame) == (0..<30).map { $0 % 25 == 0 })
        stage.stop()
    }

    @Test("follows a change of size with a new key frame, and shrinks what is too large")
    func sizeChange() async throws {
        let stage = try makeStage { $0.maximumWidth = 160 }
        stage.setViewers(vp8: 1, h264: 0, sound: 0)
        var sender = CameraSender()
        var frames: [MediaFrame] = []
        for unit in CameraFixture.wave.units.prefix(2) + CameraFixture.small.units.prefix(2) {
            send(unit, by: &sender, to: stage)
            frames += try await collect(1, .vp8)
        }
        #expect(try pictures(of: frames).map(\.width) == [160, 160, 98, 98])
        #expect(frames.map(\.payloads.isKeyFrame) == [true, false, true, false])
        stage.stop()
    }

    @Test("goes on after corrupt pictures")
    func corruption() async throws {
        let stage = try makeStage()
        stage.setViewers(vp8: 1, h264: 1, sound: 0)
        var sender = CameraSender()
        send([0], by: &sender, to: stage)
        let random = RandomSource.seeded(2)
        for index in 1..<10 {
            let corrupt = units[index].map { Array($0.prefix(2)) + random.bytes(300) }
            send(corrupt, by: &sender, to: stage)
        }
        send([10], by: &sender, to: stage)
        var decoder = try VP8Decoder()
        var luma = 0.0
        for await frame in sink.frames where frame.codec == .vp8 {
            let picture = try decoder.decode(depacketize(frame.payloads))
            luma = picture.meanLuma(x: 0..<320, y: 0..<192)
            if abs(luma - CameraFixture.luma(ofPicture: 10)) < 3 { break }
        }
        #expect(abs(luma - CameraFixture.luma(ofPicture: 10)) < 1.8)
        stage.stop()
    }

    @Test("lets H.264 through at ten times the rate, and shows viewers of VP8 the newest picture")
    func burst() async throws {
        // Nothing is dropped, however late the stage's thread comes.
        let stage = try makeStage { $0.maximumWaitingPackets = 65_536 }
        stage.setViewers(vp8: 1, h264: 1, sound: 0)
        var sender = CameraSender()
        for _ in 0..<5 { send(0..<40, by: &sender, to: stage, each: .milliseconds(4)) }
        var passed = 0
        let newest = sender.timestamp &- 3600
        var origin: UInt32?
        var lastVP8: MediaFrame?
        for await frame in sink.frames {
            origin = origin ?? (frame.rtpTimestamp &- CameraSender().timestamp)
            if frame.codec == .h264, frame.endsPicture { passed += 1 }
            if frame.codec == .vp8 {
                if let lastVP8 { #expect(Int32(bitPattern: frame.rtpTimestamp &- lastVP8.rtpTimestamp) > 0) }
                lastVP8 = frame
                if frame.rtpTimestamp &- (origin ?? 0) == newest { break }
            }
        }
        #expect(passed == 200)
        stage.stop()
    }

    @Test("begins a new epoch after the robot was lost")
    func lostRobot() async throws {
        let stage = try CameraStage(
            id: StageID("robot:test"), configuration: CameraStageConfiguration(), sink: sink, metrics: registry,
            clock: { [clock] in clock.now })
        stage.start()
        stage.setViewers(vp8: 1, h264: 1, sound: 0)
        var sender = CameraSender()
        send(0..<3, by: &sender, to: stage)
        let before = try await collect(3, .h264)
        stage.robotLost()
        var restarted = CameraSender()
        restarted.sequenceNumber = 1
        restarted.timestamp = 1
        // Nothing is shown before a key frame.
        send(4..<6, by: &restarted, to: stage)
        send(10..<12, by: &restarted, to: stage)
        let after = try await collect(2, .h264)
        #expect(units(in: after).map(\.nalUnits) == Array(units[10..<12]))
        #expect(after[0].epoch != before[0].epoch)
        let last = try #require(before.last)
        #expect(Int32(bitPattern: after[0].rtpTimestamp &- last.rtpTimestamp) > 0)
        stage.stop()
    }

    @Test("passes sound on while somebody listens")
    func sound() async throws {
        let stage = try makeStage()
        func packet(_ number: UInt16) -> ReceivedPacket {
            ReceivedPacket(
                kind: .audio, payloadType: 111, ssrc: SSRC(4), sequenceNumber: number, timestamp: UInt32(number) * 960,
                marker: false, isRetransmitted: false, payload: [0xF8, UInt8(truncatingIfNeeded: number)])
        }
        stage.receive(sound: packet(1))
        stage.setViewers(vp8: 0, h264: 0, sound: 1)
        for number: UInt16 in 2..<5 { stage.receive(sound: packet(number)) }
        let frames = try await collect(3, .opus)
        #expect(frames.map(\.payloads.storage) == [[0xF8, 2], [0xF8, 3], [0xF8, 4]])
        #expect(frames[1].rtpTimestamp &- frames[0].rtpTimestamp == 960)
        stage.stop()
    }

    @Test("drops the oldest packets, and counts them, where its thread does not come to them")
    func overrun() throws {
        var configuration = CameraStageConfiguration()
        configuration.maximumWaitingPackets = 64
        let stage = try CameraStage(
            id: StageID("robot:test"), configuration: configuration, sink: sink, metrics: registry)
        var sender = CameraSender()
        for _ in 0..<3 { send(0..<40, by: &sender, to: stage) }
        #expect(stage.statistics.reception.droppedPackets > 400)
    }

    @Test("refuses settings that make no sense")
    func settings() {
        for change: (inout CameraStageConfiguration) -> Void in [
            { $0.videoBitRate = 1 }, { $0.maximumWidth = 10 }, { $0.maximumHeight = 5000 },
            { $0.maximumReordering = .seconds(3) }, { $0.maximumWaitingPackets = 0 },
        ] {
            var code: StageError.Code?
            do { _ = try makeStage(change) } catch let error as StageError { code = error.code } catch {}
            #expect(code == .invalidConfiguration)
        }
    }

    @Test("prefers H.264, but VP8 once it is made anyway and takes a fifth fewer packets")
    func preference() throws {
        func order(_ viewers: Int, _ h264: Double, _ vp8: Double) -> [MediaCodec] {
            CodecPreference.order(
                vp8Viewers: viewers, h264: StreamRate(packetsPerSecond: h264), vp8: StreamRate(packetsPerSecond: vp8))
        }
        #expect(order(0, 300, 100) == [.h264, .vp8])
        #expect(order(1, 300, 100) == [.vp8, .h264])
        #expect(order(1, 300, 250) == [.h264, .vp8])
        #expect(order(1, 300, 0) == [.h264, .vp8])
        #expect(order(1, 0, 100) == [.h264, .vp8])
        #expect(try makeStage().preferredCodecs() == [.h264, .vp8])
    }
}
