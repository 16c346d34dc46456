internal import Core

/// What the media loop counts.
struct LoopMetrics: Sendable {
    let framesFannedOut: Counter
    let frameLatency: Histogram
    let connectTime: Histogram
    let unknownCheck: Counter
    let unknownSource: Counter
    let refusedDatagram: Counter
    let refusedCandidate: Counter
    let refusedOffer: Counter
    let viewersTotal: Counter
    let viewersFailed: Counter
    let keyFrameRequests: Counter
    let relayLost: Counter
    let microphonePackets: Counter
    let picturesTooLarge: Counter
    let channelsOpened: Counter
    let channelMessagesReceived: Counter
    let channelMessagesSent: Counter
    let channelMessagesCongested: Counter
    let channelMessagesTooLarge: Counter
    let channelMessagesUnaddressed: Counter
    let channelMessagesOverRate: Counter
    let channelMessagesOutdated: Counter
    let viewers: Gauge

    init(_ registry: MetricsRegistry) {
        framesFannedOut = registry.counter("avatar_video_frames_total", help: "Video frames given to viewers.")
        frameLatency = registry.histogram(
            "avatar_frame_latency_seconds",
            help: "From a frame's entry into the encoder to its last packet's send call.",
            bounds: [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.033, 0.05, 0.1, 0.25])
        connectTime = registry.histogram(
            "avatar_viewer_connect_seconds", help: "From a viewer's offer to media.",
            bounds: [0.05, 0.08, 0.12, 0.2, 0.35, 0.5, 1, 2, 5, 10, 30])
        func refused(_ reason: String) -> Counter {
            registry.counter(
                "avatar_media_refused_total", help: "Input from outside that was refused.", labels: ["reason": reason])
        }
        unknownCheck = refused("check of no viewer")
        unknownSource = refused("source of no viewer")
        refusedDatagram = refused("datagram")
        refusedCandidate = refused("candidate")
        refusedOffer = refused("offer")
        viewersTotal = registry.counter("avatar_viewers_total", help: "Viewers that made an accepted offer.")
        viewersFailed = registry.counter("avatar_viewers_failed_total", help: "Viewers that failed or vanished.")
        keyFrameRequests = registry.counter("avatar_key_frame_requests_total", help: "PLI and FIR of viewers.")
        relayLost = registry.counter("avatar_relay_lost_total", help: "Times the external relay's allocation was lost.")
        microphonePackets = registry.counter(
            "avatar_microphone_packets_total", help: "Packets of sound received from viewers that are listened to.")
        func dropped(_ reason: String) -> Counter {
            registry.counter(
                "avatar_channel_dropped_total", help: "Viewers' data channel messages that were dropped, either way.",
                labels: ["reason": reason])
        }
        func messages(_ direction: String) -> Counter {
            registry.counter(
                "avatar_channel_messages_total", help: "Messages over viewers' data channels.",
                labels: ["direction": direction])
        }
        picturesTooLarge = registry.counter(
            "avatar_pictures_too_large_total", help: "Encoded pictures that no send batch could hold.")
        channelsOpened = registry.counter("avatar_channels_total", help: "Data channels that viewers opened.")
        channelMessagesReceived = messages("received")
        channelMessagesSent = messages("sent")
        channelMessagesCongested = dropped("too much waits")
        channelMessagesTooLarge = dropped("too large")
        channelMessagesUnaddressed = dropped("no channel")
        channelMessagesOverRate = dropped("too many a second")
        channelMessagesOutdated = dropped("outdated")
        viewers = registry.gauge("avatar_viewers", help: "Viewers at the moment.")
    }
}
