import Core
import Foundation
import MediaLoop
import MediaPipeline
import PeerConnection
import Synchronization

/// What a robot's camera costs: 720p25 of H.264 at 2.5 Mbit/s, passed through to a crowd, then made VP8 of for the same crowd.
struct CameraBenchmark {
    let viewers: Int
    let seconds: Double

    /// One crowd's figures.
    private struct Figures {
        var connected = 0
        /// CPU milliseconds a second.
        var camera = 0.0
        var loop = 0.0
        var packetsPerSecond = 0.0
        /// Milliseconds from a picture's last packet to its hand-over to the media loop.
        var latencies: [Double] = []
    }

    func run() async throws {
        let units = try H264Recording.make(seconds: 10)
        let bytes = units.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } }
        emit(
            String(
                format: "camera: 1280x720 at 25 pictures a second, %.2f Mbit/s of H.264, %d viewers",
                Double(bytes) * 8 / Double(units.count) * 25 / 1e6, viewers))
        let h264 = try await measure(.h264, units)
        let vp8 = try await measure(.vp8, units)
        report("H.264, passed through", h264)
        report("VP8, decoded once and encoded once", vp8)
        let count = Double(viewers)
        let transcoding = vp8.camera - h264.camera
        emit("ratios")
        row("latency added by VP8's path, p50", percentile(vp8.latencies, 0.5) - percentile(h264.latencies, 0.5), "ms")
        row(
            "latency added by VP8's path, p99", percentile(vp8.latencies, 0.99) - percentile(h264.latencies, 0.99), "ms"
        )
        row("fan-out a viewer: pass-through over VP8", h264.loop / vp8.loop, "x")
        row("all CPU a viewer: pass-through over VP8", (h264.loop + h264.camera) / (vp8.loop + vp8.camera), "x")
        row("transcoding, in viewers' worth of pass-through", transcoding / (h264.loop / count), "")
    }

    private func report(_ name: String, _ figures: Figures) {
        let count = Double(viewers)
        emit("\(name) (\(figures.connected) connected)")
        row("last packet in to hand-over, p50", percentile(figures.latencies, 0.5), "ms")
        row("last packet in to hand-over, p99", percentile(figures.latencies, 0.99), "ms")
        row("packets a viewer-second", figures.packetsPerSecond, "")
        row("CPU of the camera's thread", figures.camera / 10, "% of a core")
        row("CPU of fan-out, a viewer", figures.loop / count, "ms a second")
        row("CPU of both, a viewer", (figures.loop + figures.camera) / count, "ms a second")
    }

    private func row(_ name: String, _ value: Double, _ unit: String) {
        emit("  \(name.padding(toLength: 52, withPad: " ", startingAt: 0))\(String(format: "%.3f", value)) \(unit)")
    }

    private func measure(_ codec: MediaCodec, _ units: [[[UInt8]]]) async throws -> Figures {
        var connectivity = ConnectivityConfiguration(
            relay: .embedded(.init(sharedSecret: RandomSource.system.bytes(32))), publicAddress: .loopbackV4)
        connectivity.mode = .direct
        connectivity.bindAddress = .loopbackV4
        connectivity.portRange = 20110...20115
        var configuration = MediaLoopConfiguration(connectivity: connectivity)
        configuration.maximumViewers = 10_000
        configuration.maximumViewersPerAddress = 10_000
        let metrics = MetricsRegistry()
        let loop = try MediaLoop(configuration: configuration, metrics: metrics)
        try await loop.start()
        let sink = TimingSink(next: loop, codec: codec)
        let stage = try CameraStage(
            id: StageID("robot:bench"), configuration: CameraStageConfiguration(), sink: sink, metrics: metrics)
        loop.addStage(
            stage.id, videoCodecs: { [codec] }, keyFrameRequested: { [weak stage] in stage?.requestKeyFrame($0) },
            viewersChanged: { [weak stage] viewers in
                stage?.setViewers(
                    vp8: viewers.byVideoCodec[.vp8] ?? 0, h264: viewers.byVideoCodec[.h264] ?? 0, sound: viewers.audio)
            })
        stage.start()
        let feeder = Feeder(units: units, stage: stage)
        feeder.start()
        let crowd = try Crowd(count: viewers, perSecond: 50, codec: codec)
        await crowd.admit(to: loop, stage: stage.id)
        try await Task.sleep(for: .seconds(3))
        sink.begin()
        let first = crowd.report()
        let (camera, fanOut) = (
            ProcessFigures.cpuSeconds(threads: "camera-"), ProcessFigures.cpuSeconds(threads: "media-loop")
        )
        let began = SystemClock.now()
        try await Task.sleep(for: .seconds(seconds))
        let span = (SystemClock.now() - began).seconds
        var figures = Figures(connected: crowd.connected)
        figures.camera = (ProcessFigures.cpuSeconds(threads: "camera-") - camera) * 1000 / span
        figures.loop = (ProcessFigures.cpuSeconds(threads: "media-loop") - fanOut) * 1000 / span
        figures.latencies = sink.latencies
        let received = (crowd.report()["received"] ?? 0) - (first["received"] ?? 0)
        figures.packetsPerSecond = received / span / Double(viewers)
        for failure in crowd.failures.prefix(3) { emit("  \(failure)") }
        crowd.leave()
        feeder.stop()
        stage.stop()
        await loop.stop()
        // Threads that end take their times with them; what is left of the stage's must not be counted to the next.
        try await Task.sleep(for: .milliseconds(300))
        return figures
    }
}

