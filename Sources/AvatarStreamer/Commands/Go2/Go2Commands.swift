internal import Core
internal import Go2Bridge
internal import Networking

/// Runs `avatar-streamer go2 …`.
enum Go2Commands {
    static func run(_ command: Go2Command) async -> Int32 {
        switch command {
        case .help:
            FileContent.print(Go2Command.usage)
            return ExitStatus.success
        case .misuse(let reason):
            FileContent.complain("avatar-streamer: \(reason)\n\n\(Go2Command.usage)")
            return ExitStatus.usage
        case .keys:
            FileContent.print(keys)
            return ExitStatus.success
        case .discover(let options): return await withLoop { loop in await discover(options, loop) }
        case .diagnose(let options): return await withLoop { loop in await diagnose(options, loop) }
        }
    }

    private static func withLoop(_ body: (EventLoop) async -> Int32) async -> Int32 {
        do throws(SocketError) {
            let loop = try EventLoop(name: "robots")
            try loop.start()
            let status = await body(loop)
            await loop.stop()
            return status
        } catch {
            FileContent.complain("avatar-streamer: \(error)")
            return ExitStatus.unavailable
        }
    }

    // MARK: Discovery

    private static func discover(_ options: Go2DiscoverOptions, _ loop: EventLoop) async -> Int32 {
        var configuration = RobotDiscovery.Configuration()
        configuration.limits.duration = .seconds(options.timeoutSeconds)
        let discovery = RobotDiscovery(loop: loop, configuration: configuration)
        do throws(PhaseFailure) {
            let found = try await discovery.list(interface: options.interface) { line in
                if !options.usesJSON { FileContent.complain(line) }
            } onFound: { robot in
                if !options.usesJSON { FileContent.print("\(robot.ip)  \(robot.serialNumber)") }
            }
            if options.usesJSON {
                let robots = found.map { robot -> JSONValue in
                    ["ip": .string("\(robot.ip)"), "serial_number": .string(robot.serialNumber)]
                }
                FileContent.print(JSONValue.object(["robots": .array(robots)]).text)
            } else if found.isEmpty {
                FileContent.complain("no robot answered within \(options.timeoutSeconds) s")
            }
            return found.isEmpty ? ExitStatus.failure : ExitStatus.success
        } catch {
            FileContent.complain("\(error.reason)\nwhat mends it: \(error.remedy)")
            return ExitStatus.failure
        }
    }

    // MARK: Diagnosis

    private static func diagnose(_ options: Go2DiagnoseOptions, _ loop: EventLoop) async -> Int32 {
        let signals = TerminationSignal.stream()
        let record = DiagnosisRecord(isPrinting: !options.usesJSON)
        record.takeLog()
        let link: any RobotLink
        let key: RobotKey?
        do throws(RobotSecrets.Fault) {
            var robot = Configuration.Robot()
            (robot.keyFile, robot.keyEnvironment) = (options.keyFile, options.keyEnvironment)
            key = try RobotSecrets.key(of: robot)
            link = try self.link(options, key, loop)
        } catch {
            FileContent.complain("avatar-streamer: \(error.reason)\nwhat mends it: \(error.remedy)")
            return ExitStatus.unavailable
        }
        var limits = DiagnosisProgress.Limits()
        limits.total = .seconds(options.timeoutSeconds)
        let diagnosis = RobotDiagnosis(link: link, usesCamera: options.usesCamera, limits: limits)
        let running = Task { await diagnosis.run { record.add($0) } }
        // Whoever presses Ctrl-C must not leave the robot's only place taken.
        let watching = Task {
            var received = signals.makeAsyncIterator()
            if await received.next() != nil { running.cancel() }
        }
        let report = await running.value
        watching.cancel()
        record.add(DiagnosisText.conclusion(report))
        if options.usesJSON { FileContent.print(report.json.text) }
        if let file = options.bundle {
            let secrets = [options.serialNumber, key?.bytes.hexadecimal].compactMap(\.self)
            let archive = DiagnosisBundle(secrets: secrets).archive(
                report: report, lines: record.lines, log: record.log, time: SystemClock.wallTime())
            guard FileContent.writePrivate(archive, to: file) else {
                FileContent.complain("avatar-streamer: \(file) cannot be written")
                return ExitStatus.unavailable
            }
            FileContent.complain(
                "The bundle is in \(file). It holds addresses of this network, but no key or serial number.")
        }
        return report.isWell ? ExitStatus.success : ExitStatus.failure
    }

    private static func link(
        _ options: Go2DiagnoseOptions, _ key: RobotKey?, _ loop: EventLoop
    ) throws(RobotSecrets.Fault) -> any RobotLink {
        let signaling = RobotSignaling()
        let exchange: RobotExchange
        if let ip = options.address {
            exchange = RobotExchange(
                signaling: signaling, address: RobotLinks.address(ip, port: options.port, key: key))
        } else {
            exchange = RobotLinks.discovering(
                options.serialNumber ?? "", through: options.interface, port: options.port, key: key, signaling,
                RobotDiscovery(loop: loop))
        }
        var configuration = WebRTCLinkConfiguration(name: "diagnose")
        configuration.interface = options.interface
        configuration.maximumAttempts = 1
        do throws(RobotLinkError) {
            return try WebRTCLink(
                configuration: configuration, loop: loop, exchange: exchange, metrics: MetricsRegistry())
        } catch {
            throw RobotSecrets.Fault(reason: error.reason, remedy: "see docs/operations.md")
        }
    }

    // MARK: Keys

    static let keys = """
        Robots with firmware 1.1.15 and later (data2=3) seal their signaling with a key of their own: 16 bytes, written as 32
        hexadecimal digits. It stays the same when the robot is bound to another account. There are two places to get it from:

        1. The account that the robot is bound to. The phone app's list of devices (device/bind/list of Unitree's cloud)
           holds it as `key` (also named gcm_key) of each device. The public package unitree-webrtc-connect comes with a
           program that signs in and prints it.
        2. The robot itself, where you have a shell on it: the 16 bytes of /unitree/etc/key/aes_key.bin.

        Put it into a file that only the server may read, and name the file in the configuration:

          install -m 600 /dev/stdin /etc/avatar-streamer/dog.key <<< "$KEY"
          robots: {dog: {address: 192.168.123.161, aes_key_file: /etc/avatar-streamer/dog.key}}

        Then try it: avatar-streamer go2 diagnose ADDRESS --key-file /etc/avatar-streamer/dog.key
        """
}
