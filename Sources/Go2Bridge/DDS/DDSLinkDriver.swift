internal import Core

/// One robot over DDS: who is there, what comes, what is asked. Only on the participant's thread.
final class DDSLinkDriver: DDSClient {
    static let logger = Logger("robot.dds")
    /// Said of the camera and the sound in every report.
    static let noMedia = "DDS carries neither camera nor sound here: connection webrtc has them"

    let configuration: DDSLinkConfiguration
    let place: DDSSettings
    let metrics: LinkMetrics
    let refused: Counter
    let events: @Sendable (RobotLinkEvent) -> Void
    /// What lies above a request's own number, so that no other client's answer is taken for ours.
    let prefix: Int64

    private(set) var report = ConnectionReport()
    private var told: ConnectionReport?
    private(set) var isReady = false
    private var began = Instant.zero
    private var lastSample: Instant?
    private var isWatchOver = false
    private var nextLook = Instant.zero
    /// Open as long as the link, since they say that the robot is there.
    private(set) var stateReaders: [String: Int32] = [:]

    // The orders' part (DDSLinkDriver+Orders).
    var topicReaders: [String: Int32] = [:]
    var subscribed: Set<String> = []
    var passedOn: [String: Instant] = [:]
    var services: [String: DDSService] = [:]
    var pending: [Int64: DDSPendingRequest] = [:]
    var publishers: [String: Int32] = [:]

    init(
        _ configuration: DDSLinkConfiguration, place: DDSSettings, metrics: LinkMetrics, refused: Counter,
        random: RandomSource, events: @escaping @Sendable (RobotLinkEvent) -> Void
    ) {
        self.configuration = configuration
        self.place = place
        self.metrics = metrics
        self.refused = refused
        self.events = events
        prefix = Int64(random.uint32() >> 2 | 1) << 32
    }

    func begin(now: Instant) {
        search(now: now)
    }

    func end() {
        for waiting in pending.values.sorted(by: { $0.request.id < $1.request.id }) where waiting.isAwaited {
            events(.requestFailed(id: waiting.request.id, .lost))
        }
        pending = [:]
        if isReady { metrics.isConnected.set(0) }
        isReady = false
        report.state = .stopped
        events(.report(report))
    }

    // MARK: - DDSClient

    func opened(_ session: DDSSession) {
        for topic in [RobotTopic.lowState, RobotTopic.sportState] {
            guard let type = DDSTopics.type(of: topic) else { continue }
            stateReaders[topic] = session.read(topic, type, isReliable: false, depth: 1, for: self)
        }
        topicReaders.merge(stateReaders) { old, _ in old }
        // The stop must not wait for its service to be found.
        for topic in [RobotTopic.sport, RobotTopic.obstacleAvoidance] { _ = service(topic, session) }
        report.failure = nil
        add("takes part in domain \(place.domain) on \(place.interface)")
        tell()
    }

    func failed(_ error: DDSError) {
        report.failure = DDSDiagnosis.cannotOpen(error, place)
        tell()
    }

    func received(_ bytes: [UInt8], topic: String, session: DDSSession) {
        let now = SystemClock.now()
        if topic.hasSuffix("/response") { return receive(response: bytes, topic: topic, now: now) }
        guard let type = DDSTopics.type(of: topic) else { return }
        if DDSTopics.state.contains(topic) {
            lastSample = now
            if !isReady { ready(by: topic, now: now) }
        }
        guard subscribed.contains(topic) else { return }
        if let last = passedOn[topic], now - last < configuration.minimumInterval { return }
        passedOn[topic] = now
        do throws(CDRError) {
            let value = try type.shape.json(of: bytes)
            metrics.messagesReceived.increment()
            let shown = type.isString ? value["data"] ?? .null : value
            events(.topic(topic, RobotTopic.value(of: topic, from: shown)))
        } catch {
            refused.increment()
        }
    }

    func turned(now: Instant, session: DDSSession?) {
        if let session { sendPending(session, now: now) }
        expireRequests(now: now)
        if isReady {
            let silence = lastSample.map { now - $0 } ?? .zero
            metrics.silence.set(silence.seconds)
            if silence > configuration.silenceLimit { lost(now: now) }
        } else if now >= nextLook {
            nextLook = now + .seconds(1)
            look(session, now: now)
        }
    }

