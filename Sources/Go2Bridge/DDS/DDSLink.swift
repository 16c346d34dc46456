package import Core

/// How one robot is reached over DDS, and when it counts as lost.
package struct DDSLinkConfiguration: Sendable {
    /// The robot's name in the configuration; for logs and metrics.
    package var name: String
    /// After so long without the robot the log says why that may be.
    package var watch: Duration = .seconds(30)
    /// The robot's state comes 20 times a second; nothing of it for so long means that it is gone.
    package var silenceLimit: Duration = .seconds(3)
    /// Requests that wait for their answers, at most.
    package var maximumRequests = 64
    /// Services that are spoken to, at most.
    package var maximumServices = 32
    /// Topics that come hundreds of times a second are passed on this often.
    package var minimumInterval: Duration = .milliseconds(20)

    package init(name: String) {
        self.name = name
    }
}

/// A robot on its cable: the topics and services that its own programs speak among each other, without WebRTC.
///
/// There is no slot and no validation, and neither camera nor sound nor LiDAR frames of the app's form.
package final class DDSLink: RobotLink {
    package let configuration: DDSLinkConfiguration
    private let participant: DDSParticipant
    private let metrics: LinkMetrics
    private let refused: Counter
    private let random: RandomSource
    private let number: Int

    /// - Parameter participant: started by its owner, and stopped after the link.
    package init(
        configuration: DDSLinkConfiguration, participant: DDSParticipant, metrics: MetricsRegistry,
        random: RandomSource = .system
    ) {
        self.configuration = configuration
        self.participant = participant
        self.metrics = LinkMetrics(metrics, robot: configuration.name)
        self.random = random
        refused = metrics.counter(
            "avatar_dds_samples_refused_total", help: "Samples that are not what their topic's type says.",
            labels: ["part": configuration.name])
        number = DDSMembers.nextNumber()
    }

    package func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void) {
        participant.submit { [self] members in
            guard members.client(number) == nil else { return }
            let driver = DDSLinkDriver(
                configuration, place: participant.settings, metrics: metrics, refused: refused, random: random,
                events: events)
            driver.begin(now: SystemClock.now())
            members.add(driver, id: number)
        }
    }

    package func stop() async {
        await withCheckedContinuation { continuation in
            let isAccepted = participant.submit { [self] members in
                (members.client(number) as? DDSLinkDriver)?.end()
                members.remove(number)
                continuation.resume()
            }
            if !isAccepted { continuation.resume() }
        }
    }

    package func perform(_ order: RobotOrder) {
        participant.submit { [self] members in
            (members.client(number) as? DDSLinkDriver)?.perform(
                order, session: members.session, now: SystemClock.now())
        }
    }
}
