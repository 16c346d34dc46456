import Core
import TURNClient

/// Any datagram: what parses must be written and read back to the same message, and no check may trap.
@c(LLVMFuzzerTestOneInput)
package func fuzzSTUN(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    _ = STUNMessage.hasValidIntegrity(input.span, key: [1, 2, 3])
    _ = STUNMessage.hasValidFingerprint(input.span)
    _ = STUNMessage.valueRange(ofType: STUNAttribute.dataType, in: input.span)
    _ = ChannelData(input.span)
    checkFramer(input)
    guard let message = try? STUNMessage(input.span) else { return 0 }
    let bytes = message.encoded(key: [1, 2, 3], fingerprint: true)
    guard let again = try? STUNMessage(bytes.span) else { preconditionFailure("our own bytes are refused") }
    precondition(again == message || message.hasLossyText, "a message changed on its way")
    precondition(STUNMessage.hasValidIntegrity(bytes.span, key: [1, 2, 3]))
    precondition(STUNMessage.hasValidFingerprint(bytes.span))
    return 0
}

extension STUNMessage {
    /// The reason phrase is repaired where it is no UTF-8, and the repair may be longer than an attribute may be.
    fileprivate var hasLossyText: Bool { (errorCode?.reason.utf8.count ?? 0) > 763 }
}

/// However a stream is cut, the framer gives the same messages.
private func checkFramer(_ input: [UInt8]) {
    var whole = TURNStreamFramer()
    whole.append(input.span)
    let expected = drain(&whole)
    var cut = TURNStreamFramer()
    var messages: [[UInt8]] = []
    for byte in input {
        cut.append([byte].span)
        let (more, failed) = drain(&cut)
        messages += more
        if failed { break }
    }
    precondition(messages == expected.messages, "the cut of a stream changed its messages")
}

private func drain(_ framer: inout TURNStreamFramer) -> (messages: [[UInt8]], failed: Bool) {
    var messages: [[UInt8]] = []
    do {
        while let message = try framer.next() { messages.append(message) }
        return (messages, false)
    } catch {
        return (messages, true)
    }
}
