package import Core
package import Go2Bridge
package import MediaLoop
package import MediaPipeline
internal import PeerConnection
internal import Synchronization

/// The robots' stages: each robot's camera and microphone, shared by all who watch, from the server's start to its end.
package final class RobotStages: Sendable {
    private let fleet: RobotFleet
    private let configurations: [String: CameraStageConfiguration]
    private let mediaLoop: MediaLoop
    private let metrics: MetricsRegistry
    private let cameras = Mutex<[String: CameraStage]>([:])
    private let failures = Mutex<[DegradedPart]>([])

    /// - Parameter cameras: by the robots' names; others have the standard settings.
    package init(
        fleet: RobotFleet, cameras: [String: CameraStageConfiguration], mediaLoop: MediaLoop, metrics: MetricsRegistry
    ) {
        self.fleet = fleet
        configurations = cameras
        self.mediaLoop = mediaLoop
        self.metrics = metrics
    }

    /// Opens every robot's stage; before the robots start, so that none of their packets goes by.
    package func start() {
        for robot in fleet.robots.values {
            do throws(StageError) {
                try open(robot)
            } catch {
                Logger("robots").error(
                    "robot's stage cannot open",
                    ["robot": LogValue(robot.name), "reason": LogValue(error.reason), "remedy": LogValue(error.remedy)])
                let part = DegradedPart(
                    part: "stage:\(Audience.robot(robot.name).stage)", reason: error.reason, remedy: error.remedy)
                failures.withLock { $0.append(part) }
            }
        }
    }

    /// Ends the stages and closes their viewers.
    package func stop() {
        let open = cameras.withLock { cameras in
            defer { cameras.removeAll() }
            return cameras
        }
        for (name, camera) in open {
            mediaLoop.removeStage(Audience.robot(name).stage)
            camera.stop()
        }
    }

    /// Stages that could not open.
    package var degraded: [DegradedPart] { failures.withLock { $0 } }

    private func open(_ robot: Robot) throws(StageError) {
        let id = Audience.robot(robot.name).stage
        let camera = try CameraStage(
            id: id, configuration: configurations[robot.name] ?? CameraStageConfiguration(), sink: mediaLoop,
            metrics: metrics)
        robot.attach { [weak camera] event in
            switch event {
            case .camera(let packet): camera?.receive(packet)
            case .microphone(let packet): camera?.receive(sound: packet)
            case .lost: camera?.robotLost()
            }
        }
        mediaLoop.addStage(
            id, videoCodecs: { [weak camera] in camera?.preferredCodecs() ?? [.vp8] },
            keyFrameRequested: { [weak camera] in camera?.requestKeyFrame($0) },
            viewersChanged: { [weak camera, weak robot] viewers in
                let (vp8, h264) = (viewers.byVideoCodec[.vp8] ?? 0, viewers.byVideoCodec[.h264] ?? 0)
                camera?.setViewers(vp8: vp8, h264: h264, sound: viewers.audio)
                robot?.setWatched(video: vp8 + h264 > 0, sound: viewers.audio > 0)
            })
        camera.start()
        cameras.withLock { $0[robot.name] = camera }
    }
}
