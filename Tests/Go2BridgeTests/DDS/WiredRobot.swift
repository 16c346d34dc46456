import Core
import Synchronization
import TestSupport

@testable import Go2Bridge

/// A robot on the same participant as the link under test: what it writes reaches the link through the library alone.
final class WiredRobot: Sendable {
    /// What it does with a request: its code and data, or silence.
    typealias Answer = @Sendable (_ apiID: Int, _ parameter: String) -> (code: Int64, data: String)?

    struct Request: Sendable {
        var id: Int
        var apiID: Int
    }

    private let participant: DDSParticipant
    private let number = DDSMembers.nextNumber()
    private let box: Box

    final class Box: Sendable {
        let answer: Answer
        let requests = Watched<[Request]>([])
        let isSilent = Mutex(false)

        init(answer: @escaping Answer) {
            self.answer = answer
        }
    }

    init(_ participant: DDSParticipant, answer: @escaping Answer = { _, _ in (0, "") }) {
        self.participant = participant
        box = Box(answer: answer)
        participant.submit { [box, number] members in members.add(Body(box), id: number) }
    }

    /// The requests that came, in order.
    var seen: Watched<[Request]> { box.requests }
    var requests: [Int] { box.requests.current.map(\.apiID) }
    var requestIDs: [Int] { box.requests.current.map(\.id) }

    /// Its services hang: no state comes any more.
    func fallSilent(_ isSilent: Bool = true) {
        box.isSilent.withLock { $0 = isSilent }
    }

    /// Sends any sample on any topic of the robot's side.
    func send(_ value: JSONValue, _ type: DDSType, on topic: String) {
        participant.submit { [number] members in
            guard let body = members.client(number) as? Body, let session = members.session else { return }
            body.send(value, type, topic, session)
        }
    }

    private final class Body: DDSClient {
        private let box: Box
        private var writers: [String: Int32] = [:]

        init(_ box: Box) {
            self.box = box
        }

        func opened(_ session: DDSSession) {
            _ = session.read(RobotTopic.sport, .request, isReliable: true, depth: 16, for: self)
            for (topic, type) in [
                (RobotTopic.lowState, DDSType.lowState), (RobotTopic.sportState, .sportModeState),
                ("rt/api/sport/response", .response),
            ] { writers[topic] = session.write(topic, type, isReliable: true, depth: 16, for: self) }
        }

        func failed(_ error: DDSError) {}

        func received(_ bytes: [UInt8], topic: String, session: DDSSession) {
            guard let sample = try? DDSType.request.shape.json(of: bytes),
                let id = sample["header"]?["identity"]?["id"]?.integerValue,
                let apiID = sample["header"]?["identity"]?["api_id"]?.integerValue
            else { return }
            box.requests.update { $0.append(Request(id: id, apiID: apiID)) }
            guard let answer = box.answer(apiID, sample["parameter"]?.stringValue ?? "") else { return }
            // Another client's answer comes first; it must not be taken for ours.
            for number in [Int64(id) & 0xFFFF_FFFF, Int64(id)] {
                send(
                    .object([
                        "header": .object([
                            "identity": .object(["id": .integer(number), "api_id": .integer(Int64(apiID))]),
                            "status": .object(["code": .integer(number == Int64(id) ? answer.code : 9)]),
                        ]), "data": .string(answer.data),
                    ]), .response, "rt/api/sport/response", session)
            }
        }

        func turned(now: Instant, session: DDSSession?) {
            guard let session, !box.isSilent.withLock(\.self) else { return }
            let low: JSONValue = .object(["bms_state": .object(["soc": .integer(55)]), "power_v": .number(28)])
            send(low, .lowState, RobotTopic.lowState, session)
            send(.object(["body_height": .number(0.326)]), .sportModeState, RobotTopic.sportState, session)
        }

        func send(_ value: JSONValue, _ type: DDSType, _ topic: String, _ session: DDSSession) {
            if writers[topic] == nil {
                writers[topic] = session.write(topic, type, isReliable: true, depth: 16, for: self)
            }
            if let writer = writers[topic] { session.send(value, by: writer) }
        }
    }
}
