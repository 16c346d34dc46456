import Core
import Go2Bridge

private let types: [DDSType] = [
    .request, .response, .lowState, .sportModeState, .webRTCRequest, .string, .poseStamped, .twist, .odometry,
    .jointState,
    .imu,
]

/// What anybody in a DDS domain may send: the first byte chooses the type, the rest is the sample. What is read can be
/// written, and from then on comes back as it went.
@c(LLVMFuzzerTestOneInput)
package func fuzzDDSSample(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = input.first else { return 0 }
    let shape = types[Int(first) % types.count].shape
    guard let value = try? shape.json(of: Array(input.dropFirst())) else { return 0 }
    // Numbers that were none became null, and are zero once written.
    guard let written = try? shape.json(of: shape.bytes(of: value)) else {
        preconditionFailure("a sample of ours is refused")
    }
    precondition((try? shape.json(of: shape.bytes(of: written))) == written, "a sample changed on its way")
    return 0
}
