package import Core
package import PeerConnection
internal import Synchronization

/// One viewer's microphone: takes packets on the media loop, and has them ordered and decoded on the thread "hearing".
package final class MicrophoneReceiver: MicrophoneSink {
    /// Packets that may wait for the thread, two seconds of them; beyond that the oldest are dropped.
    package static let maximumWaiting = 100

    private struct Inbox {
        var packets: [(packet: ReceivedPacket, arrival: Instant)] = []
        /// The thread has been told and has not looked yet.
        var isAnnounced = false
        var isEnded = false
    }
    private let inbox = Mutex(Inbox())
    private let metrics: MicrophoneMetrics
    private let thread: HearingThread
    private let deliver: @Sendable (MicrophoneSound) -> Void
    private let whenEnded: @Sendable () -> Void

    /// Both closures are called on the thread "hearing" and must return soon: all viewers share it. `ended` is the last call.
    package init(
        metrics: MicrophoneMetrics, deliver: @escaping @Sendable (MicrophoneSound) -> Void,
        ended: @escaping @Sendable () -> Void = {}
    ) {
        self.metrics = metrics
        self.thread = .shared
        self.deliver = deliver
        whenEnded = ended
    }

    package func receive(_ packet: ReceivedPacket, now: Instant) {
        guard packet.kind == .audio else { return }
        let (mustAnnounce, isOverrun) = inbox.withLock { inbox in
            guard !inbox.isEnded else { return (false, false) }
            let isOverrun = inbox.packets.count >= Self.maximumWaiting
            if isOverrun { inbox.packets.removeFirst() }
            inbox.packets.append((packet, now))
            defer { inbox.isAnnounced = true }
            return (!inbox.isAnnounced, isOverrun)
        }
        if isOverrun { metrics.overrun.increment() }
        if mustAnnounce { thread.announce(self) }
    }

    package func ended() {
        let mustAnnounce = inbox.withLock { inbox in
            guard !inbox.isEnded else { return false }
            inbox.isEnded = true
            defer { inbox.isAnnounced = true }
            return !inbox.isAnnounced
        }
        if mustAnnounce { thread.announce(self) }
    }

    // MARK: On the thread "hearing"

    /// Takes what has come; false where nothing more will.
    func work(_ decoder: inout MicrophoneDecoder) -> Bool {
        let (packets, isEnded) = inbox.withLock { inbox in
            defer {
                inbox.packets.removeAll(keepingCapacity: !inbox.isEnded)
                inbox.isAnnounced = false
            }
            return (inbox.packets, inbox.isEnded)
        }
        let (before, undecodable) = (decoder.counts, decoder.undecodable)
        for (packet, arrival) in packets { decoder.handle(packet, now: arrival, deliver: deliver) }
        let after = decoder.counts
        metrics.lost.increment(by: after.lost &- before.lost)
        metrics.late.increment(by: after.late &- before.late)
        metrics.refused.increment(by: after.refused &- before.refused)
        metrics.undecodable.increment(by: decoder.undecodable &- undecodable)
        if isEnded { whenEnded() }
        return !isEnded
    }

    func passTime(_ decoder: inout MicrophoneDecoder, now: Instant) {
        let before = decoder.counts.lost
        decoder.handleTimeout(now: now, deliver: deliver)
        metrics.lost.increment(by: decoder.counts.lost &- before)
    }

    /// No decoder can be made: what comes is dropped.
    func drop() -> Bool {
        let (count, isEnded) = inbox.withLock { inbox in
            defer {
                inbox.packets.removeAll()
                inbox.isAnnounced = false
            }
            return (inbox.packets.count, inbox.isEnded)
        }
        metrics.undecodable.increment(by: UInt64(count))
        if isEnded { whenEnded() }
        return !isEnded
    }
}
