import Core
import Testing

@testable import Go2Bridge

@Suite("LiDAR frames")
struct VoxelCloudTests {
    /// A raw LZ4 block that carries `bytes` as they are: one sequence of literals.
    private static func block(of bytes: [UInt8]) -> [UInt8] {
        var block: [UInt8] = [UInt8(min(bytes.count, 15)) << 4]
        if bytes.count >= 15 {
            var rest = bytes.count - 15
            while rest >= 255 {
                block.append(255)
                rest -= 255
            }
            block.append(UInt8(rest))
        }
        return block + bytes
    }

    /// A block of one byte repeated `count` times: a literal, a match one byte back, and the five literals at the end.
    private static func run(of byte: UInt8, count: Int) -> [UInt8] {
        var block: [UInt8] = [0x1F, byte, 1, 0]
        var rest = count - 1 - 5 - 4 - 15
        while rest >= 255 {
            block.append(255)
            rest -= 255
        }
        block.append(UInt8(rest))
        return block + [0x50] + [UInt8](repeating: byte, count: 5)
    }

    private static func header(
        slices: Int = 1, size: JSONValue? = nil, width: JSONValue? = nil, origin: JSONValue = [.number(1.5), -2, 0],
        resolution: JSONValue = .number(0.05)
    ) -> JSONValue {
        [
            "type": "msg", "topic": .string(RobotTopic.voxelMap),
            "data": [
                "stamp": .number(1.709106e9), "frame_id": "odom", "resolution": resolution,
                "src_size": size ?? .integer(Int64(slices * 0x800)), "origin": origin,
                "width": width ?? [128, 128, .integer(Int64(slices))],
            ],
        ]
    }

    @Test("Bits become points as the robot numbers them, most significant first")
    func points() throws {
        var bits = [UInt8](repeating: 0, count: 2 * 0x800)
        bits[0] = 0x81  // x 0 and 7, y 0, z 0
        bits[0x10] = 0x40  // x 1, y 1
        bits[0x0F] = 0x01  // x 127, y 0
        bits[0x800 + 0x7FF] = 0x01  // x 127, y 127, z 1
        let cloud = try VoxelCloud(message: Self.header(slices: 2), payload: Self.block(of: bits))
        #expect(cloud.cells == [0, 0, 0, 7, 0, 0, 127, 0, 0, 1, 1, 0, 127, 127, 1])
        #expect(cloud.count == 5)
        let last = cloud.point(at: 4)
        #expect(abs(last.x - 7.85) < 1e-9 && abs(last.y - 4.35) < 1e-9 && abs(last.z - 0.05) < 1e-9)
        #expect(cloud.header.frameID == "odom")
    }

    @Test("A wall of 1024 cells out of a compressed block gives 1024 points")
    func compressed() throws {
        // 128 bytes of ones are eight rows of 128 cells.
        let ones = Self.run(of: 0xFF, count: 128)
        let cloud = try VoxelCloud(
            header: VoxelHeader(stamp: 0, frameID: "", resolution: 1, origin: .zero, slices: 1),
            payload: Self.join(ones, zeros: 0x800 - 128))
        #expect(cloud.count == 1_024)
        #expect(Set((0..<1_024).map { cloud.cells[3 * $0 + 1] }) == Set(0..<8))
    }

    /// Continues a block, whose last sequence is five literals, with a run of zeros.
    private static func join(_ block: [UInt8], zeros: Int) -> [UInt8] {
        // One literal zero and a match: the sequence of five literals grows to six.
        var joined = Array(block.dropLast(6)) + [0x6F] + block.suffix(5) + [0, 1, 0]
        var rest = zeros - 1 - 5 - 4 - 15
        while rest >= 255 {
            joined.append(255)
            rest -= 255
        }
        joined.append(UInt8(rest))
        return joined + [0x50, 0, 0, 0, 0, 0]
    }

