import Core
import Networking
import TestSupport
import Testing

@testable import Go2Bridge

/// A link to a robot, and what it told.
final class LinkBench: Sendable {
    struct Told: Sendable {
        var reports: [ConnectionReport] = []
        var readies = 0
        var losses: [String] = []
        var pictures = 0
        var responses: [RobotResponse] = []
        var failedRequests: [RobotRequestError] = []
        var faults: [[RobotFault]] = []

        var report: ConnectionReport? { reports.last }

        /// The first failure of a phase that was told.
        func failure(of phase: RobotPhase) -> PhaseFailure? {
            for report in reports {
                for known in report.phases where known.phase == phase {
                    if case .failed(let failure) = known.outcome { return failure }
                }
            }
            return nil
        }

        var failedPhases: Set<RobotPhase> {
            Set(RobotPhase.allCases.filter { failure(of: $0) != nil })
        }
    }

    let link: WebRTCLink
    let metrics = MetricsRegistry()
    let told = Watched(Told())
    private let loop: EventLoop

    init(_ exchange: RobotExchange, _ configure: (inout WebRTCLinkConfiguration) -> Void = { _ in }) throws {
        loop = try EventLoop(name: "robots")
        try loop.start()
        var configuration = WebRTCLinkConfiguration(name: "rex")
        configuration.reconnection.firstDelay = .milliseconds(20)
        configuration.reconnection.tooSoonDelay = .milliseconds(20)
        configuration.reconnection.busyDelay = .milliseconds(20)
        configure(&configuration)
        link = try WebRTCLink(configuration: configuration, loop: loop, exchange: exchange, metrics: metrics)
    }

    /// - Parameter meanwhile: called with each event on the link's thread, before it is told.
    func start(_ meanwhile: @escaping @Sendable (RobotLinkEvent) -> Void = { _ in }) {
        link.start { [told] event in
            meanwhile(event)
            told.update { told in
                switch event {
                case .report(let report): told.reports.append(report)
                case .ready: told.readies += 1
                case .lost(let reason): told.losses.append(reason)
                case .camera: told.pictures += 1
                case .response(let response): told.responses.append(response)
                case .requestFailed(_, let error): told.failedRequests.append(error)
                case .faults(let faults): told.faults.append(faults)
                default: break
                }
            }
        }
    }

    func stop() async {
        await link.stop()
        await loop.stop()
    }
}
