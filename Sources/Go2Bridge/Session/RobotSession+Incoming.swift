package import Core
package import PeerConnection

extension RobotSession {
    /// Takes one message of the robot, whole. Anything odd is counted in ``statistics`` and otherwise ignored.
    package mutating func handle(_ message: DataChannelMessage, now: Instant, wallTime: WallTime) {
        // A robot's first message may come before its channel counts as open.
        connected(now: now)
        statistics.lastReceived = now
        statistics.bytesReceived += UInt64(message.bytes.count)
        if message.isText {
            statistics.textMessagesReceived += 1
            guard message.bytes.count <= limits.maximumTextBytes else { return statistics.count(.tooLarge) }
            guard let value = try? RobotJSON.parse(message.bytes) else { return statistics.count(.malformed) }
            handle(text: value, now: now, wallTime: wallTime)
        } else {
            statistics.binaryMessagesReceived += 1
            guard message.bytes.count <= limits.maximumBinaryBytes else { return statistics.count(.tooLarge) }
            guard let binary = try? BinaryMessage(parsing: message.bytes) else { return statistics.count(.malformed) }
            guard isValidated else { return statistics.count(.unvalidated) }
            emit(.link(.binary(header: binary.header, payload: binary.payload)))
        }
    }

    private mutating func handle(text message: JSONValue, now: Instant, wallTime: WallTime) {
        guard let type = message["type"]?.stringValue else { return statistics.count(.incomplete) }
        switch type {
        case "validation": handle(validation: message["data"], now: now)
        case "err": handle(complaint: message["info"] ?? message["data"], now: now)
        case _ where !isValidated: statistics.count(.unvalidated)
        case "heartbeat": break  // That it came is what counts.
        case "msg": handle(topicMessage: message, now: now)
        case "res": handle(answer: message, now: now)
        case "errors": handle(faults: message["data"])
        case "add_error": handle(newFault: message["data"])
        case "rm_error": handle(goneFault: message["data"])
        case "rtc_inner_req": handle(inner: message, now: now)
        default: statistics.count(.unknownType)
        }
    }

    // MARK: - Validation

    private mutating func handle(validation data: JSONValue?, now: Instant) {
        guard let text = data?.stringValue, text.utf8.count <= 1_024 else { return statistics.count(.incomplete) }
        if text.hasPrefix("Validation Ok") {
            guard state != .validated else { return }
            state = .validated
            unvalidatedSince = nil
            nextHeartbeat = now + limits.heartbeatInterval
            networkPoll = NetworkPoll(next: now + NetworkPoll.firstDelay)
            restoreWishes()
            emit(.validated)
            return
        }
        guard replyLimit.take(now: now) else { return statistics.count(.tooOften) }
        let answer = RobotMessage.validation(challenge: text)
        validation = answer
        statistics.validationsSent += 1
        send(answer)
        emit(.challenged)
    }

    private mutating func handle(complaint info: JSONValue?, now: Instant) {
        guard info?.stringValue == "Validation Needed." else { return statistics.count(.unknownType) }
        let isForgotten = state == .validated
        if isForgotten { withdrawValidation(now: now) }
        guard replyLimit.take(now: now) else {
            if isForgotten { emit(.validationNeeded) }
            return statistics.count(.tooOften)
        }
        if let validation {
            statistics.validationsSent += 1
            send(validation)
        }
        emit(.validationNeeded)
    }

    /// The robot forgot us: everything but the answer would be refused until it says Ok again.
    private mutating func withdrawValidation(now: Instant) {
        state = .open
        unvalidatedSince = now
        outbox.removeAll()
        nextHeartbeat = nil
        networkPoll = nil
    }

    // MARK: - Topics

    private mutating func handle(topicMessage message: JSONValue, now: Instant) {
        guard let topic = message["topic"]?.stringValue, RobotTopic.isValid(topic), let data = message["data"] else {
            return statistics.count(.incomplete)
        }
        // Some services answer with the request's own type.
        if topic.hasSuffix("/response"), data["header"]?["status"] != nil {
            return handle(answer: message, now: now)
        }
        emit(.link(.topic(topic, RobotTopic.value(of: topic, from: data))))
    }

