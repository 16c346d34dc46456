import Core
import PeerConnection
import TestSupport

@testable import Go2Bridge

/// A session, its clock, and what came out of it.
struct SessionBench {
    var session: RobotSession
    var clock = ManualClock()
    let wallTime = WallTime(secondsSince1970: 1_700_000_000)

    init(limits: RobotSessionLimits = RobotSessionLimits()) {
        session = RobotSession(limits: limits, random: .seeded(7))
    }

    /// A bench whose robot has let us in, with nothing left to be sent.
    static func validated(limits: RobotSessionLimits = RobotSessionLimits()) -> SessionBench {
        var bench = SessionBench(limits: limits)
        bench.session.connected(now: bench.clock.now)
        bench.receive(#"{"type":"validation","data":"FU8KjrwO159aHMt1dmF"}"#)
        bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
        _ = bench.sent()
        _ = bench.events()
        return bench
    }

    mutating func receive(_ text: String) {
        session.handle(DataChannelMessage(text: text), now: clock.now, wallTime: wallTime)
    }

    mutating func receive(binary bytes: [UInt8]) {
        session.handle(DataChannelMessage(isText: false, bytes: bytes), now: clock.now, wallTime: wallTime)
    }

    mutating func perform(_ order: RobotOrder) {
        session.perform(order, now: clock.now)
    }

    /// Moves the clock in steps as a driver would: to each deadline on the way.
    mutating func advance(by duration: Duration) {
        let end = clock.now + duration
        while let due = session.deadline, due <= end {
            if due > clock.now { clock.advance(by: due - clock.now) }
            session.handleTimeout(now: clock.now, wallTime: wallTime)
        }
        clock.advance(by: end - clock.now)
    }

    /// Everything that waits to be sent, as JSON.
    mutating func sent() -> [JSONValue] {
        var messages: [JSONValue] = []
        while let message = session.pollTransmit() {
            messages.append(JSONValue(parsing: message.bytes) ?? .string("no JSON"))
        }
        return messages
    }

    mutating func events() -> [RobotSessionEvent] {
        var events: [RobotSessionEvent] = []
        while let event = session.pollEvent() { events.append(event) }
        return events
    }

    func count(_ fault: RobotMessageFault) -> UInt64 {
        session.statistics.faults[fault] ?? 0
    }
}

extension [RobotSessionEvent] {
    var responses: [RobotResponse] {
        compactMap { if case .link(.response(let response)) = $0 { response } else { nil } }
    }

    var failures: [RobotRequestError] {
        compactMap { if case .link(.requestFailed(_, let error)) = $0 { error } else { nil } }
    }

    var topics: [String: JSONValue] {
        reduce(into: [:]) { if case .link(.topic(let topic, let value)) = $1 { $0[topic] = value } }
    }

    var faults: [[RobotFault]] {
        compactMap { if case .link(.faults(let faults)) = $0 { faults } else { nil } }
    }

    var lostValidations: [Duration] {
        compactMap { if case .validationLost(let duration) = $0 { duration } else { nil } }
    }

    var validations: Int {
        count { if case .validated = $0 { true } else { false } }
    }
}

extension [JSONValue] {
    var types: [String] { map { $0["type"]?.stringValue ?? "" } }

    func first(type: String) -> JSONValue? { first { $0["type"]?.stringValue == type } }
}
