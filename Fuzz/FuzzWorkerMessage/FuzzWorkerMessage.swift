import Core
import Networking
import RobotControl

/// What a worker says: messages on every channel, the lines that carry an executable's, JSON of any kind.
@c(LLVMFuzzerTestOneInput)
package func fuzzWorkerMessage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let codec = WorkerMessageCodec(token: "t")
    for channel in [WorkerMessageCodec.Channel.control, .calls, .events, .any] {
        check(codec.read(bytes, on: channel))
    }
    if let value = JSONValue(parsing: bytes) {
        precondition(JSONValue(parsing: value.bytes) == value, "a value changed on its way")
    }
    checkLines(bytes)
    return 0
}

/// What was read is within the page's limits.
private func check(_ event: WorkerEvent) {
    switch event {
    case .rubbish(let reason): precondition(!reason.isEmpty, "rubbish without a reason")
    case .push(let event, _):
        precondition((1...200).contains(event.utf8.count) && !WorkerMessageCodec.reservedEvents.contains(event))
    case .finished(let id, _): precondition((1...200).contains(id.utf8.count))
    case .heartbeat(let calls, let dropped): precondition(calls >= 0 && dropped >= 0)
    case .ready(_, let time): precondition(time >= .zero)
    default: break
    }
}

/// Cut in two anywhere, the same lines come out.
private func checkLines(_ bytes: UnsafeRawBufferPointer) {
    var whole = LineCapture(maximumLength: 32)
    var lines: [[UInt8]] = []
    var told = whole.cut(bytes, most: .max) { lines.append($0) }
    precondition(told.leftOut == 0 && told.taken == lines.count)
    precondition(lines.allSatisfy { $0.count <= 32 && !$0.contains(0x0A) })
    let middle = bytes.count / 2
    var halves = LineCapture(maximumLength: 32)
    var others: [[UInt8]] = []
    _ = halves.cut(UnsafeRawBufferPointer(rebasing: bytes[..<middle]), most: .max) { others.append($0) }
    _ = halves.cut(UnsafeRawBufferPointer(rebasing: bytes[middle...]), most: .max) { others.append($0) }
    precondition(lines == others && whole.finishRaw() == halves.finishRaw(), "lines depend on how they come")
    var few = LineCapture(maximumLength: 32)
    told = few.cut(bytes, most: 1) { _ in }
    precondition(told.taken + told.leftOut == lines.count)
}
