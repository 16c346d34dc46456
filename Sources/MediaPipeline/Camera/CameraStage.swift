package import Core
package import PeerConnection
internal import Synchronization

/// One robot's camera and microphone as a stage: H.264 passes through, VP8 is made of it once for all who need it, Opus passes
/// through.
///
/// Its clock is the robot's, told by the arrival of packets, not the playout's: nothing waits for a tick (docs/adr/0010). All methods
/// may be called from any thread and return at once; frames go to the sink on the thread "camera-NAME".
package final class CameraStage: Sendable {
    private struct State {
        var phase = Phase.made
        var viewers = CameraViewers()
        var statistics = CameraStatistics()
    }
    private enum Phase {
        case made, running, stopped
    }

    package let id: StageID
    package let configuration: CameraStageConfiguration
    private let sink: any MediaFrameSink
    private let metrics: CameraMetrics
    private let inbox: CameraInbox
    private let clock: @Sendable () -> Instant
    private let state = Mutex(State())
    private static let logger = Logger("camera")

    /// - Parameter clock: the time at which something came; what the thread waits for is due on the system's clock.
    package init(
        id: StageID, configuration: CameraStageConfiguration, sink: any MediaFrameSink, metrics: MetricsRegistry,
        clock: @escaping @Sendable () -> Instant = { SystemClock.now() }
    ) throws(StageError) {
        try configuration.validate()
        self.id = id
        self.configuration = configuration
        self.sink = sink
        self.metrics = CameraMetrics(metrics)
        self.clock = clock
        inbox = CameraInbox(maximumPackets: configuration.maximumWaitingPackets)
    }

    deinit {
        stop()
    }

    /// Starts the camera's thread; it sleeps until the first packet comes.
    package func start() {
        let isFirst = state.withLock { state in
            guard state.phase == .made else { return false }
            state.phase = .running
            return true
        }
        guard isFirst else { return }
        let listener = CameraDriver.Listener(
            firstPicture: { [id] in
                Self.logger.info("camera's first picture came", ["stage": .string(id.value)])
            },
            statistics: { [weak self] statistics in self?.state.withLock { $0.statistics = statistics } },
            failed: { [id] reason in
                Self.logger.warning(
                    "camera cannot be encoded", ["stage": .string(id.value), "reason": .string(reason)])
            })
        let hasStarted = PipelineThread.start(name: "camera-\(Self.shortName(of: id))") {
            [id, configuration, sink, metrics, inbox, clock] in
            var driver = CameraDriver(
                stage: id, configuration: configuration, sink: sink, metrics: metrics, inbox: inbox, clock: clock,
                listener: listener)
            driver.run()
        }
        if !hasStarted {
            Self.logger.error("the system refuses a thread for the camera", ["stage": .string(id.value)])
        }
    }

    /// Ends the thread for good; frames that are on their way may still reach the sink.
    package func stop() {
        state.withLock { $0.phase = .stopped }
        inbox.stop()
    }

    // MARK: What comes from the robot

    /// One RTP packet of the robot's video.
    package func receive(_ packet: ReceivedPacket) {
        inbox.post(.picture(packet, clock()))
    }

    /// One RTP packet of the robot's microphone.
    package func receive(sound packet: ReceivedPacket) {
        inbox.post(.sound(packet, clock()))
    }

    /// The connection to the robot is gone. The last picture stays with the viewers; the next one begins anew.
    package func robotLost() {
        inbox.post(.lost)
    }

    // MARK: What comes from viewers

    /// How many viewers watch in each codec, and how many listen. With none, packets are kept for whoever comes next and nothing else
    /// is done; with none in VP8 there is no decoder and no encoder.
    package func setViewers(vp8: Int, h264: Int, sound: Int) {
        let viewers = CameraViewers(vp8: max(0, vp8), h264: max(0, h264), sound: max(0, sound))
        state.withLock { $0.viewers = viewers }
        inbox.post(.viewers(viewers, clock()))
    }

    /// A viewer needs a key frame. VP8's next picture is one, but only one a second is made so. The robot cannot be asked for one:
    /// viewers of H.264 get the group of pictures that the media loop keeps, or wait for the next, 2.1 s at most.
    package func requestKeyFrame(_ codec: MediaCodec) {
        guard codec == .vp8 else { return }
        inbox.post(.keyFrameRequested)
    }

    /// The codecs for the next viewer's negotiation, best first, as ``CodecPreference`` decides.
    package func preferredCodecs() -> [MediaCodec] {
        state.withLock { state in
            CodecPreference.order(
                vp8Viewers: state.viewers.vp8, h264: state.statistics.h264Rate, vp8: state.statistics.vp8Rate)
        }
    }

    package var statistics: CameraStatistics {
        var statistics = state.withLock { $0.statistics }
        statistics.reception.droppedPackets = inbox.droppedPackets
        return statistics
    }

    /// The name of a thread has 15 bytes, and all cameras' stages begin with the same word.
    private static func shortName(of id: StageID) -> Substring {
        id.value.split(separator: ":", maxSplits: 1).last ?? ""
    }
}
