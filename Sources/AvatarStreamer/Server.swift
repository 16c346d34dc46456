internal import Conversation
internal import Core
internal import Go2Bridge
internal import MediaLoop
internal import MediaPipeline
internal import Networking
internal import Signaling
internal import WebServer

/// The running server: start-up in order, then waiting, then the way out.
struct Server {
    private let configuration: Configuration
    private let log = Logger("server")

    init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Serves until a signal ends it; returns the exit status.
    func run() async -> Int32 {
        // Before anything else: a signal that comes during start-up must not be lost.
        let signals = TerminationSignal.stream()
        configureLog()
        let libraries = checkLibraries()
        let conflicts = PortCheck.conflicts(PortCheck.needed(by: configuration))
        for conflict in conflicts { log.error("port is taken", ["reason": LogValue(conflict)]) }
        guard conflicts.isEmpty else { return ExitStatus.unavailable }

        let externalRelay = externalRelayAddress()
        if needsExternalRelay, externalRelay == nil {
            log.error(
                "external relay's name is unknown to the resolver",
                ["remedy": "set webrtc.turn_server_local to turn:IP:PORT"])
            return ExitStatus.unavailable
        }
        let publicAddress = Composition.publicAddress(configuration)
        let metrics = MetricsRegistry()
        let mediaLoop: MediaLoop
        do throws(MediaLoopError) {
            let connectivity = Composition.connectivity(
                configuration, publicAddress: publicAddress, relaySecret: RelaySecret.load(configuration),
                externalAddress: externalRelay)
            mediaLoop = try MediaLoop(
                configuration: Composition.mediaLoop(configuration, connectivity: connectivity), metrics: metrics)
            try await mediaLoop.start()
        } catch {
            log.error(
                "media loop cannot start", ["reason": LogValue(error.reason), "remedy": LogValue(error.remedy)])
            return ExitStatus.unavailable
        }
        let client = HTTPClient(metrics: metrics)
        var backends = ConversationBackends(client: client)
        let profiles = backends.profiles(configuration)
        let engines = startEngines(metrics)
        let robots = ComposedRobots(configuration, client: client, metrics: metrics)
        for part in robots.degraded {
            log.error(
                "robots are not as configured",
                ["part": LogValue(part.part), "reason": LogValue(part.reason), "remedy": LogValue(part.remedy)])
        }
        let control = ComposedRobotControl(configuration, metrics: metrics)
        let robotStages = RobotStages(
            fleet: robots.fleet, cameras: robots.cameras, mediaLoop: mediaLoop, metrics: metrics)
        robotStages.start()
        let media = LiveAvatarMedia(
            mediaLoop: mediaLoop, appearance: Composition.stage(configuration), profiles: profiles,
            engines: engines.hosts, metrics: metrics,
            degraded: libraries + backends.degraded + engines.degraded + robots.degraded + robotStages.degraded)
        let avatars = AvatarLibrary(
            directory: configuration.avatars.directory, videoRoots: configuration.avatars.videoRoots,
            maximumCount: configuration.avatars.maximumCount, configured: Composition.pictures(configuration))
        let service = SignalingService(
            configuration: Composition.signaling(
                configuration, publicAddress: publicAddress, robots: robots, control: control),
            media: media, avatars: avatars, robots: robots.fleet, metrics: metrics)
        let listeners = Composition.listeners(configuration, service: service) + [control.listener].compactMap(\.self)
        let web = WebServer(listeners: listeners, metrics: metrics)
        do throws(WebServerError) {
            try web.start()
        } catch {
            log.error("web server cannot start", ["reason": LogValue(error), "remedy": LogValue(error.remedy)])
            await control.stop()
            await robots.stop()
            robotStages.stop()
            await media.close()
            await mediaLoop.stop()
            return ExitStatus.unavailable
        }
        robots.fleet.start()
        control.start()
        await service.openPublicStage()
        let housekeeping = Task {
            while !Task.isCancelled {
                await service.housekeep()
                try? await Task.sleep(for: .seconds(1))
            }
        }
        let preparing = Task { await service.followEngines() }
        announce()
        var received = signals.makeAsyncIterator()
        log.info("ending", ["signal": LogValue(await received.next() ?? "none")])
        await drain(service, mediaLoop, signals: signals)
        housekeeping.cancel()
        preparing.cancel()
        // The worker's `stop()` may want to stop its robot.
        await control.stop()
        // A robot that nobody says goodbye to lets nobody in for 45 s.
        await robots.stop()
        robotStages.stop()
        // Viewers get their goodbye while the loop still runs; then sockets and requests end.
        await mediaLoop.stop()
        await media.close()
        await web.stop(grace: .seconds(2))
        log.info("ended")
        return ExitStatus.success
    }

