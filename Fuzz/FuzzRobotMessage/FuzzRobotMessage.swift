import Core
import Go2Bridge
import PeerConnection

/// A hostile robot on its data channel. The input is messages one after the other: a byte of kind and two of length before
/// each. Whatever comes, the session goes on, keeps its limits, and tells of each request's end once.
@c(LLVMFuzzerTestOneInput)
package func fuzzRobotMessage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    // What is JSON elsewhere is JSON here, but for depth and numbers out of range.
    if let value = try? RobotJSON.parse(input) {
        precondition(JSONValue(parsing: Array(value.text.utf8)) != nil, "a value that cannot be printed")
    }
    var limits = RobotSessionLimits()
    limits.maximumTopics = 4
    limits.maximumRequests = 8
    limits.maximumFaults = 8
    limits.maximumAnswerBytes = 4_096
    var session = RobotSession(limits: limits, random: .seeded(1))
    var now = Instant(nanoseconds: 1)
    let wallTime = WallTime(secondsSince1970: 1_700_000_000)
    var sent = 0
    var ended: Set<Int32> = []
    var nextID: Int32 = 1

    func drain() {
        while let message = session.pollTransmit() {
            sent += 1
            precondition(JSONValue(parsing: message.bytes) != nil, "what we say is no JSON")
        }
        while let event = session.pollEvent() {
            switch event {
            case .link(.response(let response)):
                precondition(ended.insert(response.id).inserted, "a request ended twice")
                precondition(response.data.utf8.count <= limits.maximumAnswerBytes, "an answer beyond its limit")
            case .link(.requestFailed(let id, _)): precondition(ended.insert(id).inserted, "a request ended twice")
            case .link(.faults(let faults)): precondition(faults.count <= limits.maximumFaults, "too many faults")
            case .link(.topic(let topic, _)): precondition(RobotTopic.isValid(topic), "an odd topic went through")
            default: break
            }
        }
    }

    func deliver(_ message: DataChannelMessage) {
        session.handle(message, now: now, wallTime: wallTime)
        drain()
    }

    session.connected(now: now)
    deliver(DataChannelMessage(text: #"{"type":"validation","data":"abc"}"#))
    if input.first.map({ $0 & 1 == 0 }) ?? true {
        deliver(DataChannelMessage(text: #"{"type":"validation","data":"Validation Ok."}"#))
    }
    var index = 0
    while index + 3 <= input.count {
        let kind = input[index]
        let length = min(Int(input[index + 1]) | Int(input[index + 2]) << 8, input.count - index - 3)
        let bytes = Array(input[index + 3..<index + 3 + length])
        index += 3 + length
        switch kind % 8 {
        case 0, 1, 2: deliver(DataChannelMessage(isText: true, bytes: bytes))
        case 3: deliver(DataChannelMessage(isText: false, bytes: bytes))
        case 4:
            let text = String(decoding: bytes, as: UTF8.self)
            session.perform(.subscribe(topic: text), now: now)
            session.perform(.publish(topic: "rt/x", data: .string(text)), now: now)
        case 5:
            let service = bytes.first.map { $0 % 3 } ?? 0
            let topic = [RobotTopic.sport, RobotTopic.bashRunner, "rt/api/vui/request"][Int(service)]
            session.perform(
                .request(
                    RobotRequest(
                        id: nextID, topic: topic, apiID: 1_000 + Int32(bytes.last ?? 0),
                        parameter: String(decoding: bytes, as: UTF8.self))), now: now)
            nextID += 1
        case 6:
            now += .milliseconds(Int64(kind) * 50)
            session.handleTimeout(now: now, wallTime: wallTime)
        default:
            session.disconnected()
            session.connected(now: now)
        }
        drain()
        if let deadline = session.deadline {
            precondition(deadline + .seconds(120) > now, "a deadline that is long over")
        }
    }
    session.disconnected()
    drain()
    precondition(ended.count == Int(nextID) - 1, "a request without an end")
    precondition(session.deadline == nil, "a lost robot waits for something")
    return 0
}
