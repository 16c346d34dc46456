import Core
import Signaling

/// Any text frame: it is understood or complained of, and whatever JSON it is, our own writing of it is the same again.
@c(LLVMFuzzerTestOneInput)
package func fuzzSignalingMessage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    for isSessionless in [false, true] {
        do throws(ClientMessageError) {
            let message = try ClientMessage.parse(input, isSessionless: isSessionless)
            if case .offer(let offer) = message {
                precondition(offer.sdp.utf8.count <= ClientMessageLimits.sdp, "an offer beyond the limit")
            }
        } catch {
            // What we send back is bounded, whatever came in.
            let text = ServerMessage.error(content: error.content).text(at: WallTime(secondsSince1970: 0))
            precondition(text.utf8.count < 2048, "a complaint of any length")
        }
    }
    if let value = JSONValue(parsing: input) {
        checkRobot(value)
        guard let again = JSONValue(parsing: Array(value.text.utf8)) else {
            preconditionFailure("our own JSON is refused: \(value.text)")
        }
        precondition(again.text == value.text, "a JSON value changed on its way")
    }
    return 0
}

/// A robot's client: the message is within its limits, or refused in few words.
private func checkRobot(_ json: JSONValue) {
    let requestID = RobotClientMessage.requestID(of: json)
    precondition((requestID?.text.utf8.count ?? 0) <= 6 * ClientMessageLimits.identifier + 2, "a long word is repeated")
    do throws(RobotRefusal) {
        switch try RobotClientMessage(json) {
        case .subscribe(let topics), .unsubscribe(let topics):
            precondition(!topics.isEmpty && topics.count <= RobotLimits.topics, "topics without end")
            precondition(topics.allSatisfy { $0.utf8.count <= RobotLimits.nameBytes }, "a topic of any length")
        case .request(let call):
            precondition(call.apiID >= 0 && (0...1).contains(call.priority), "numbers that are none")
            precondition(call.parameter.utf8.count <= RobotLimits.parameterBytes, "a parameter of any length")
        case .move, .command, .publish, .acquire, .renew, .release, .stop: break
        }
    } catch {
        let text = ServerMessage.robot(.refused(error, requestID: requestID)).text(at: WallTime(secondsSince1970: 0))
        precondition(text.utf8.count < 4096, "a complaint of any length")
        precondition((400...599).contains(error.code.status), "a refusal without a status")
    }
}