/// Notes how long each picture of one codec took, and hands it on.
private final class TimingSink: MediaFrameSink {
    private let next: MediaLoop
    private let codec: MediaCodec
    private let values = Mutex<[Double]>([])

    init(next: MediaLoop, codec: MediaCodec) {
        self.next = next
        self.codec = codec
    }

    /// Milliseconds, since ``begin()``.
    var latencies: [Double] { values.withLock { $0 } }

    func begin() {
        values.withLock { $0.removeAll() }
    }

    func deliver(_ frame: MediaFrame, stage: StageID) {
        next.deliver(frame, stage: stage)
        guard frame.codec == codec, frame.endsPicture else { return }
        values.withLock { $0.append((SystemClock.now() - frame.capturedAt).milliseconds) }
    }
}

/// Plays the recording to a stage as a robot sends it, over and over.
private final class Feeder: Sendable {
    private let units: [[[UInt8]]]
    private let stage: CameraStage
    private let isStopped = Atomic<Bool>(false)

    init(units: [[[UInt8]]], stage: CameraStage) {
        self.units = units
        self.stage = stage
    }

    func start() {
        PipelineThread.start(name: "robot") { [self] in
            var due = SystemClock.now()
            var number: UInt16 = 0
            var timestamp: UInt32 = 0
            while !isStopped.load(ordering: .relaxed) {
                for unit in units where !isStopped.load(ordering: .relaxed) {
                    for packet in packets(of: unit, timestamp, &number) { stage.receive(packet) }
                    timestamp &+= 3600
                    due += .milliseconds(40)
                    usleep(UInt32(clamping: max(0, (due - SystemClock.now()).nanoseconds / 1000)))
                }
            }
        }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// Single NAL units and FU-A, no aggregates.
    private func packets(of nalUnits: [[UInt8]], _ timestamp: UInt32, _ number: inout UInt16) -> [ReceivedPacket] {
        let payloads = nalUnits.flatMap { nalUnit in
            H264Packetizer.payloads(
                of: AccessUnit(
                    nalUnits: [nalUnit], isKeyFrame: false, timestamp: timestamp, receivedAt: .zero,
                    firstSequenceNumber: 0, isWhole: true)
            ).flatMap { part in part.ranges.map { Array(part.storage[$0]) } }
        }
        var packets: [ReceivedPacket] = []
        for (index, payload) in payloads.enumerated() {
            packets.append(
                ReceivedPacket(
                    kind: .video, payloadType: 101, ssrc: SSRC(1), sequenceNumber: number, timestamp: timestamp,
                    marker: index == payloads.count - 1, isRetransmitted: false, payload: payload))
            number &+= 1
        }
        return packets
    }
}

/// H.264 as a robot's camera sends it, made by the `ffmpeg` program.
private enum H264Recording {
    struct Failure: Error {}

    /// The NAL units of each picture, without start codes.
    static func make(seconds: Int) throws -> [[[UInt8]]] {
        let path = FileManager.default.temporaryDirectory.appending(path: "camera-\(UUID().uuidString).h264").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i"]
            + [
                "testsrc2=s=1280x720:r=25,noise=alls=8:allf=t", "-t", "\(seconds)", "-pix_fmt", "yuv420p", "-c:v",
                "libx264",
            ]
            + ["-profile:v", "baseline", "-preset", "veryfast", "-tune", "zerolatency", "-b:v", "2500k"]
            + [
                "-maxrate", "3000k", "-bufsize", "2500k", "-x264-params",
                "keyint=52:min-keyint=52:scenecut=0:sliced-threads=0",
            ]
            + ["-f", "h264", path]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure() }
        return pictures([UInt8](try Data(contentsOf: URL(filePath: path))))
    }

    private static func pictures(_ bytes: [UInt8]) -> [[[UInt8]]] {
        var starts: [Int] = []
        var index = 0
        while index + 3 < bytes.count {
            if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                starts.append(index + 3)
                index += 3
            } else {
                index += 1
            }
        }
        var pictures: [[[UInt8]]] = [[]]
        var hasPicture = false
        for (number, start) in starts.enumerated() {
            var end = number + 1 < starts.count ? starts[number + 1] - 3 : bytes.count
            while end > start, bytes[end - 1] == 0 { end -= 1 }
            let unit = Array(bytes[start..<end])
            let isPicture = NALUnitType(header: unit[0]).isPicture
            if hasPicture, !isPicture || unit[1] & 0x80 != 0 {
                pictures.append([])
                hasPicture = false
            }
            pictures[pictures.count - 1].append(unit)
            hasPicture = hasPicture || isPicture
        }
        return pictures
    }
}
