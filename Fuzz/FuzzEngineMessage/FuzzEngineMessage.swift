import Core
import MediaPipeline
import Networking

/// An engine's headers, requests for admission to its socket, and the lines of a child's output.
@c(LLVMFuzzerTestOneInput)
package func fuzzEngineMessage(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    for payloads in [[], [72], [1, 2]] {
        do throws(EngineMessageError) {
            let message = try EngineMessage.parse(input, payloadCounts: payloads)
            check(message)
        } catch {
            precondition(!error.reason.isEmpty, "an error without a reason")
        }
    }
    let parts = input.split(separator: 0, maxSplits: 7, omittingEmptySubsequences: false).map { [UInt8]($0) }
    if let request = ZAPRequest(parts) {
        precondition(request.answer(isAllowed: false)[1] == request.requestID, "an answer to another request")
    }
    var lines = LineCapture(maximumLength: 64)
    for line in lines.take(input) + [lines.finish() ?? ""] {
        precondition(line.utf8.count <= 64 * 3, "a line longer than its limit")
    }
    if let key = CurveKey(String(decoding: input, as: UTF8.self)) {
        precondition(CurveKey(key.text) == key, "a key changed on its way")
    }
    return 0
}

/// What was read is within the page's limits.
private func check(_ message: EngineMessage) {
    switch message {
    case .hello(let hello):
        precondition(hello.avatars.count <= 64 && (1...64).contains(hello.batchSize))
        for avatar in hello.avatars {
            precondition(avatar.width % 2 == 0 && avatar.height % 2 == 0 && avatar.idleCount >= 1)
            precondition(avatar.pixelFormat.byteCount(width: avatar.width, height: avatar.height) <= 16 << 20)
        }
    case .frame(let frame):
        precondition(frame.firstSample >= 0 && frame.place.epoch >= 0)
        if case .patch(_, let patch) = frame.kind {
            precondition((patch.x | patch.y | patch.width | patch.height) & 1 == 0)
        }
    default: break
    }
}