    // MARK: - Phases

    /// DDS has one phase, discovery; the rest is WebRTC's.
    /// - Parameter failure: why it is searched for again.
    private func search(now: Instant, after failure: PhaseFailure? = nil) {
        began = now
        isWatchOver = false
        let attempt = report.attempt + 1
        report = ConnectionReport(
            state: .connecting, attempt: attempt,
            phases: RobotPhase.allCases.map { phase in
                switch phase {
                case .discovery: PhaseReport(phase: phase, outcome: .running)
                case .media: PhaseReport(phase: phase, outcome: .skipped, evidence: [Self.noMedia])
                case .signaling, .ice, .dtls, .sctp, .validation: PhaseReport(phase: phase, outcome: .skipped)
                }
            })
        report.failure = failure
        metrics.attempts.increment()
        tell()
    }

    private func ready(by topic: String, now: Instant) {
        isReady = true
        report.state = .connected
        report.connectionState = "connected"
        report.failure = nil
        add("the first sample of \(topic) came")
        setDiscovery(.succeeded, now: now)
        metrics.isConnected.set(1)
        metrics.connectTime.observe((now - began).seconds)
        Self.logger.info("robot connected over dds", ["robot": .string(configuration.name)])
        tell()
        events(.ready)
    }

    private func lost(now: Instant) {
        isReady = false
        lastSample = nil
        metrics.losses.increment()
        metrics.isConnected.set(0)
        metrics.silence.set(0)
        let failure = DDSDiagnosis.silent(configuration.silenceLimit)
        Self.logger.warning("robot lost", ["robot": .string(configuration.name), "reason": .string(failure.reason)])
        subscribed = []
        let waiting = pending
        pending = [:]
        for one in waiting.values.sorted(by: { $0.request.id < $1.request.id }) where one.isAwaited {
            events(.requestFailed(id: one.request.id, .lost))
        }
        events(.lost(reason: failure.reason))
        search(now: now, after: failure)
    }

    /// Looks who is there, and says what is likely amiss.
    private func look(_ session: DDSSession?, now: Instant) {
        setDiscovery(.running, now: now)
        guard let session else { return watch(now: now) }
        let others = session.otherParticipants
        if others > 0 { add("\(others) other participants in the domain") }
        var isFound = false
        for (topic, reader) in stateReaders.sorted(by: { $0.key < $1.key }) where session.writerCount(of: reader) > 0 {
            isFound = true
            add("a writer of \(topic) was found")
        }
        // Discovery takes its time; until then there is nothing to say.
        if now - began > .seconds(3) {
            report.failure =
                isFound
                ? DDSDiagnosis.noSamples(place)
                : others > 0 ? DDSDiagnosis.noRobot(others: others, place) : DDSDiagnosis.nobody(place)
        }
        watch(now: now)
    }

    private func watch(now: Instant) {
        if now - began >= configuration.watch, let failure = report.failure {
            setDiscovery(.failed(failure), now: now)
            if !isWatchOver {
                isWatchOver = true
                metrics.failed(.discovery)
                Self.logger.warning(
                    "robot not found over dds",
                    [
                        "robot": .string(configuration.name), "code": .string(failure.code),
                        "reason": .string(failure.reason), "remedy": .string(failure.remedy),
                    ])
            }
        }
        tell()
    }

    private func add(_ evidence: String) {
        guard let index = report.phases.firstIndex(where: { $0.phase == .discovery }) else { return }
        if !report.phases[index].evidence.contains(evidence), report.phases[index].evidence.count < 16 {
            report.phases[index].evidence.append(evidence)
        }
    }

    private func setDiscovery(_ outcome: PhaseReport.Outcome, now: Instant) {
        guard let index = report.phases.firstIndex(where: { $0.phase == .discovery }) else { return }
        report.phases[index].outcome = outcome
        report.phases[index].duration = now - began
    }

    private func tell() {
        guard report != told else { return }
        told = report
        events(.report(report))
    }
}
