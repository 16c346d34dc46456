import Core

@testable import Signaling

/// Any body: sessions, avatars, forms and ICE fragments take it or say what is wrong.
@c(LLVMFuzzerTestOneInput)
package func fuzzHTTPBody(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    _ = try? SessionRequest(body: input)
    _ = try? AvatarRequest.parse(input)
    _ = try? SpeechRequest.parse(input)
    if let json = JSONValue(parsing: input) {
        _ = try? RobotClientMessage.publication(json)
        _ = try? RobotClientMessage.arguments(json)
        if let call = try? RobotCall(json) {
            precondition(call.timeout <= .milliseconds(RobotLimits.timeouts.upperBound), "a request without end")
        }
    }
    checkMarkup(String(decoding: input, as: UTF8.self))
    // The first line serves as content type, so that boundaries are tried as well.
    let line = input.prefix { $0 != 0x0A }
    let rest = Array(input.dropFirst(line.count + 1))
    let contentType = String(decoding: line, as: UTF8.self)
    _ = try? AvatarRequest.parse(form: rest, contentType: contentType)
    _ = WHEPEndpoint.accepts("application/sdp", contentType)
    if let parts = try? MultipartForm.parse(input, boundary: "XX") {
        for part in parts { precondition(part.body.upperBound <= input.count, "a part outside of the body") }
    }
    if let fragment = try? SDPFragment(input) {
        let again = try? SDPFragment(Array(fragment.text.utf8))
        precondition(
            again != nil || fragment.text.utf8.count > SDPFragment.maximumLength, "our own fragment is refused")
        _ = fragment.restarting(String(decoding: input, as: UTF8.self))
    }
    return 0
}

/// Markup gives words that are no longer than it was, or says what is wrong; words alone stay as they are.
private func checkMarkup(_ markup: String) {
    for text in [markup, "<speak>\(markup)</speak>"] {
        guard let words = try? SpeechMarkup.text(of: text) else { continue }
        // Each tag is at least as long as the pause that it becomes.
        precondition(words.utf8.count <= text.utf8.count, "markup grew")
        precondition(words.contains { $0.isLetter || $0.isNumber }, "nothing to say")
    }
}
