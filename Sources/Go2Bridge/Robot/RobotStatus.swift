package import Core

/// What a robot says of its battery (`rt/lf/lowstate`).
package struct BatteryStatus: Sendable, Equatable {
    /// 0 to 100.
    package var percent: Int?
    package var volts: Double?
    /// Negative while it is used up.
    package var milliamperes: Int?

    init?(lowState value: JSONValue) {
        let battery = value["bms_state"]
        percent = battery?["soc"]?.integerValue.map { min(max($0, 0), 100) }
        milliamperes = battery?["current"]?.integerValue
        volts = value["power_v"]?.finiteNumber
        if percent == nil, volts == nil { return nil }
    }
}

/// What a robot says of its stance (`rt/lf/sportmodestate`).
package struct SportStatus: Sendable, Equatable {
    /// Metres.
    package var bodyHeight: Double?
    package var mode: Int?
    package var errorCode: Int?

    init?(sportState value: JSONValue) {
        bodyHeight = value["body_height"]?.finiteNumber
        mode = value["mode"]?.integerValue
        errorCode = value["error_code"]?.integerValue
        if bodyHeight == nil, mode == nil, errorCode == nil { return nil }
    }
}

/// A standing fault of the robot, in words.
package struct DescribedFault: Sendable, Hashable {
    package var fault: RobotFault
    package var text: String
}

/// How a robot stands, for `/health`, the API and pages.
package struct RobotStatus: Sendable, Equatable {
    package var name: String
    /// `webrtc` or `cyclonedds`.
    package var connection: String
    /// The phases and the last failure.
    package var report: ConnectionReport
    /// It takes orders.
    package var isReady: Bool
    /// Why it was lost last, while it is.
    package var lostReason: String?
    package var faults: [DescribedFault]
    package var battery: BatteryStatus?
    package var sport: SportStatus?
    /// `NetworkStatus.ON_WIFI_CONNECTED` …, as the robot says it.
    package var network: String?
    package var drive: DriveState
    /// Subscribed topics that should come by now and do not.
    package var staleTopics: [String]
    package var videoIsOn: Bool
    package var soundIsOn: Bool
    /// Whether ``Robot/voxels()``, ``Robot/talk(_:)`` and acrobatics are allowed.
    package var allowsLiDAR: Bool
    package var allowsSound: Bool
    package var allowsTalk: Bool
    package var allowsAcrobatics: Bool
    package var driveLimits: DriveLimits

    /// What is wrong, for `/health`; nil while the robot takes orders.
    package var degradation: DegradedPart? {
        guard !isReady || report.isRevalidating else { return nil }
        let stuck = report.phases.first { phase in
            switch phase.outcome {
            case .running, .failed: true
            case .pending, .succeeded, .skipped: false
            }
        }
        let place = stuck.map { "\($0.phase.rawValue): " } ?? ""
        return DegradedPart(
            part: "robot:\(name)",
            reason: place + (report.failure?.reason ?? lostReason ?? "not connected yet"),
            remedy: report.failure?.remedy ?? "avatar-streamer go2 diagnose tells which phase fails and why")
    }
}
