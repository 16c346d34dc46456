import Core
import Synchronization

@testable import PeerConnection

/// The association has one clock a process, which never goes back.
private let clock = Mutex(Instant(nanoseconds: 1_000_000_000))

/// A peer with data channels whose other side is hostile: what it sends has the right tag and checksum, so that it reaches the
/// library and what lies behind. Whatever comes, nothing traps, nothing is kept beyond its limits, and the ending frees all.
///
/// Each step is `operation, length, bytes…`.
@c(LLVMFuzzerTestOneInput)
package func fuzzSCTP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    var script = Array(UnsafeBufferPointer(start: start, count: count))[...]
    guard let flags = script.popFirst() else { return 0 }
    var scene = Scene(flags, now: clock.withLock(\.self))
    var steps = 0
    while let operation = script.popFirst(), let length = script.popFirst(), steps < 100 {
        let bytes = Array(script.prefix(Int(length)))
        script = script.dropFirst(Int(length))
        scene.perform(operation, bytes)
        steps += 1
    }
    scene.finish()
    clock.withLock { $0 = scene.now }
    return 0
}

private struct Scene: ~Copyable {
    /// The one under test.
    var peer: DataChannels
    /// The other side's genuine half: it answers the handshake and acknowledges.
    var other: DataChannels
    var now: Instant
    /// Header of what the other side sends, checksum left out.
    var header: [UInt8] = [0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0]
    /// A change to the next genuine packet: a place and a value.
    var changes: [(place: Int, value: UInt8)] = []
    var losing = 0
    var ids: [DataChannelID] = []

    init(_ flags: UInt8, now: Instant) {
        var limits = DataChannelLimits()
        limits.maximumMessageBytes = 50_000
        limits.maximumIncompleteBytes = 60_000
        limits.maximumBufferedBytes = 100_000
        limits.maximumChannels = 4
        peer = DataChannels(limits: limits)
        other = DataChannels(limits: DataChannelLimits())
        self.now = now
        let application = NegotiatedApplication(
            index: 0, mid: "0", remotePort: 5000, remoteMaximumMessageBytes: flags & 1 == 0 ? 65_536 : Int.max)
        peer.start(application, isClient: flags & 2 == 0, now: now)
        // Without the genuine half everything happens in the handshake.
        if flags & 4 == 0 {
            other.start(application, isClient: flags & 2 != 0, now: now)
            exchange()
            precondition(peer.state == .established, "two genuine halves do not come up")
        }
    }

    mutating func perform(_ operation: UInt8, _ bytes: [UInt8]) {
        switch operation % 10 {
        case 0, 1, 2: deliver(header + [0, 0, 0, 0] + bytes)
        case 3: changes += stride(from: 0, to: bytes.count - 1, by: 2).map { (Int(bytes[$0]), bytes[$0 + 1]) }
        case 4:
            let settings = DataChannelSettings(
                label: String(decoding: bytes, as: UTF8.self), isOrdered: bytes.count % 2 == 0)
            if let id = try? peer.open(settings, now: now) { ids.append(id) }
            _ = try? other.open(settings, now: now)
        case 5:
            let message = DataChannelMessage(isText: false, bytes: [UInt8](repeating: 1, count: bytes.count * 300))
            for id in ids { try? peer.send(message, on: id, now: now) }
            for id in other.channels.keys { try? other.send(message, on: id, now: now) }
        case 6:
            if let id = ids.popLast() { peer.close(id, now: now) }
        case 7:
            now += .milliseconds(10 * Int(bytes.first ?? 1))
            peer.handleTimeout(now: now)
            other.handleTimeout(now: now)
        case 8: losing = Int(bytes.first ?? 1)
        default:
            if let id = other.channels.keys.first { other.close(id, now: now) }
        }
        exchange()
        check()
    }

    /// Packets go to and fro until nobody has more to say.
    mutating func exchange() {
        for _ in 0..<100 {
            var isMoving = false
            while let packet = peer.pollTransmit() {
                isMoving = true
                precondition(packet.count <= Int(SCTPAssociation.maximumPacket), "a packet does not fit its record")
                if losing > 0 { losing -= 1 } else { _ = other.handle(packet, now: now) }
            }
            while let packet = other.pollTransmit() {
                isMoving = true
                header = Array(packet.prefix(8))
                var packet = packet
                for change in changes where change.place < packet.count { packet[change.place] = change.value }
                if !changes.isEmpty {
                    changes = []
                    deliver(packet)
                } else {
                    _ = peer.handle(packet, now: now)
                }
            }
            while peer.pollEvent() != nil {}
            while other.pollEvent() != nil {}
            if !isMoving { return }
        }
    }

    /// With the checksum that it should have.
    mutating func deliver(_ packet: [UInt8]) {
        guard packet.count >= 12 else { return }
        var packet = packet
        packet.replaceSubrange(8..<12, with: [0, 0, 0, 0])
        let sum = CRC32C.checksum(packet)
        // RFC 9260 appendix A: least significant byte first.
        for place in 0..<4 { packet[8 + place] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(place))) }
        _ = peer.handle(packet, now: now)
    }

    func check() {
        let statistics = peer.statistics
        precondition(statistics.channels <= peer.limits.maximumChannels, "more channels than allowed")
        precondition(peer.incomplete.bytes <= peer.incomplete.maximumBytes, "too much is kept")
        precondition((0...peer.limits.maximumBufferedBytes).contains(statistics.bufferedBytes), "too much waits")
        precondition(peer.state != .established || peer.association != nil)
    }

    mutating func finish() {
        now += .seconds(1)
        peer.handleTimeout(now: now)
        other.handleTimeout(now: now)
        exchange()
        peer.abort(now: now)
        other.abort(now: now)
        precondition(peer.channels.isEmpty && peer.statistics.bufferedBytes == 0, "something is left over")
    }
}

private enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { value in
        var sum = UInt32(value)
        for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
        return sum
    }

    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = UInt32.max
        for byte in bytes { sum = sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] }
        return ~sum
    }
}
