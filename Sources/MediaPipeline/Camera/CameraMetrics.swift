internal import Core

/// What all cameras of the process count together.
struct CameraMetrics: Sendable {
    private static let latencyBounds = [
        0.0002, 0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5,
    ]

    let h264Latency: Histogram
    let vp8Latency: Histogram
    let decodeSeconds: Histogram
    let encodeSeconds: Histogram
    let h264Pictures: Counter
    let vp8Pictures: Counter
    let soundPackets: Counter
    let lostPackets: Counter
    let droppedPackets: Counter
    let refusedPackets: Counter
    let damaged: Counter
    let undecodable: Counter
    let corrupt: Counter
    let skipped: Counter
    let dropped: Counter
    let epochs: Counter

    init(_ registry: MetricsRegistry) {
        func latency(_ path: String) -> Histogram {
            registry.histogram(
                "avatar_camera_latency_seconds",
                help: "From a picture's last packet to its hand-over to the media loop.",
                bounds: Self.latencyBounds, labels: ["path": path])
        }
        func pictures(_ path: String) -> Counter {
            registry.counter(
                "avatar_camera_pictures_total", help: "Pictures of robots' cameras handed to the media loop.",
                labels: ["path": path])
        }
        func troubled(_ outcome: String) -> Counter {
            registry.counter(
                "avatar_camera_troubled_pictures_total", help: "Pictures of robots' cameras that were not shown.",
                labels: ["outcome": outcome])
        }
        func packets(_ outcome: String) -> Counter {
            registry.counter(
                "avatar_camera_troubled_packets_total", help: "Packets of robots' cameras that were of no use.",
                labels: ["outcome": outcome])
        }
        h264Latency = latency("h264")
        vp8Latency = latency("vp8")
        decodeSeconds = registry.histogram(
            "avatar_camera_decode_seconds", help: "Time to decode one picture.", bounds: Self.latencyBounds)
        encodeSeconds = registry.histogram(
            "avatar_camera_encode_seconds", help: "Time to scale and encode one picture.", bounds: Self.latencyBounds)
        h264Pictures = pictures("h264")
        vp8Pictures = pictures("vp8")
        soundPackets = registry.counter(
            "avatar_camera_sound_packets_total", help: "Packets of robots' microphones handed to the media loop.")
        lostPackets = packets("lost")
        droppedPackets = packets("dropped")
        refusedPackets = packets("refused")
        damaged = troubled("damaged")
        undecodable = troubled("undecodable")
        corrupt = troubled("corrupt")
        skipped = troubled("skipped")
        dropped = troubled("dropped")
        epochs = registry.counter(
            "avatar_camera_epochs_total", help: "How often a robot's stream of pictures began anew.")
    }

    /// Adds what was counted between two looks at the same camera.
    func count(from old: CameraStatistics.Reception, to new: CameraStatistics.Reception) {
        lostPackets.increment(by: new.lostPackets &- old.lostPackets)
        droppedPackets.increment(by: new.droppedPackets &- old.droppedPackets)
        refusedPackets.increment(by: new.refusedPackets &- old.refusedPackets)
        damaged.increment(by: new.damagedPictures &- old.damagedPictures)
        undecodable.increment(
            by: new.undecodablePictures &- old.undecodablePictures &+ new.missingParameterSets
                &- old.missingParameterSets)
        epochs.increment(by: new.epochs &- old.epochs)
    }
}
