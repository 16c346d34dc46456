package import Core
internal import MediaLoop
package import Networking
internal import PeerConnection

/// A robot over WebRTC: it is called, let in, listened to, and called again when it is lost.
///
/// Everything runs on the thread of `loop`, which all robots share; HTTP alone does not. Robots serve one client at a time, so
/// every connection that was made is ended with a goodbye.
package final class WebRTCLink: RobotLink {
    package let configuration: WebRTCLinkConfiguration
    private let loop: EventLoop
    private let exchange: RobotExchange
    private let context: DTLSContext
    private let metrics: LinkMetrics
    private let random: RandomSource
    private let driver: LoopBound<WebRTCLinkDriver?>

    /// - Parameters:
    ///   - loop: started by its owner, and stopped after the link.
    ///   - exchange: finds the robot and hands it our offer; called off the loop's thread.
    /// - Throws: where no certificate can be made.
    package init(
        configuration: WebRTCLinkConfiguration, loop: EventLoop, exchange: RobotExchange, metrics: MetricsRegistry,
        random: RandomSource = .system
    ) throws(RobotLinkError) {
        self.configuration = configuration
        self.loop = loop
        self.exchange = exchange
        self.metrics = LinkMetrics(metrics, robot: configuration.name)
        self.random = random
        do {
            context = try DTLSContext(certificate: DTLSCertificate())
        } catch {
            throw RobotLinkError(reason: "the DTLS certificate could not be made: \(error)")
        }
        driver = LoopBound(nil, on: loop)
    }

    package func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void) {
        loop.submit { [self] in
            let isRunning = driver.withValue { $0 != nil }
            guard !isRunning else { return }
            let made = WebRTCLinkDriver(
                configuration, loop: loop, exchange: exchange, context: context, metrics: metrics, random: random,
                events: events)
            driver.withValue { $0 = made }
            made.start()
        }
    }

    package func stop() async {
        await withCheckedContinuation { continuation in
            let isAccepted = loop.submit { [self] in
                guard let running = driver.withValue({ $0 }) else { return continuation.resume() }
                running.stop { continuation.resume() }
                driver.withValue { $0 = nil }
            }
            if !isAccepted { continuation.resume() }
        }
    }

    package func perform(_ order: RobotOrder) {
        loop.submit { [self] in driver.withValue { $0 }?.perform(order) }
    }
}

/// Why a link cannot be made.
package struct RobotLinkError: Error, Hashable, Sendable {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }
}
