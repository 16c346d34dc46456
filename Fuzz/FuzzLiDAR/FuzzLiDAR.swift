import Core
import Go2Bridge

/// A hostile LiDAR frame: as a whole binary message, and its payload behind a header that is right.
@c(LLVMFuzzerTestOneInput)
package func fuzzLiDAR(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    var limits = LiDARLimits()
    limits.maximumEncodedPoints = 500

    func look(at cloud: VoxelCloud) {
        precondition(cloud.cells.count % 3 == 0 && cloud.count <= limits.maximumSourceBytes * 8, "too many points")
        let encoded = cloud.encoded
        precondition(encoded.count <= 40 + 3 * limits.maximumEncodedPoints, "an encoded frame beyond its limit")
        precondition(encoded.count >= 40 && (encoded.count - 40) % 3 == 0, "half a point")
        if cloud.count > 0 { _ = cloud.point(at: cloud.count - 1) }
        for index in 0..<cloud.count {
            precondition(cloud.cells[3 * index] < 128 && cloud.cells[3 * index + 1] < 128, "outside of a slice")
            precondition(Int(cloud.cells[3 * index + 2]) < cloud.header.slices, "above the last slice")
        }
    }

    if let message = try? BinaryMessage(parsing: input),
        let cloud = try? VoxelCloud(message: message.header, payload: message.payload, limits: limits)
    {
        look(at: cloud)
    }
    guard let first = input.first else { return 0 }
    let header = VoxelHeader(
        stamp: 0, frameID: "", resolution: 0.05, origin: .zero, slices: Int(Int8(truncatingIfNeeded: Int(first))))
    if let cloud = try? VoxelCloud(header: header, payload: Array(input.dropFirst()), limits: limits) {
        look(at: cloud)
    }
    return 0
}
