package import Core
internal import PeerConnection

extension RobotSession {
    /// Acts on what the robot is wanted for. Orders that repeat what stands already send nothing.
    package mutating func perform(_ order: RobotOrder, now: Instant) {
        switch order {
        case .subscribe(let topic): subscribe(topic)
        case .unsubscribe(let topic):
            if topics.remove(topic) != nil, isValidated { sendSubscription(topic, isOn: false) }
        case .request(let request): self.request(request, now: now)
        case .publish(let topic, let data): publish(topic, data, now: now)
        case .camera(let isOn):
            if cameraIsOn != isOn, isValidated { sendMedia("vid", isOn: isOn) }
            cameraIsOn = isOn
        case .microphone(let isOn):
            if microphoneIsOn != isOn, isValidated { sendMedia("aud", isOn: isOn) }
            microphoneIsOn = isOn
        case .trafficSaving(let isOn):
            if trafficSavingIsOn != isOn, isValidated { sendTrafficSaving(isOn: isOn) }
            trafficSavingIsOn = isOn
        case .sound: break  // Goes over RTP, past the data channel.
        }
    }

    /// What was wanted before the robot let us in, or of the connection before.
    mutating func restoreWishes() {
        if let trafficSavingIsOn { sendTrafficSaving(isOn: trafficSavingIsOn) }
        if cameraIsOn { sendMedia("vid", isOn: true) }
        if microphoneIsOn { sendMedia("aud", isOn: true) }
        for topic in topics.sorted() { sendSubscription(topic, isOn: true) }
    }

    private mutating func sendSubscription(_ topic: String, isOn: Bool) {
        send(RobotMessage.subscription(topic, isOn: isOn), .wish(topic, isWanted: isOn))
    }

    /// `vid` or `aud`; either way it waits, since there are two of them.
    private mutating func sendMedia(_ type: String, isOn: Bool) {
        send(RobotMessage.media(type, isOn: isOn), .wish(type, isWanted: true))
    }

    private mutating func sendTrafficSaving(isOn: Bool) {
        send(RobotMessage.trafficSaving(isOn: isOn), .wish("disable_traffic_saving", isWanted: true))
    }

    private mutating func subscribe(_ topic: String) {
        guard RobotTopic.isValid(topic), topics.count < limits.maximumTopics || topics.contains(topic) else {
            statistics.count(.orderRefused)
            return
        }
        if topics.insert(topic).inserted, isValidated { sendSubscription(topic, isOn: true) }
    }

    private mutating func publish(_ topic: String, _ data: JSONValue, now: Instant) {
        let message = RobotMessage.message(type: "msg", topic: topic, data: data)
        guard isValidated, RobotTopic.isValid(topic), message.bytes.count <= limits.maximumParameterBytes,
            requestLimit.take(now: now)
        else {
            statistics.count(.orderRefused)
            return
        }
        send(message)
    }

    private mutating func request(_ request: RobotRequest, now: Instant) {
        if let error = refusal(of: request, now: now) {
            statistics.count(.orderRefused)
            fail(request, error)
            return
        }
        let id = freshID()
        let message = RobotMessage.request(request, id: id)
        let kind: RobotOutbox.Kind = request.isStop ? .stop : request.isMotion ? .motion : .ordinary
        guard send(message, kind, requestID: id) else {
            return fail(request, .tooMany(limit: limits.maximumQueuedMessages))
        }
        statistics.requestsSent += 1
        guard request.timeout > .zero else { return }
        let answerTopic = RobotTopic.response(to: request.topic)
        pending[id] = Pending(
            request: request, answerName: AnswerKey.name(type: "res", topic: answerTopic), sent: now,
            deadline: now + request.timeout)
    }

    private mutating func refusal(of request: RobotRequest, now: Instant) -> RobotRequestError? {
        guard isValidated else { return .notConnected }
        guard RobotTopic.isValid(request.topic), request.topic.hasSuffix("/request") else {
            return .invalid(reason: "the topic of a request is rt/api/SERVICE/request")
        }
        guard request.parameter.utf8.count <= limits.maximumParameterBytes else {
            return .invalid(reason: "the parameter is longer than \(limits.maximumParameterBytes) bytes")
        }
        // Stops have room of their own.
        let room = request.isStop ? 2 * limits.maximumRequests : limits.maximumRequests
        guard pending.count < room else { return .tooMany(limit: room) }
        if request.isStop { return nil }
        guard requestLimit.take(now: now) else { return .tooMany(limit: Int(limits.requestsPerSecond)) }
        return nil
    }

    /// 1 to 2^31 - 1, none that is still awaited.
    private mutating func freshID() -> Int32 {
        repeat {
            nextID = nextID == .max ? 1 : nextID + 1
        } while pending[nextID] != nil
        return nextID
    }
}
