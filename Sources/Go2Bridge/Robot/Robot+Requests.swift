package import Core
internal import Synchronization

extension Robot {
    /// Asks one of the robot's services, and returns its own answer, whatever its code.
    ///
    /// What moves the robot is refused while somebody other than `driver` sits in its seat. Velocities go through
    /// ``driving`` alone, where a dead man's switch stands behind them. A stop is never refused, and ends a ride.
    /// - Parameters:
    ///   - parameter: JSON as text, or empty.
    ///   - timeout: 100 ms to 60 s.
    package func request(
        topic: String, apiID: Int32, parameter: String = "", priority: Int32 = 0, timeout: Duration = .seconds(5),
        driver: DriverID? = nil
    ) async throws(RobotRequestError) -> RobotResponse {
        let request = RobotRequest(
            id: 0, topic: topic, apiID: apiID, parameter: parameter, priority: priority,
            timeout: min(max(timeout, .milliseconds(100)), .seconds(60)))
        try act { (state, now) throws(RobotRequestError) in
            try state.core.check(request, driver: driver)
            if request.requestClass == .stop { state.core.seat.halt(by: driver, now: now) }
        }
        return try await answer(to: request).get()
    }

    /// Performs a verb of ``RobotCommand``.
    ///
    /// Where the firmware does not know the command's number (code 3203) and the other command set has another, that is tried.
    package func command(
        _ name: String, arguments: JSONValue = .null, timeout: Duration = .seconds(5), driver: DriverID? = nil
    ) async throws(RobotRequestError) -> RobotResponse {
        guard let command = RobotCommand.named(name) else {
            throw .invalid(
                reason: "no command \(name.prefix(32)); there are \(RobotCommand.names.joined(separator: ", "))")
        }
        let parameter = try command.parameter(of: arguments)
        let response = try await request(
            topic: command.topic, apiID: command.apiID, parameter: parameter, timeout: timeout, driver: driver)
        if name == "set_obstacle_avoidance", response.code == 0, let isOn = arguments["enable"]?.booleanValue {
            act { state, now in state.core.seat.followObstacleAvoidance(isOn, now: now) }
        }
        guard response.code == 3203, let other = command.apiIDOfMCF else { return response }
        return try await request(
            topic: command.topic, apiID: other, parameter: parameter, timeout: timeout, driver: driver)
    }

    /// Sends a message that nobody answers, such as a plain command of the mapping service.
    package func publish(topic: String, data: JSONValue, driver: DriverID? = nil) throws(RobotRequestError) {
        try act { (state, _) throws(RobotRequestError) in
            try state.core.checkPublication(topic, data, driver: driver)
            state.core.publish(topic, data)
        }
    }

    private func answer(to request: RobotRequest) async -> Result<RobotResponse, RobotRequestError> {
        let id = Mutex<Int32?>(nil)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                act { state, now in
                    let sent = state.core.send(request, now: now)
                    state.answers[sent] = continuation
                    id.withLock { $0 = sent }
                }
            }
        } onCancel: {
            guard let sent = id.withLock(\.self) else { return }
            let waiting = state.withLock { state in
                state.core.abandon(sent)
                return state.answers.removeValue(forKey: sent)
            }
            waiting?.resume(returning: .failure(.lost))
        }
    }
}
