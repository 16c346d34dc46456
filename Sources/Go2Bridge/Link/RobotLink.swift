package import Core
package import PeerConnection

/// What carries topics and requests to one robot and back: WebRTC over the air, or DDS over the wire.
///
/// It connects, and connects again when it lost the robot, until it is stopped.
package protocol RobotLink: Sendable {
    /// Begins to connect. `events` is called from the link's own thread and must return at once.
    func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void)
    /// Says goodbye, so that the robot's only slot is free; returns when nothing of it runs any more.
    func stop() async
    /// Acts on what the robot is wanted for; may be called from any thread and returns at once.
    func perform(_ order: RobotOrder)
}

/// What a robot is asked to do.
package enum RobotOrder: Sendable {
    case subscribe(topic: String)
    case unsubscribe(topic: String)
    /// Answered by ``RobotLinkEvent/response(_:)`` or ``RobotLinkEvent/requestFailed(id:_:)``.
    case request(RobotRequest)
    /// Without an answer, such as the LiDAR's switch.
    case publish(topic: String, data: JSONValue)
    /// The camera and the robot's microphone: on only while somebody takes them.
    case camera(isOn: Bool)
    case microphone(isOn: Bool)
    /// A viewer's voice for the robot's loudspeaker, Opus as it came.
    case sound(ReceivedPacket)
    /// Full rate of large topics.
    case trafficSaving(isOn: Bool)
}

/// What a link tells.
package enum RobotLinkEvent: Sendable {
    /// How far it is; with every change of a phase.
    case report(ConnectionReport)
    /// The robot takes orders now. Subscriptions and switches are to be set again.
    case ready
    /// The robot is gone; the link tries again by itself.
    case lost(reason: String)
    case topic(String, JSONValue)
    /// A binary message: its JSON header, and the bytes behind it.
    case binary(header: JSONValue, payload: [UInt8])
    case response(RobotResponse)
    case requestFailed(id: Int32, RobotRequestError)
    /// The robot's faults as they stand: time in seconds since 1970, source, code.
    case faults([RobotFault])
    case network(status: String)
    case camera(ReceivedPacket)
    case microphone(ReceivedPacket)
}

/// One of the robot's own errors.
package struct RobotFault: Hashable, Sendable {
    package var time: Int64
    package var source: Int32
    package var code: Int32

    package init(time: Int64, source: Int32, code: Int32) {
        self.time = time
        self.source = source
        self.code = code
    }
}
