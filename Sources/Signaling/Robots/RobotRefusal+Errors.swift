internal import Core
internal import Go2Bridge

extension RobotRefusal {
    /// - Parameter status: how the robot stands, for those who want to know why it is not connected.
    init(_ error: RobotRequestError, _ status: RobotStatus) {
        switch error {
        case .notConnected: self = .notConnected(status)
        case .timedOut(let seconds):
            self.init(.timedOut, "Robot \(status.name) did not answer within \(Int(seconds.rounded())) s")
        case .tooMany(let limit):
            self.init(.tooMany, "Robot \(status.name) is asked too much at a time: at most \(limit)")
        case .invalid(let reason): self.init(.invalid, reason)
        case .lost:
            self.init(.lost, "The connection to robot \(status.name) was lost before its answer: it may have been done")
        case .forbidden(let reason): self.init(.forbidden, reason)
        case .acrobatics(let reason): self.init(.acrobatics, reason)
        case .unsafe(let reason): self.init(.unsafe, reason)
        case .drivenByAnother: self.init(.drivenByAnother, "Somebody else drives robot \(status.name)")
        }
    }

    init(_ refusal: DriveRefusal, _ status: RobotStatus) {
        switch refusal {
        case .notConnected: self = .notConnected(status)
        case .taken(let left):
            self.init(
                .drivenByAnother,
                "Somebody else drives robot \(status.name), for \(left.nanoseconds / 1_000_000) ms more at least")
        case .noLease:
            self.init(.leaseLost, "The lease is over, or was never had: acquire it to drive robot \(status.name)")
        case .outOfRange(let name, let maximum):
            self.init(.outOfRange, "\(name) must be a number from -\(maximum) to \(maximum)")
        }
    }

    /// Says where the way to the robot ends, and what mends that.
    static func notConnected(_ status: RobotStatus) -> RobotRefusal {
        let part = status.degradation
        var refusal = RobotRefusal(
            .notConnected,
            "Robot \(status.name) is not connected: \(part?.reason ?? "it has just gone") (\(part?.remedy ?? "try again"))"
        )
        refusal.state = [
            "state": .string(status.report.state.rawValue), "phase": JSONValue(status.currentPhase?.rawValue),
            "failure": status.report.failureJSON,
            "retry_in_ms": status.report.retryIn.map(RobotJSON.milliseconds) ?? .null,
        ]
        if let retryIn = status.report.retryIn { refusal.retryAfterSeconds = max(1, Int(retryIn.seconds.rounded(.up))) }
        return refusal
    }
}

extension RobotAnswer {
    init(_ response: RobotResponse, topic: String) {
        self.init(
            id: response.id, topic: topic, apiID: response.apiID, code: response.code,
            message: RobotErrorTable.text(of: response.code), data: response.data)
    }
}
