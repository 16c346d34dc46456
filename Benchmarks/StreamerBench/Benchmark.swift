import Core
import Foundation
import MediaLoop
import MediaPipeline
import PeerConnection

/// The measurements themselves; each starts a server of its own in this process.
struct Benchmark {
    let seconds: Double
    /// What the field's best known servers need a viewer-second, measured for the design (docs/benchmarks.md).
    private static let janusMilliseconds = 5.0
    private static let aiortcMilliseconds = 220.0

    private func server() async throws -> (MediaLoop, MetricsRegistry) {
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
        return (loop, metrics)
    }

    private func stage(_ source: StageSource, _ loop: MediaLoop, _ metrics: MetricsRegistry) throws -> Stage {
        let stage = try Stage(
            id: StageID("bench"), configuration: StageConfiguration(source: source), sink: loop, metrics: metrics)
        loop.addStage(
            stage.id, keyFrameRequested: { [weak stage] _ in stage?.requestKeyFrame() },
            viewersChanged: { [weak stage] in stage?.setViewerCount($0.total) })
        stage.start()
        return stage
    }

    private func pause(_ seconds: Double) async throws {
        try await Task.sleep(for: .seconds(seconds))
    }

    // MARK: A crowd

    func crowd(of count: Int) async throws {
        let (loop, metrics) = try await server()
        let stage = try stage(.testPattern, loop, metrics)
        let memoryBefore = ProcessFigures.residentBytes()
        let crowd = try Crowd(count: count, perSecond: 50)
        await crowd.admit(to: loop, stage: stage.id)
        try await pause(2)
        let memory = Double(ProcessFigures.residentBytes() - memoryBefore) / Double(count) / 1024
        let first = crowd.report()
        let packetsBefore = socketFigure("avatar_udp_datagrams_sent", metrics)
        let (all, loopOnly) = (ProcessFigures.cpuSeconds(), ProcessFigures.cpuSeconds(threads: "media-loop"))
        let latencyBefore = latencies(metrics)
        let began = SystemClock.now()
        try await pause(seconds)
        let span = (SystemClock.now() - began).seconds
        let total = (ProcessFigures.cpuSeconds() - all) * 1000 / (Double(count) * span)
        let fanOut = (ProcessFigures.cpuSeconds(threads: "media-loop") - loopOnly) * 1000
        let packets = socketFigure("avatar_udp_datagrams_sent", metrics) - packetsBefore
        let latency = latencies(metrics).subtracting(latencyBefore)
        let last = crowd.report()
        let perPacket = fanOut * 1000 / packets
        // The crowd leaves first: its packets would be the floor's neighbours on the same two cores.
        crowd.leave()
        let floor = try Floor.microsecondsPerPacket(viewers: count, frames: 90)
        let received = (last["received"] ?? 0) - (first["received"] ?? 0)
        let lost = (last["lost"] ?? 0) - (first["lost"] ?? 0)
        emit("\n\(count) viewers (\(crowd.connected) connected, \(crowd.failures.count) failed)")
        row("CPU a viewer-second, all threads", total, "ms", "goal at 200: 0.5")
        row("  of it fan-out (media loop)", fanOut / (Double(count) * span), "ms", "")
        row("  Janus' 5 ms over ours", Self.janusMilliseconds / total, "x", "goal: 10")
        row("  aiortc's 220 ms over ours", Self.aiortcMilliseconds / total, "x", "goal: 450")
        row("fan-out a packet", perPacket, "µs", "")
        row("  machine's floor beside it (protect + GSO send)", floor, "µs", "")
        row("  fan-out over floor", perPacket / floor, "x", "goal: 1.8 at most")
        row("packets a viewer-second", packets / (Double(count) * span), "", "")
        row("frame in to last packet out, p50", latency.quantile(0.5) * 1000, "ms", "")
        row("frame in to last packet out, p99", latency.quantile(0.99) * 1000, "ms", "")
        row("memory a viewer", memory, "KiB", "goal: 200 at most")
        row("lost of \(Int(received)) packets received", lost, "", "")
        for failure in crowd.failures.prefix(3) { emit("  \(failure)") }
        stage.stop()
        await loop.stop()
    }

    // MARK: Joining

    func joins(count: Int, perSecond: Int) async throws {
        let (loop, metrics) = try await server()
        let stage = try stage(.testPattern, loop, metrics)
        let crowd = try Crowd(count: count, perSecond: perSecond, watchesKeyFrames: true)
        await crowd.admit(to: loop, stage: stage.id)
        try await pause(2)
        let figures = crowd.report()
        emit("\n\(count) viewers joining at \(perSecond) a second")
        row("offer to DTLS up, p50", figures["connect_p50"] ?? .nan, "ms", "")
        row("offer to DTLS up, p95", figures["connect_p95"] ?? .nan, "ms", "goal: 80")
        row("offer to whole key frame, p50", figures["picture_p50"] ?? .nan, "ms", "")
        row("offer to whole key frame, p95", figures["picture_p95"] ?? .nan, "ms", "goal: 200")
        row("viewers with a picture", figures["pictures"] ?? 0, "", "")
        row("packets lost", figures["lost"] ?? .nan, "", "goal: 0")
        crowd.leave()
        stage.stop()
        await loop.stop()
    }

    // MARK: Idle

    func idleStage() async throws {
        let (loop, metrics) = try await server()
        let stage = try stage(.builtInAvatar, loop, metrics)
        let crowd = try Crowd(count: 1, perSecond: 1)
        await crowd.admit(to: loop, stage: stage.id)
        // The idle loop is drawn and encoded once, in the background; what follows is a replay.
        try await pause(12)
        let before = ProcessFigures.cpuSeconds()
        try await pause(seconds)
        let share = (ProcessFigures.cpuSeconds() - before) / seconds * 100
        emit("\nidle stage with one viewer")
        row("CPU, all threads", share, "% of a core", "")
        crowd.leave()
        stage.stop()
        await loop.stop()
    }

    // MARK: Reading

    private func row(_ name: String, _ value: Double, _ unit: String, _ goal: String) {
        let number = String(format: value >= 100 ? "%.0f" : "%.2f", value)
        let padded = name.padding(toLength: 52, withPad: " ", startingAt: 0)
        emit("  \(padded)\(number) \(unit)\(goal.isEmpty ? "" : "  (\(goal))")")
    }

    private func socketFigure(_ name: String, _ metrics: MetricsRegistry) -> Double {
        metrics.gauge(name, help: "", labels: ["socket": "direct"]).current
    }

    private func latencies(_ metrics: MetricsRegistry) -> LatencyFigures {
        let histogram = metrics.histogram("avatar_frame_latency_seconds", help: "", bounds: [])
        return LatencyFigures(bounds: histogram.bounds, counts: histogram.current.counts)
    }
}

/// A histogram's counts, with quantiles interpolated inside a bucket.
struct LatencyFigures {
    let bounds: [Double]
    let counts: [UInt64]

    func subtracting(_ other: LatencyFigures) -> LatencyFigures {
        LatencyFigures(bounds: bounds, counts: zip(counts, other.counts).map { $0 - $1 })
    }

    func quantile(_ share: Double) -> Double {
        let total = counts.reduce(0, +)
        guard total > 0 else { return .nan }
        var rest = Double(total) * share
        for (index, count) in counts.enumerated() {
            if rest <= Double(count), count > 0 {
                let low = index == 0 ? 0 : bounds[index - 1]
                let high = index < bounds.count ? bounds[index] : low * 2
                return low + (high - low) * rest / Double(count)
            }
            rest -= Double(count)
        }
        return bounds.last ?? .nan
    }
}