    @Test("The form for pages has forty bytes of header and three a point")
    func encoding() throws {
        var bits = [UInt8](repeating: 0, count: 0x800)
        bits[0x11] = 0x20  // x 10, y 1
        let cloud = try VoxelCloud(message: Self.header(), payload: Self.block(of: bits))
        let encoded = cloud.encoded
        #expect(encoded.count == 43)
        #expect(Array(encoded[0..<12]) == Array("VOX1".utf8) + [1, 0, 0, 0, 1, 0, 0, 0])
        #expect(Self.float(encoded, 12) == 0.05)
        #expect([16, 20, 24].map { Self.float(encoded, $0) } == [1.5, -2, 0])
        let stamp = (0..<8).reduce(UInt64(0)) { $0 | UInt64(encoded[28 + $1]) << UInt64(8 * $1) }
        #expect(Double(bitPattern: stamp) == 1.709106e9)
        #expect(Array(encoded[36...]) == [128, 128, 1, 0, 10, 1, 0])
    }

    private static func float(_ bytes: [UInt8], _ offset: Int) -> Float {
        Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) })
    }

    @Test("A frame with too many points is thinned out evenly, and says so")
    func thins() throws {
        var limits = LiDARLimits()
        limits.maximumEncodedPoints = 1_000
        let cloud = try VoxelCloud(
            message: Self.header(), payload: Self.run(of: 0xFF, count: 0x800), limits: limits)
        #expect(cloud.count == 16_384)
        let encoded = cloud.encoded
        let carried = Int(encoded[4]) | Int(encoded[5]) << 8
        #expect(carried <= 1_000 && carried > 900)
        #expect(encoded.count == 40 + 3 * carried)
        #expect(Array(encoded[8..<12]) == [0, 0x40, 0, 0])
    }

    @Test("An empty map is a frame without points")
    func empty() throws {
        let cloud = try VoxelCloud(message: Self.header(), payload: Self.run(of: 0, count: 0x800))
        #expect(cloud.count == 0)
        #expect(cloud.encoded.count == 40)
    }

    @Test("A block that is broken, short or long is refused")
    func broken() {
        let right = Self.run(of: 0, count: 0x800)
        for payload in [
            [], [0xFF], Array(right.dropLast()), right + [0], Self.run(of: 0, count: 0x7FF),
            Self.run(of: 0, count: 0x801), [0x1F, 0, 9, 0, 255, 255, 255, 0, 0x50, 0, 0, 0, 0, 0],
        ] as [[UInt8]] {
            #expect(throws: LiDARError.compression) { try VoxelCloud(message: Self.header(), payload: payload) }
        }
        #expect(throws: LiDARError.tooLarge(bytes: 61_441)) {
            try VoxelCloud(message: Self.header(), payload: [UInt8](repeating: 0, count: 61_441))
        }
    }

    @Test("A header that does not fit is refused by its field")
    func headers() {
        let payload = Self.run(of: 0, count: 0x800)
        func refusal(_ header: JSONValue) -> LiDARError? {
            do throws(LiDARError) {
                _ = try VoxelCloud(message: header, payload: payload)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(.null) == .header(field: "data"))
        #expect(refusal(Self.header(size: 0)) == .header(field: "src_size"))
        #expect(refusal(Self.header(size: -2_048)) == .header(field: "src_size"))
        #expect(refusal(Self.header(size: 2_049)) == .header(field: "src_size"))
        #expect(refusal(Self.header(slices: 40)) == .tooLarge(bytes: 81_920))
        #expect(refusal(Self.header(size: .integer(.max - .max % 2_048))) == .tooLarge(bytes: .max - .max % 2_048))
        #expect(refusal(Self.header(width: [64, 256, 1])) == .header(field: "width"))
        #expect(refusal(Self.header(width: [128, 128])) == .header(field: "width"))
        #expect(refusal(Self.header(width: [128, 128, 2])) == .header(field: "width"))
        #expect(refusal(Self.header(origin: [1, 2])) == .header(field: "origin"))
        #expect(refusal(Self.header(origin: [1, .null, 3])) == .header(field: "origin"))
        #expect(refusal(Self.header(origin: [1, .number(1e300), 3])) == .header(field: "origin"))
        #expect(refusal(Self.header(resolution: 0)) == .header(field: "resolution"))
        #expect(refusal(Self.header(resolution: "nan")) == .header(field: "resolution"))
        #expect(refusal(Self.header(resolution: "0.05")) == nil)
    }
}
