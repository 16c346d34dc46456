internal import Core
internal import Go2Bridge
internal import MediaPipeline
internal import Networking
internal import Signaling

/// The robots of the configuration with what they need: the thread "robots", their links, who may use them.
struct ComposedRobots: Sendable {
    let fleet: RobotFleet
    /// What clients without a token may do, by the robots' names.
    let exposures: [String: RobotExposure]
    let access: [AccessToken]
    let cameras: [String: CameraStageConfiguration]
    /// What could not be made as it is configured.
    let degraded: [DegradedPart]
    /// Nil where no robot is configured.
    private let loop: EventLoop?
    private let domains: RobotDomains

    /// Starts the thread, and no robot yet.
    init(_ configuration: Configuration, client: HTTPClient, metrics: MetricsRegistry) {
        var degraded: [DegradedPart] = []
        access = Self.tokens(configuration, &degraded)
        exposures = configuration.robots.mapValues(Self.exposure)
        cameras = configuration.robots.mapValues { robot in
            var camera = CameraStageConfiguration()
            camera.videoBitRate = robot.videoBitRate
            return camera
        }
        let loop = configuration.robots.isEmpty ? nil : Self.startLoop(&degraded)
        var robots: [Robot] = []
        var domains = RobotDomains()
        if let loop {
            let links = RobotLinks(loop: loop, client: client, metrics: metrics)
            for (name, settings) in configuration.robots.sorted(by: { $0.key < $1.key }) {
                do throws(RobotSecrets.Fault) {
                    let link: any RobotLink =
                        switch settings.connection {
                        case .webrtc: try links.link(name, settings, &degraded)
                        case .cyclonedds: domains.link(name, settings, metrics: metrics)
                        }
                    let robot = Robot(
                        configuration: Self.robot(name, settings), link: link,
                        metrics: RobotMetrics(metrics, robot: name))
                    domains.addROS2(robot, settings, metrics: metrics)
                    robots.append(robot)
                } catch {
                    degraded.append(DegradedPart(part: "robot:\(name)", reason: error.reason, remedy: error.remedy))
                }
            }
        }
        self.loop = loop
        self.domains = domains
        self.degraded = degraded
        fleet = RobotFleet(robots)
    }

    /// Frees every robot's slot, then ends the thread.
    func stop() async {
        await domains.stopBridges()
        await fleet.stop()
        await domains.stop()
        await loop?.stop()
    }

    private static func startLoop(_ degraded: inout [DegradedPart]) -> EventLoop? {
        do throws(SocketError) {
            let loop = try EventLoop(name: "robots")
            try loop.start()
            return loop
        } catch {
            degraded.append(
                DegradedPart(
                    part: "robots", reason: error.description, remedy: "raise the limits of threads and open files"))
            return nil
        }
    }

    // MARK: Settings

    static func robot(_ name: String, _ settings: Configuration.Robot) -> RobotConfiguration {
        var robot = RobotConfiguration(name: name, connection: settings.connection.rawValue)
        robot.allowsSound = settings.sound && settings.connection == .webrtc
        robot.allowsTalk = settings.talk && settings.connection == .webrtc
        // Over DDS neither the app's LiDAR frames nor sound are spoken.
        robot.allowsLiDAR = settings.lidar && settings.connection == .webrtc
        robot.allowsAcrobatics = settings.acrobatics
        robot.avoidsObstacles = settings.avoidsObstacles
        robot.driving.maximumX = settings.maximumSpeed.x
        robot.driving.maximumY = settings.maximumSpeed.y
        robot.driving.maximumYaw = settings.maximumSpeed.yaw
        return robot
    }

    static func exposure(_ settings: Configuration.Robot) -> RobotExposure {
        var exposure = RobotExposure()
        exposure.publicScope =
            switch settings.exposure {
            case .none: nil
            case .watch: .watch
            case .read: .read
            }
        exposure.drivesWithoutToken = settings.drivesWithoutToken
        return exposure
    }

    /// A token that cannot be had admits nobody.
    private static func tokens(_ configuration: Configuration, _ degraded: inout [DegradedPart]) -> [AccessToken] {
        var tokens: [AccessToken] = []
        for (name, access) in configuration.access.sorted(by: { $0.key < $1.key }) {
            let scope: RobotScope =
                switch access.scope {
                case .watch: .watch
                case .read: .read
                case .drive: .drive
                }
            do throws(RobotSecrets.Fault) {
                tokens.append(
                    AccessToken(
                        name: name, token: try RobotSecrets.token(of: access), robots: access.robots.map { Set($0) },
                        scope: scope))
            } catch {
                degraded.append(DegradedPart(part: "access:\(name)", reason: error.reason, remedy: error.remedy))
            }
        }
        return tokens
    }
}

/// Makes the links of robots, all on one thread.
struct RobotLinks {
    private let loop: EventLoop
    private let signaling: RobotSignaling
    private let discovery: RobotDiscovery
    private let metrics: MetricsRegistry

    init(loop: EventLoop, client: HTTPClient, metrics: MetricsRegistry) {
        self.loop = loop
        self.metrics = metrics
        signaling = RobotSignaling(client: client)
        discovery = RobotDiscovery(loop: loop)
    }

    /// A key that cannot be had is reported, and the robot is called without: most want none.
    func link(
        _ name: String, _ settings: Configuration.Robot, _ degraded: inout [DegradedPart]
    ) throws(RobotSecrets.Fault) -> any RobotLink {
        var key: RobotKey?
        do throws(RobotSecrets.Fault) {
            key = try RobotSecrets.key(of: settings)
        } catch {
            degraded.append(DegradedPart(part: "robot:\(name):key", reason: error.reason, remedy: error.remedy))
        }
        var configuration = WebRTCLinkConfiguration(name: name)
        configuration.interface = settings.interface.isEmpty ? nil : settings.interface
        configuration.limits.watch = .seconds(settings.watchSeconds)
        do throws(RobotLinkError) {
            return try WebRTCLink(
                configuration: configuration, loop: loop, exchange: exchange(settings, key), metrics: metrics)
        } catch {
            throw RobotSecrets.Fault(reason: error.reason, remedy: "see the server's log")
        }
    }

    private func exchange(_ settings: Configuration.Robot, _ key: RobotKey?) -> RobotExchange {
        if let ip = IPAddress(settings.address) {
            return RobotExchange(
                signaling: signaling, address: Self.address(ip, port: settings.signalingPort, key: key))
        }
        return Self.discovering(
            settings.serialNumber, through: settings.interface.isEmpty ? nil : settings.interface,
            port: settings.signalingPort, key: key, signaling, discovery)
    }

    static func address(_ ip: IPAddress, port: Int, key: RobotKey?) -> RobotAddress {
        var address = RobotAddress(ip, key: key)
        address.notifyPort = UInt16(clamping: port)
        return address
    }

    /// A robot that is looked for at every attempt.
    static func discovering(
        _ serialNumber: String, through interface: String?, port: Int, key: RobotKey?, _ signaling: RobotSignaling,
        _ discovery: RobotDiscovery
    ) -> RobotExchange {
        RobotExchange(isDiscovering: true) { witness throws(PhaseFailure) in
            let ip = try await discovery.find(serialNumber: serialNumber, interface: interface, witness: witness)
            return address(ip, port: port, key: key)
        } exchange: { offer, robot, witness throws(PhaseFailure) in
            try await signaling.exchange(offer: offer, with: robot, witness: witness)
        }
    }
}
