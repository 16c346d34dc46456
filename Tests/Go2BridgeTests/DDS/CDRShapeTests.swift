import Core
import Testing

@testable import Go2Bridge

@Suite("CDR")
struct CDRShapeTests {
    /// The specification's alignment: an octet, three bytes of padding, a 32-bit integer, a text with its zero.
    @Test("values lie where the encoding puts them")
    func layout() throws {
        let shape = CDRShape.structure([("a", .octet), ("b", .uint32), ("c", .string), ("d", .double)])
        let value: JSONValue = .object([
            "a": .integer(7), "b": .integer(0x0102_0304), "c": .string("hi"), "d": .number(1),
        ])
        let bytes: [UInt8] = [
            0, 1, 0, 0, 7, 0, 0, 0, 4, 3, 2, 1, 3, 0, 0, 0, 0x68, 0x69, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F,
        ]
        // a at 0, b at 4, c at 8 to 15, d at 16.
        let expected = Array(bytes[0..<19]) + [0] + [0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        #expect(shape.bytes(of: value) == expected)
        #expect(try shape.json(of: expected) == value)
    }

    @Test("the second version aligns eight bytes to four, and big-endian is read")
    func versions() throws {
        let shape = CDRShape.structure([("a", .uint32), ("b", .int64)])
        let value: JSONValue = .object(["a": .integer(1), "b": .integer(-2)])
        let minusTwo: [UInt8] = [0xFE] + [UInt8](repeating: 0xFF, count: 7)
        #expect(try shape.json(of: [0, 7, 0, 0, 1, 0, 0, 0] + minusTwo) == value)
        #expect(try shape.json(of: [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + minusTwo) == value)
        #expect(try shape.json(of: [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + minusTwo.reversed()) == value)
        #expect(throws: CDRError.encapsulation(0x0102)) { try shape.json(of: [1, 2, 0, 0]) }
    }

    @Test("a low state is as long as its type, and comes back as it went")
    func lowState() throws {
        let value: JSONValue = .object([
            "power_v": .number(28.5), "bms_state": .object(["soc": .integer(55), "current": .integer(-2481)]),
            "foot_force": .array([97, -84, 81, 81].map { .integer($0) }),
        ])
        let bytes = DDSType.lowState.shape.bytes(of: value)
        // Counted by hand from the type, padding included, behind the encapsulation.
        #expect(bytes.count == 4 + 1176)
        let back = try DDSType.lowState.shape.json(of: bytes)
        #expect(back["power_v"]?.finiteNumber == 28.5)
        #expect(BatteryStatus(lowState: back)?.percent == 55)
        #expect(back["bms_state"]?["current"]?.integerValue == -2481)
        #expect(back["foot_force"] == .array([97, -84, 81, 81].map { .integer($0) }))
        if case .array(let motors) = back["motor_state"] {
            #expect(motors.count == 20)
        } else {
            Issue.record("no motors")
        }
    }

    @Test("numbers that are none become null")
    func notANumber() throws {
        let shape = CDRShape.array(.float, 3)
        var bytes: [UInt8] = [0, 1, 0, 0]
        for number: Float in [.nan, .infinity, 1.5] {
            for place in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: number.bitPattern >> UInt32(place * 8))) }
        }
        #expect(try shape.json(of: bytes) == .array([.null, .null, .number(1.5)]))
    }

    @Test("lengths that lie are refused before anything is made of them")
    func lies() {
        let huge: [UInt8] = [0, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(throws: CDRError.self) { try CDRShape.string.json(of: huge) }
        #expect(throws: CDRError.self) { try CDRShape.blob.json(of: huge) }
        #expect(throws: CDRError.self) { try CDRShape.sequence(.double).json(of: huge + [1, 2, 3]) }
        let many: [UInt8] = [0, 1, 0, 0, 0x40, 0x42, 0x0F, 0] + [UInt8](repeating: 0, count: 1_000_000)
        #expect(throws: CDRError.tooManyValues) { try CDRShape.sequence(.octet).json(of: many) }
    }

    @Test("no bytes trap, whatever they are")
    func rubbish() {
        let random = RandomSource.seeded(4)
        let types: [DDSType] = [
            .request, .response, .lowState, .sportModeState, .webRTCRequest, .string, .poseStamped, .twist, .odometry,
            .jointState, .imu,
        ]
        var refused = 0
        for round in 0..<2_000 {
            let type = types[round % types.count]
            var bytes = random.bytes(Int(random.uint16() % 1_600))
            if bytes.count >= 4, round % 5 != 0 { bytes[0...1] = [0, [0, 1, 6, 7][round % 4]] }
            do { _ = try type.shape.json(of: bytes) } catch { refused += 1 }
        }
        #expect(refused > 0)
    }

    @Test("every cut of a sample is refused, and what follows a sample is left alone")
    func cuts() throws {
        let whole = DDSType.response.shape.bytes(of: .object(["data": .string("{\"data\":[]}")]))
        for length in 0..<whole.count {
            #expect(throws: CDRError.self) { try DDSType.response.shape.json(of: Array(whole[0..<length])) }
        }
        #expect(try DDSType.response.shape.json(of: whole + [1, 2, 3])["data"]?.stringValue == "{\"data\":[]}")
    }
}
