package import Core
package import PeerConnection

/// Passes a robot's Opus packets on, in their order and on the stage's clock; their bytes stay as they are.
///
/// Does no I/O. Feed it with ``handle(_:arrival:)``, and with ``handleTimeout(now:)`` once ``deadline`` has passed; then drain
/// ``pollPacket()``. What is lost leaves a gap in the timestamps, which the viewer's own jitter buffer conceals.
package struct CameraSound: Sendable {
    package struct Packet: Equatable, Sendable {
        package var payload: [UInt8]
        package var rtpTimestamp: UInt32
        package var presentationTime: Instant
        package var arrival: Instant
    }

    /// How long packets wait for one that is missing before them.
    static let maximumWait: Duration = .milliseconds(40)
    /// Bytes: what fits into every viewer's path, as ``VP8Packetizer/defaultMaximumPayload`` tells.
    static let maximumPayload = VP8Packetizer.defaultMaximumPayload

    private var reordering = ReorderBuffer(maximumWait: maximumWait, maximumPackets: 64)
    private var clock = StreamClock(rateHz: MediaKind.audio.clockRateHz)
    private var ssrc: SSRC?
    private var lastArrival = Instant.zero
    private var packets: [Packet] = []
    private var counted = CameraStatistics.Sound()
    private var formerLost: UInt64 = 0
    private var formerLate: UInt64 = 0

    package init() {}

    package var deadline: Instant? { reordering.deadline }

    package var counts: CameraStatistics.Sound {
        var counts = counted
        counts.lostPackets = formerLost &+ reordering.counts.lost
        counts.refusedPackets &+= formerLate &+ reordering.counts.late
        return counts
    }

    package mutating func handle(_ packet: ReceivedPacket, arrival: Instant) {
        counted.packets &+= 1
        guard packet.kind == .audio, packet.payload.count <= Self.maximumPayload,
            OpusPacketHeader(packet.payload) != nil
        else {
            counted.refusedPackets &+= 1
            return
        }
        if packet.ssrc != ssrc {
            pause()
            ssrc = packet.ssrc
        }
        reordering.receive(packet, now: arrival)
        drain()
    }

    package mutating func handleTimeout(now: Instant) {
        reordering.handleTimeout(now: now)
        drain()
    }

    /// What comes next does not continue what came before: nobody listened, or the robot was gone.
    package mutating func pause() {
        formerLost &+= reordering.counts.lost
        formerLate &+= reordering.counts.late
        reordering = ReorderBuffer(maximumWait: Self.maximumWait, maximumPackets: 64)
        clock.interrupt()
        ssrc = nil
    }

    package mutating func pollPacket() -> Packet? {
        packets.isEmpty ? nil : packets.removeFirst()
    }

    private mutating func drain() {
        while let ordered = reordering.pollPacket() {
            lastArrival = max(lastArrival, ordered.receivedAt)
            let stamp = clock.stamp(timestamp: ordered.packet.timestamp, arrival: lastArrival)
            packets.append(
                Packet(
                    payload: ordered.packet.payload, rtpTimestamp: stamp.rtpTimestamp,
                    presentationTime: stamp.presentationTime, arrival: ordered.receivedAt))
        }
    }
}
