internal import CLZ4
package import Core

/// One LiDAR frame as points: the occupied cells of the robot's voxel map.
package struct VoxelCloud: Equatable, Sendable {
    package let header: VoxelHeader
    /// x, y and z of each occupied cell, 3 bytes a point, in the grid's own order: by slice, row, column.
    package let cells: [UInt8]
    private let maximumEncodedPoints: Int

    /// Occupied cells.
    package var count: Int { cells.count / 3 }

    /// Decodes a frame.
    ///
    /// The payload is one raw LZ4 block of `src_size` bytes of occupancy bits. Of byte `i`: `z = i / 0x800`,
    /// `y = (i % 0x800) / 0x10`, `x = (i % 0x10) * 8 + bit`, the most significant bit first.
    package init(header: VoxelHeader, payload: [UInt8], limits: LiDARLimits = LiDARLimits()) throws(LiDARError) {
        guard payload.count <= limits.maximumPayloadBytes else { throw .tooLarge(bytes: payload.count) }
        guard header.slices > 0, header.slices <= 255, header.sourceSize <= limits.maximumSourceBytes else {
            throw .tooLarge(bytes: header.sourceSize)
        }
        guard !payload.isEmpty, let bits = Self.decompress(payload, count: header.sourceSize) else {
            throw .compression
        }
        self.header = header
        cells = Self.cells(of: bits)
        maximumEncodedPoints = max(1, limits.maximumEncodedPoints)
    }

    /// From the whole of a binary message: its JSON header `{"type", "topic", "data"}` and what stands behind it.
    package init(message: JSONValue, payload: [UInt8], limits: LiDARLimits = LiDARLimits()) throws(LiDARError) {
        guard let data = message["data"] else { throw .header(field: "data") }
        try self.init(header: VoxelHeader(of: data, limits: limits), payload: payload, limits: limits)
    }

    /// Exactly `count` bytes, or nil.
    private static func decompress(_ payload: [UInt8], count: Int) -> [UInt8]? {
        guard let inputCount = Int32(exactly: payload.count), let outputCount = Int32(exactly: count) else {
            return nil
        }
        var written: Int32 = -1
        let bits = unsafe [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
            unsafe payload.withUnsafeBytes { input in
                guard let source = input.baseAddress, let target = output.baseAddress else { return }
                written = unsafe LZ4_decompress_safe(
                    source.assumingMemoryBound(to: CChar.self),
                    UnsafeMutableRawPointer(target).assumingMemoryBound(to: CChar.self), inputCount, outputCount)
            }
            initialized = max(0, Int(written))
        }
        return bits.count == count ? bits : nil
    }

    private static func cells(of bits: [UInt8]) -> [UInt8] {
        var count = 0
        for byte in bits where byte != 0 { count += byte.nonzeroBitCount }
        var cells: [UInt8] = []
        cells.reserveCapacity(count * 3)
        for (index, byte) in bits.enumerated() where byte != 0 {
            // At most 255 slices: each coordinate fits a byte.
            let z = UInt8(truncatingIfNeeded: index / VoxelHeader.sliceBytes)
            let y = UInt8(truncatingIfNeeded: index % VoxelHeader.sliceBytes / 0x10)
            let x = UInt8(truncatingIfNeeded: index % 0x10 * 8)
            var rest = byte
            while rest != 0 {
                let bit = UInt8(truncatingIfNeeded: rest.leadingZeroBitCount)
                cells.append(x + bit)
                cells.append(y)
                cells.append(z)
                rest &= ~(0x80 >> bit)
            }
        }
        return cells
    }

    /// Where a point is in the world, in metres: `grid * resolution + origin`.
    package func point(at index: Int) -> (x: Double, y: Double, z: Double) {
        (
            Double(cells[3 * index]) * header.resolution + header.origin[0],
            Double(cells[3 * index + 1]) * header.resolution + header.origin[1],
            Double(cells[3 * index + 2]) * header.resolution + header.origin[2]
        )
    }

    /// The frame for pages: a header of 40 bytes and 3 bytes a point, all little-endian.
    /// ```
    ///  offset  bytes
    ///   0      4      "VOX1"
    ///   4      4      UInt32   points that follow, n
    ///   8      4      UInt32   points that the frame had; more than n where it was thinned out
    ///  12      4      Float32  resolution in metres
    ///  16      12     Float32  origin x, y, z in metres
    ///  28      8      Float64  stamp, seconds since 1970 by the robot's clock
    ///  36      3      UInt8    width x, y, z in cells (128, 128, slices)
    ///  39      1      UInt8    0
    ///  40      3 n    UInt8    x, y, z of each point in cells; world = cell * resolution + origin
    /// ```
    /// Of more than ``LiDARLimits/maximumEncodedPoints`` every n-th point is taken, evenly, so that a frame has a known size.
    package var encoded: [UInt8] {
        let step = max(1, (count + maximumEncodedPoints - 1) / maximumEncodedPoints)
        let carried = (count + step - 1) / step
        var bytes = Array("VOX1".utf8)
        bytes.reserveCapacity(40 + carried * 3)
        func append(_ value: UInt32) {
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            }
        }
        append(UInt32(truncatingIfNeeded: carried))
        append(UInt32(truncatingIfNeeded: count))
        append(Float(header.resolution).bitPattern)
        for axis in 0..<3 { append(Float(header.origin[axis]).bitPattern) }
        append(UInt32(truncatingIfNeeded: header.stamp.bitPattern))
        append(UInt32(truncatingIfNeeded: header.stamp.bitPattern >> 32))
        bytes += [
            UInt8(VoxelHeader.side), UInt8(VoxelHeader.side), UInt8(clamping: header.slices), 0,
        ]
        if step == 1 {
            bytes += cells
        } else {
            for index in stride(from: 0, to: count, by: step) { bytes += cells[3 * index..<3 * index + 3] }
        }
        return bytes
    }
}