    // MARK: Start

    private func configureLog() {
        var settings = LogOutput.Settings()
        switch configuration.logging.format {
        case .auto: break
        case .text: settings.usesJSON = false
        case .json: settings.usesJSON = true
        }
        settings.level =
            switch configuration.logging.level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        settings.showsAddresses = configuration.logging.showAddresses
        LogOutput.configure(settings)
    }

    /// Names every library that is outside its tested range.
    private func checkLibraries() -> [DegradedPart] {
        TestedLibrary.all.compactMap { library in
            let range = "\(library.from) to below \(library.below)"
            switch library.finding {
            case .tested: return nil
            case .untested(let version):
                log.warning(
                    "library is outside its tested range",
                    [
                        "library": LogValue(library.name), "version": LogValue(version), "tested": LogValue(range),
                        "reason": LogValue(library.reason),
                    ])
                return DegradedPart(
                    part: "library:\(library.name)", reason: "version \(version) is outside the tested range \(range)",
                    remedy: "install a version of \(library.package) inside the range")
            case .missing:
                log.warning("library is not loaded", ["library": LogValue(library.name)])
                return DegradedPart(
                    part: "library:\(library.name)", reason: "it is not loaded",
                    remedy: "apt-get install \(library.package)")
            }
        }
    }

    /// Starts every engine; one that cannot start is degraded, and its avatars with it.
    private func startEngines(_ metrics: MetricsRegistry) -> (hosts: [EngineHost], degraded: [DegradedPart]) {
        var hosts: [EngineHost] = []
        var degraded: [DegradedPart] = []
        for (name, settings) in configuration.engines.sorted(by: { $0.key < $1.key }) {
            let host = EngineHost(
                configuration: Composition.engine(name, settings), directory: configuration.storage.stateDirectory,
                metrics: metrics)
            do throws(EngineError) {
                try host.start()
                hosts.append(host)
            } catch {
                log.error(
                    "engine cannot start",
                    [
                        "engine": LogValue(name), "reason": LogValue(error.reason), "remedy": LogValue(error.remedy),
                    ])
                degraded.append(DegradedPart(part: "engine \(name)", reason: error.reason, remedy: error.remedy))
            }
        }
        return (hosts, degraded)
    }

    private var needsExternalRelay: Bool {
        configuration.relay == .external && configuration.connectivity != .direct
    }

    /// Where this machine reaches the external relay; nil where none is used or its name is unknown.
    private func externalRelayAddress() -> SocketAddress? {
        guard needsExternalRelay else { return nil }
        let text =
            configuration.webRTC.turnServerLocal.isEmpty
            ? configuration.webRTC.turnServer : configuration.webRTC.turnServerLocal
        guard let server = ServerURL(text), let address = HostAddress.resolve(server.host) else { return nil }
        return SocketAddress(address, server.port)
    }

    private func announce() {
        let host = configuration.management.host == "0.0.0.0" ? "127.0.0.1" : configuration.management.host
        let page = "http://\(host):\(configuration.management.port)/"
        log.info(
            "serving",
            [
                "page": LogValue(page), "signaling.port": LogValue(configuration.signaling.port),
                "connectivity": LogValue(configuration.connectivity.rawValue),
                "relay": LogValue(configuration.relay.rawValue),
            ])
        FileContent.print("AvatarStreamer serves its page at \(page)")
        if configuration.robotControl.enabled {
            FileContent.print(
                "The robot control service has its page at http://\(configuration.robotControl.host):\(configuration.robotControl.port)/console/"
            )
        }
    }

    // MARK: End

    /// Refuses new viewers and waits until the present ones have gone, the time is up, or a second signal comes.
    private func drain(_ service: SignalingService, _ mediaLoop: MediaLoop, signals: AsyncStream<String>) async {
        await service.drain()
        mediaLoop.drain()
        let seconds = configuration.shutdown.drainSeconds
        await withTaskGroup { group in
            group.addTask {
                for _ in 0..<(seconds * 10) {
                    guard await mediaLoop.summary().viewers > 0, !Task.isCancelled else { return }
                    try? await Task.sleep(for: .milliseconds(100))
                }
            }
            group.addTask {
                var more = signals.makeAsyncIterator()
                _ = await more.next()
            }
            await group.next()
            group.cancelAll()
        }
    }
}
