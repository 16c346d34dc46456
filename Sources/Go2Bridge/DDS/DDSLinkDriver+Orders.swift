internal import Core

/// One of the robot's services as it is spoken to: a writer of requests, a reader of answers.
struct DDSService {
    let writer: Int32
    let reader: Int32
}

/// A request that has no answer yet.
struct DDSPendingRequest {
    let request: RobotRequest
    let deadline: Instant
    var isSent = false

    var isAwaited: Bool { request.timeout > .zero }
}

extension DDSType {
    var isString: Bool { if case .string = self { true } else { false } }
}

extension DDSLinkDriver {
    /// A request that nobody waits for is held this long for its service to be found.
    private static let patience: Duration = .seconds(1)

    func perform(_ order: RobotOrder, session: DDSSession?, now: Instant) {
        switch order {
        case .subscribe(let topic): subscribe(topic, session)
        case .unsubscribe(let topic):
            subscribed.remove(topic)
            if stateReaders[topic] == nil, let reader = topicReaders.removeValue(forKey: topic) {
                session?.close(reader: reader)
            }
        case .request(let request): ask(request, session, now: now)
        case .publish(let topic, let data): publish(topic, data, session)
        // None of these is carried.
        case .camera, .microphone, .sound, .trafficSaving: break
        }
    }

    private func subscribe(_ topic: String, _ session: DDSSession?) {
        guard let type = DDSTopics.type(of: topic), let session else { return }
        subscribed.insert(topic)
        guard topicReaders[topic] == nil else { return }
        topicReaders[topic] = session.read(topic, type, isReliable: false, depth: 1, for: self)
    }

    // MARK: - Requests

    private func ask(_ request: RobotRequest, _ session: DDSSession?, now: Instant) {
        guard let session, isReady else { return refuse(request, .notConnected) }
        // A stop always goes.
        guard request.isStop || pending.count < configuration.maximumRequests else {
            return refuse(request, .tooMany(limit: configuration.maximumRequests))
        }
        guard service(request.topic, session) != nil else {
            return refuse(request, .tooMany(limit: configuration.maximumServices))
        }
        let number = prefix | Int64(UInt32(bitPattern: request.id))
        let timeout = request.timeout > .zero ? request.timeout : Self.patience
        // What waits to be sent, and would move the robot, is taken back by a stop.
        if request.isStop {
            for (key, waiting) in pending where waiting.request.isMotion && !waiting.isSent { pending[key] = nil }
        }
        pending[number] = DDSPendingRequest(request: request, deadline: now + timeout)
        sendPending(session, now: now)
    }

    private func refuse(_ request: RobotRequest, _ error: RobotRequestError) {
        if request.timeout > .zero { events(.requestFailed(id: request.id, error)) }
    }

    /// The service of a topic `rt/api/SERVICE/request`; nil where there are too many, or the library refuses.
    func service(_ topic: String, _ session: DDSSession) -> DDSService? {
        if let known = services[topic] { return known }
        guard services.count < configuration.maximumServices, topic.hasSuffix("/request"),
            let writer = session.write(topic, .request, isReliable: true, depth: 8, for: self)
        else { return nil }
        guard
            let reader = session.read(RobotTopic.response(to: topic), .response, isReliable: true, depth: 16, for: self)
        else { return nil }
        let made = DDSService(writer: writer, reader: reader)
        services[topic] = made
        return made
    }

    /// A service that is not found yet would never see a request, and one whose answers have no way back would do it unseen.
    func sendPending(_ session: DDSSession, now: Instant) {
        for (number, waiting) in pending.sorted(by: { $0.key < $1.key }) where !waiting.isSent {
            guard let service = services[waiting.request.topic], session.readerCount(of: service.writer) > 0,
                !waiting.isAwaited || session.writerCount(of: service.reader) > 0 || waiting.request.isStop
            else { continue }
            let isSent = session.send(Self.sample(of: waiting.request, number: number), by: service.writer)
            if !isSent { metrics.messagesDropped.increment() }
            if waiting.isAwaited {
                pending[number]?.isSent = isSent
            } else {
                pending[number] = nil
            }
        }
    }

    static func sample(of request: RobotRequest, number: Int64) -> JSONValue {
        .object([
            "header": .object([
                "identity": .object(["id": .integer(number), "api_id": .integer(Int64(request.apiID))]),
                "lease": .object(["id": .integer(0)]),
                "policy": .object([
                    "priority": .integer(Int64(request.priority)), "noreply": .boolean(request.timeout <= .zero),
                ]),
            ]),
            "parameter": .string(request.parameter),
        ])
    }

    /// Everybody on the bus hears every answer; ours are known by their numbers.
    func receive(response bytes: [UInt8], topic: String, now: Instant) {
        let sample: JSONValue
        do throws(CDRError) {
            sample = try DDSType.response.shape.json(of: bytes)
        } catch {
            return refused.increment()
        }
        let header = sample["header"]
        guard let number = header?["identity"]?["id"]?.integerValue, let waiting = pending[Int64(number)],
            RobotTopic.response(to: waiting.request.topic) == topic
        else { return }
        pending[Int64(number)] = nil
        metrics.messagesReceived.increment()
        guard waiting.isAwaited else { return }
        events(
            .response(
                RobotResponse(
                    id: waiting.request.id,
                    apiID: Int32(clamping: header?["identity"]?["api_id"]?.integerValue ?? 0),
                    code: Int32(clamping: header?["status"]?["code"]?.integerValue ?? 0),
                    data: sample["data"]?.stringValue ?? "")))
    }

    func expireRequests(now: Instant) {
        for (number, waiting) in pending where waiting.deadline <= now {
            pending[number] = nil
            if waiting.isAwaited {
                events(
                    .requestFailed(id: waiting.request.id, .timedOut(seconds: waiting.request.timeout.seconds)))
            }
        }
    }

    // MARK: - Publications

    private func publish(_ topic: String, _ data: JSONValue, _ session: DDSSession?) {
        guard DDSTopics.isPublishable(topic), let session, let text = data.stringValue else { return }
        if publishers[topic] == nil {
            publishers[topic] = session.write(topic, .string, isReliable: true, depth: 1, for: self)
        }
        guard let writer = publishers[topic] else { return }
        session.send(.object(["data": .string(text)]), by: writer)
    }
}
