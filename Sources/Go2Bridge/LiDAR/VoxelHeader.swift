package import Core

/// What precedes a LiDAR frame, of the message's `data`:
/// `{"stamp", "frame_id", "resolution", "src_size", "origin": [x, y, z], "width": [128, 128, slices]}`.
package struct VoxelHeader: Equatable, Sendable {
    /// Seconds since 1970 by the robot's clock.
    package var stamp: Double
    package var frameID: String
    /// Metres between two neighbours of the grid.
    package var resolution: Double
    /// Where the grid's corner is, in metres.
    package var origin: SIMD3<Double>
    /// Slices of 128 × 128, one above the other.
    package var slices: Int

    /// Bytes of one slice: 128 rows of 16 bytes, one bit a cell.
    package static let sliceBytes = 0x800
    /// Cells of a row, and rows of a slice.
    package static let side = 128

    /// Bytes of the occupancy bits.
    package var sourceSize: Int { slices * Self.sliceBytes }

    package init(stamp: Double, frameID: String, resolution: Double, origin: SIMD3<Double>, slices: Int) {
        self.stamp = stamp
        self.frameID = frameID
        self.resolution = resolution
        self.origin = origin
        self.slices = slices
    }

    package init(of data: JSONValue, limits: LiDARLimits) throws(LiDARError) {
        guard let size = data["src_size"]?.integerValue, size > 0, size % Self.sliceBytes == 0 else {
            throw .header(field: "src_size")
        }
        guard size <= limits.maximumSourceBytes else { throw .tooLarge(bytes: size) }
        slices = size / Self.sliceBytes
        guard case .array(let width)? = data["width"], width.map(\.integerValue) == [Self.side, Self.side, slices]
        else {
            throw .header(field: "width")
        }
        guard let resolution = data["resolution"]?.finiteNumber, resolution > 0, resolution <= 10 else {
            throw .header(field: "resolution")
        }
        self.resolution = resolution
        guard case .array(let origin)? = data["origin"], origin.count == 3 else { throw .header(field: "origin") }
        let coordinates = origin.compactMap(\.finiteNumber)
        // The world is no larger than that; what is beyond would only lose its digits in the points.
        guard coordinates.count == 3, coordinates.allSatisfy({ abs($0) <= 1e6 }) else { throw .header(field: "origin") }
        self.origin = SIMD3(coordinates)
        stamp = data["stamp"]?.finiteNumber ?? 0
        frameID = String((data["frame_id"]?.stringValue ?? "").prefix(64))
    }
}

/// Why a LiDAR frame is not taken.
package enum LiDARError: Error, Hashable, Sendable {
    case header(field: String)
    case tooLarge(bytes: Int)
    /// The LZ4 block is broken, or its content is not as long as the header says.
    case compression
}

/// What a LiDAR frame may be.
package struct LiDARLimits: Sendable, Equatable {
    /// Compressed bytes: the robot's own input buffer.
    package var maximumPayloadBytes = 61_440
    /// Bytes of occupancy bits: the robot's own buffer, 39 slices.
    package var maximumSourceBytes = 80_000
    /// Points that a page is sent of one frame; of more, every n-th. 3 bytes each.
    package var maximumEncodedPoints = 40_000

    package init() {}
}
