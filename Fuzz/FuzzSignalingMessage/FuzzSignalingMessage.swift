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
        guard let again = JSONValue(parsing: Array(value.text.utf8)) else {
            preconditionFailure("our own JSON is refused: \(value.text)")
        }
        precondition(again.text == value.text, "a JSON value changed on its way")
    }
    return 0
}
