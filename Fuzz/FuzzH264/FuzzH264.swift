import Core
import PeerConnection

/// Any packets at any times as a robot's camera: what comes out of the reorder buffer rises, pictures stay within the limits, and every
/// picture can be cut into payloads of a size and put together again.
///
/// Each packet: flags (1), step of the number (1), step of the time (1), milliseconds passed (1), length (1), payload. Flags: 1 the
/// number goes backwards, 2 it goes far, 4 marker, 8 another source, 16 the payload is repeated 64 times, 32 seconds pass.
@c(LLVMFuzzerTestOneInput)
package func fuzzH264(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    var camera = Camera()
    var now = Instant(nanoseconds: 1_000_000_000)
    var (number, timestamp): (UInt16, UInt32) = (65_000, 4_294_900_000)
    var (position, packets) = (0, 0)
    while position + 5 <= input.count, packets < 4000 {
        let flags = input[position]
        let step = UInt16(input[position + 1]) &* (flags & 2 == 0 ? 1 : 251)
        timestamp &+= UInt32(input[position + 2])
        now += flags & 32 == 0 ? .milliseconds(Int(input[position + 3])) : .seconds(Int(input[position + 3]))
        let length = min(Int(input[position + 4]), input.count - position - 5)
        var payload = Array(input[(position + 5)..<(position + 5 + length)])
        position += 5 + length
        packets += 1
        if flags & 16 != 0 { for _ in 0..<6 { payload += payload } }
        number = flags & 1 == 0 ? number &+ step : number &- step
        camera.receive(
            ReceivedPacket(
                kind: .video, payloadType: 102, ssrc: SSRC(flags & 8 == 0 ? 1 : 2), sequenceNumber: number,
                timestamp: timestamp, marker: flags & 4 != 0, isRetransmitted: false, payload: payload), now: now)
    }
    camera.end(now: now + .seconds(60))
    return 0
}

private struct Camera {
    private let limits: H264Depacketizer.Limits
    private var buffer = ReorderBuffer(maximumWait: .milliseconds(50), maximumPackets: 32)
    private var depacketizer: H264Depacketizer
    private var last: (ssrc: SSRC, number: UInt16)?
    private var restarts: UInt64 = 0
    private var passed: UInt64 = 0

    init() {
        var limits = H264Depacketizer.Limits()
        limits.maximumUnitBytes = 20_000
        limits.maximumNALUnits = 32
        self.limits = limits
        depacketizer = H264Depacketizer(limits: limits)
    }

    mutating func receive(_ packet: ReceivedPacket, now: Instant) {
        if let due = buffer.deadline, due <= now { buffer.handleTimeout(now: now) }
        precondition(buffer.deadline.map { $0 > now } ?? true, "a gap outlives its time")
        drain(now)
        buffer.receive(packet, now: now)
        drain(now)
    }

    mutating func end(now: Instant) {
        buffer.handleTimeout(now: now)
        precondition(buffer.deadline == nil, "packets wait for ever")
        drain(now)
        precondition(passed + buffer.counts.late == buffer.counts.received, "a packet went lost in the buffer")
    }

    private mutating func drain(_ now: Instant) {
        while let next = buffer.pollPacket() {
            passed += 1
            let number = next.packet.sequenceNumber
            if let last, last.ssrc == next.packet.ssrc, buffer.counts.restarts == restarts {
                precondition(number != last.number && number &- last.number < 1 << 15, "packets do not rise")
            }
            last = (next.packet.ssrc, number)
            depacketizer.receive(next.packet, now: next.receivedAt)
            while let unit = depacketizer.pollUnit() { check(unit) }
        }
        restarts = buffer.counts.restarts
    }

    private func check(_ unit: AccessUnit) {
        precondition(!unit.nalUnits.isEmpty && unit.nalUnits.allSatisfy { !$0.isEmpty }, "a picture of nothing")
        precondition(unit.byteCount <= limits.maximumUnitBytes, "a picture past the limit")
        precondition(unit.nalUnits.count <= limits.maximumNALUnits, "too many NAL units")
        precondition(
            unit.isKeyFrame == unit.nalUnits.contains { NALUnitType(header: $0[0]) == .instantaneousDecoderRefresh },
            "a key picture that is none")
        let room = 3 + unit.byteCount % 1200
        let groups = H264Packetizer.payloads(of: unit, maximumPayload: room)
        let payloads = groups.flatMap { group in group.ranges.map { Array(group.storage[$0]) } }
        precondition(payloads.allSatisfy { !$0.isEmpty && $0.count <= room }, "a payload of the wrong size")
        precondition(
            groups.enumerated().allSatisfy { $1.isKeyFrame == (unit.isKeyFrame && $0 == 0) }, "a wrong beginning")
        var again = H264Depacketizer()
        for (index, payload) in payloads.enumerated() {
            again.receive(
                ReceivedPacket(
                    kind: .video, payloadType: 102, ssrc: SSRC(1), sequenceNumber: UInt16(truncatingIfNeeded: index),
                    timestamp: 1, marker: false, isRetransmitted: false, payload: payload), now: .zero)
        }
        again.receive(
            ReceivedPacket(
                kind: .video, payloadType: 102, ssrc: SSRC(1),
                sequenceNumber: UInt16(truncatingIfNeeded: payloads.count),
                timestamp: 2, marker: false, isRetransmitted: false, payload: [0x41, 0x80]), now: .zero)
        let result = again.pollUnit()
        precondition(result?.nalUnits == unit.nalUnits && result?.isWhole == true, "a picture changed on its way")
    }
}