    // MARK: - Faults

    private mutating func handle(faults data: JSONValue?) {
        guard case .array(let items)? = data else { return statistics.count(.incomplete) }
        var faults: [RobotFault] = []
        for item in items.prefix(limits.maximumFaults) {
            guard let fault = RobotFault(triple: item) else {
                statistics.count(.incomplete)
                continue
            }
            faults.append(fault)
        }
        if items.count > limits.maximumFaults { statistics.count(.tooLarge) }
        setFaults(faults)
    }

    private mutating func handle(newFault data: JSONValue?) {
        guard let fault = RobotFault(triple: data) else { return statistics.count(.incomplete) }
        var faults = standingFaults.filter { !$0.isSameFault(as: fault) }
        guard faults.count < limits.maximumFaults else { return statistics.count(.tooLarge) }
        faults.append(fault)
        setFaults(faults)
    }

    private mutating func handle(goneFault data: JSONValue?) {
        guard let fault = RobotFault(triple: data) else { return statistics.count(.incomplete) }
        setFaults(standingFaults.filter { !$0.isSameFault(as: fault) })
    }

    private mutating func setFaults(_ faults: [RobotFault]) {
        guard faults != standingFaults else { return }
        standingFaults = faults
        emit(.link(.faults(faults)))
    }

    // MARK: - The bridge's own requests

    private mutating func handle(inner message: JSONValue, now: Instant) {
        // The robot's own stand in `info`; one firmware was seen to use `data`.
        guard let info = message["info"] ?? message["data"], let kind = info["req_type"]?.stringValue else {
            return statistics.count(.incomplete)
        }
        switch kind {
        case "rtt_probe_send_from_mechine":
            guard replyLimit.take(now: now) else { return statistics.count(.tooOften) }
            let echo = RobotMessage.message(type: "rtc_inner_req", data: info)
            guard echo.bytes.count <= 4_096 else { return statistics.count(.tooLarge) }
            statistics.probesEchoed += 1
            send(echo)
        case "public_network_status": handle(networkStatus: message, info, now: now)
        case "disable_traffic_saving":
            // Comes without a uuid: nothing to match but its kind, and nothing to do but to notice a refusal.
            if info["execution"]?.stringValue != "ok" { statistics.count(.incomplete) }
        default: statistics.count(.unmatched)
        }
    }

    private mutating func handle(networkStatus message: JSONValue, _ info: JSONValue, now: Instant) {
        guard let poll = networkPoll, AnswerKey(of: message) == .uuid(poll.uuid) else {
            return statistics.count(.unmatched)
        }
        guard let status = info["status"]?.stringValue, status.utf8.count <= 64 else {
            return statistics.count(.incomplete)
        }
        networkPoll = poll.answered(status, now: now)
        emit(.link(.network(status: status)))
    }
}

extension RobotFault {
    /// `[time, source, code]`, also within one more array, numbers also as text; nil for anything else.
    init?(triple value: JSONValue?) {
        guard case .array(let parts)? = value else { return nil }
        if parts.count == 1 {
            guard case .array(let inner) = parts[0], inner.count == 3 else { return nil }
            self.init(triple: parts[0])
            return
        }
        guard parts.count == 3, let time = Self.whole(parts[0]), let source = parts[1].integerValue,
            let code = parts[2].integerValue, let source = Int32(exactly: source), let code = Int32(exactly: code)
        else { return nil }
        self.init(time: time, source: source, code: code)
    }

    func isSameFault(as other: RobotFault) -> Bool { source == other.source && code == other.code }

    /// Seconds, also with a fraction.
    private static func whole(_ value: JSONValue) -> Int64? {
        if case .number(let number) = value { return Int64(exactly: number.rounded(.towardZero)) }
        return value.integerValue.map(Int64.init)
    }
}
