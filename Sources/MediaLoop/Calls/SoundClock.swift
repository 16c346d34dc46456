internal import Core
internal import PeerConnection

/// One RTP clock for sound that comes from one talker after the other, each with a clock of its own.
///
/// Within one talker the clock goes as the talker's does; from one to the next, and after a jump, it goes as time does.
struct SoundClock: Sendable {
    /// A step of a talker's clock beyond this is a jump: 5 s at 48 kHz.
    private static let longestStep: UInt32 = 240_000
    /// One packet of 20 ms at 48 kHz.
    private static let packet: UInt32 = 960

    private struct Last: Sendable {
        var ssrc: SSRC
        var sequenceNumber: UInt16
        var timestamp: UInt32
        var sentAt: Instant
        /// On our clock.
        var own: UInt32
    }
    private var last: Last?

    /// The time of a packet on our clock; nil where it comes too late to be sent in order.
    mutating func timestamp(of packet: ReceivedPacket, now: Instant) -> UInt32? {
        var own: UInt32 = 0
        if let last {
            let step = packet.timestamp &- last.timestamp
            if packet.ssrc == last.ssrc {
                guard packet.sequenceNumber.isNewer(than: last.sequenceNumber) else { return nil }
            }
            if packet.ssrc == last.ssrc, step <= Self.longestStep {
                own = last.own &+ step
            } else {
                let elapsed = max(0, (now - last.sentAt).nanoseconds) / 1000 * 48 / 1000
                own = last.own &+ max(Self.packet, UInt32(truncatingIfNeeded: elapsed))
            }
        }
        last = Last(
            ssrc: packet.ssrc, sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, sentAt: now,
            own: own)
        return own
    }
}
