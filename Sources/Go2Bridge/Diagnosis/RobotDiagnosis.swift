internal import Core

/// Walks the whole way to a robot once, telling each step as it happens, and leaves with a goodbye.
package struct RobotDiagnosis: Sendable {
    private enum Input: Sendable {
        case link(RobotLinkEvent)
        case tick
    }

    /// How exactly deadlines are kept.
    private static let tick: Duration = .milliseconds(100)

    private let link: any RobotLink
    private let usesCamera: Bool
    private let limits: DiagnosisProgress.Limits
    private let clock: RobotClock

    /// - Parameter link: not started yet; makes one attempt.
    package init(
        link: any RobotLink, usesCamera: Bool, limits: DiagnosisProgress.Limits = DiagnosisProgress.Limits(),
        clock: RobotClock = .system
    ) {
        self.link = link
        self.usesCamera = usesCamera
        self.limits = limits
        self.clock = clock
    }

    /// Cancelling the task ends it early; the robot's slot is freed in any case.
    package func run(_ tell: @Sendable (DiagnosisEvent) -> Void) async -> DiagnosisReport {
        var progress = DiagnosisProgress(usesCamera: usesCamera, limits: limits, now: clock.now())
        let (inputs, sender) = AsyncStream.makeStream(of: Input.self)
        link.start { event in
            switch event {
            // A picture's packets would fill the stream, and the link itself looks at them.
            case .camera, .microphone, .binary, .faults, .network, .response, .requestFailed: break
            case .report, .ready, .lost, .topic: sender.yield(.link(event))
            }
        }
        let ticking = Task { [clock] in
            while !Task.isCancelled {
                do { try await clock.sleep(Self.tick) } catch { return }
                sender.yield(.tick)
            }
        }
        for await input in inputs {
            switch input {
            case .link(let event): progress.handle(event, now: clock.now())
            case .tick: progress.handleTimeout(now: clock.now())
            }
            while let event = progress.pollEvent() { tell(event) }
            while let order = progress.pollOrder() { link.perform(order) }
            if progress.isOver { break }
        }
        progress.cancel(now: clock.now())
        ticking.cancel()
        sender.finish()
        await link.stop()
        return progress.report
    }
}
