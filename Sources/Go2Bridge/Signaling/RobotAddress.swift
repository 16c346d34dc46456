package import Core

/// Where a robot's signaling is, and the key that it may ask for.
package struct RobotAddress: Hashable, Sendable {
    package var ip: IPAddress
    /// Of `con_notify`, since firmware 1.1.1.
    package var notifyPort: UInt16 = 9991
    /// Of the plain `/offer` before it.
    package var offerPort: UInt16 = 8081
    /// Needed where the robot answers `data2` = 3.
    package var key: RobotKey?

    package init(_ ip: IPAddress, key: RobotKey? = nil) {
        self.ip = ip
        self.key = key
    }
}

/// How a robot does its signaling; follows from its firmware.
package enum RobotGeneration: Hashable, Sendable, CustomStringConvertible {
    /// `POST /offer` in clear, firmware 1.0.
    case plain
    /// `con_notify` and `con_ing_…`; `data2` says how the robot's RSA key is sealed: 1 not at all, 2 with the common key,
    /// 3 with the robot's own.
    case notify(data2: Int)

    package var description: String {
        switch self {
        case .plain: "plain offer (firmware 1.0)"
        case .notify(1): "con_notify, data2=1 (firmware 1.1.1 to 1.1.7)"
        case .notify(2): "con_notify, data2=2 (firmware 1.1.8 to 1.1.14)"
        case .notify(3): "con_notify, data2=3 (firmware 1.1.15 and later)"
        case .notify(let data2): "con_notify, data2=\(data2)"
        }
    }
}

/// What came of an offer.
package struct SignalingAnswer: Sendable, Equatable {
    package var sdp: String
    package var generation: RobotGeneration
    /// What was seen on the way, in order; never holds a key or an SDP.
    package var evidence: [String]

    package init(sdp: String, generation: RobotGeneration, evidence: [String]) {
        self.sdp = sdp
        self.generation = generation
        self.evidence = evidence
    }
}

/// The bounds of one exchange.
package struct RobotSignalingLimits: Hashable, Sendable {
    /// For a TCP connection.
    package var connectTimeout: Duration = .seconds(3)
    /// For one request, from its beginning to the last byte of its answer.
    package var requestTimeout: Duration = .seconds(10)
    /// Of one answer; a real one has about 5 kB.
    package var maximumAnswerBytes = 256 << 10
    package init() {}
}
