internal import Core
internal import Go2Bridge
internal import MediaPipeline

/// A robot as its clients see it; field names of `docs/protocols/robot.md`.
extension RobotStatus {
    /// - Parameters:
    ///   - scope: what lies beyond it is left out.
    ///   - driver: the party that asks.
    ///   - signalingURL: the robot's WebSocket.
    func json(for scope: RobotScope, driver: DriverID?, viewers: Int, signalingURL: String) -> JSONValue {
        var members: [String: JSONValue] = [
            "id": .string(name), "connection": .string(connection), "scope": .string(scope.rawValue),
            "stage": .string(Audience.robot(name).stage.value), "signaling_url": .string(signalingURL),
            "viewers": JSONValue(viewers),
            "driver": .string(holder(for: driver).rawValue), "sound": .boolean(allowsSound),
            "talk": .boolean(allowsTalk), "lidar": .boolean(allowsLiDAR), "limits": driveLimits.json,
        ]
        members.merge(report.members) { _, new in new }
        if scope >= .read {
            members["battery"] = battery?.json ?? .null
            members["sport"] = sport?.json ?? .null
            members["network"] = JSONValue(network)
            members["faults"] = .array(faults.map(\.json))
            members["stale_topics"] = .array(staleTopics.map(JSONValue.string))
        }
        if scope >= .drive {
            let commands = RobotCommand.names.filter { name in
                RobotCommand.named(name)?.requestClass != .acrobatics || allowsAcrobatics
            }
            members["commands"] = .array(commands.map(JSONValue.string))
        }
        return .object(members)
    }

    func holder(for driver: DriverID?) -> RobotServerMessage.DriveState.Holder {
        guard let holder = drive.holder else { return .none }
        return holder == driver ? .you : .other
    }

    /// The phase that it is in, or failed in; nil once all are done.
    var currentPhase: RobotPhase? {
        report.phases.first { phase in
            switch phase.outcome {
            case .running, .failed: true
            case .pending, .succeeded, .skipped: false
            }
        }?.phase
    }
}

extension ConnectionReport {
    /// What everybody may see who may see the robot at all.
    var members: [String: JSONValue] {
        [
            "state": .string(state.rawValue), "attempt": JSONValue(attempt), "phases": .array(phases.map(\.json)),
            "channel_state": .string(channelState), "connection_state": .string(connectionState),
            "ice_state": .string(iceState), "gathering_state": .string(gatheringState), "failure": failureJSON,
            "retry_in_ms": retryIn.map(RobotJSON.milliseconds) ?? .null,
        ]
    }

    var failureJSON: JSONValue {
        guard let failure else { return .null }
        let phase = phases.last { if case .failed = $0.outcome { true } else { false } }?.phase
        var members = failure.members
        members["phase"] = JSONValue(phase?.rawValue)
        return .object(members)
    }
}

extension PhaseReport {
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "phase": .string(phase.rawValue), "duration_ms": duration.map(RobotJSON.milliseconds) ?? .null,
            "evidence": .array(evidence.map(JSONValue.string)),
        ]
        switch outcome {
        case .pending: members["outcome"] = "pending"
        case .running: members["outcome"] = "running"
        case .succeeded: members["outcome"] = "succeeded"
        case .skipped: members["outcome"] = "skipped"
        case .failed(let failure):
            members["outcome"] = "failed"
            members.merge(failure.members) { _, new in new }
        }
        return .object(members)
    }
}

extension PhaseFailure {
    var members: [String: JSONValue] {
        [
            "code": .string(code), "reason": .string(reason), "causes": .array(causes.map(JSONValue.string)),
            "remedy": .string(remedy),
        ]
    }
}

extension BatteryStatus {
    var json: JSONValue {
        [
            "percent": percent.map { JSONValue($0) } ?? .null, "voltage_v": RobotJSON.number(volts),
            "current_ma": milliamperes.map { JSONValue($0) } ?? .null,
        ]
    }
}

extension SportStatus {
    var json: JSONValue {
        [
            "body_height": RobotJSON.number(bodyHeight), "mode": mode.map { JSONValue($0) } ?? .null,
            "error_code": errorCode.map { JSONValue($0) } ?? .null,
        ]
    }
}

extension DescribedFault {
    var json: JSONValue {
        [
            "time": .integer(fault.time), "source": .integer(Int64(fault.source)), "code": .integer(Int64(fault.code)),
            "message": .string(text),
        ]
    }
}

extension DriveLimits {
    var json: JSONValue {
        ["x": .number(maximumX), "y": .number(maximumY), "yaw": .number(maximumYaw)]
    }
}

extension TopicSummary {
    var members: [String: JSONValue] {
        [
            "topic": .string(topic), "count": .integer(Int64(clamping: count)),
            "age_ms": age.map { .integer($0.nanoseconds / 1_000_000) } ?? .null,
            "rate_hz": rate.map { .number(($0 * 100).rounded() / 100) } ?? .null,
            "gap99_ms": gap99.map(RobotJSON.milliseconds) ?? .null, "subscribed": .boolean(isSubscribed),
            "stale": .boolean(isStale),
        ]
    }
}

/// Numbers as the API writes them.
enum RobotJSON {
    /// Tenths of a millisecond are enough.
    static func milliseconds(_ duration: Duration) -> JSONValue { .number(Double(duration.nanoseconds / 100_000) / 10) }

    static func number(_ value: Double?) -> JSONValue { value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }
}
