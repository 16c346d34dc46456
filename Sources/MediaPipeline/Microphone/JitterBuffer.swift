package import Core
package import PeerConnection

/// Puts one viewer's packets of sound into their order and decides what becomes of those that are missing.
///
/// Does no I/O. Feed it with ``handle(_:now:)``, and with ``handleTimeout(now:)`` once ``deadline`` has passed; then drain
/// ``pollOutput()``. What it orders is listened to by a program, not played by a loudspeaker: so a packet that is in order goes on
/// at once, and only a gap is waited at, 20 to 120 ms as the path's jitter demands. There is no playback clock that the sender's
/// could drift against; where silence is filled in for packets that do not come, it is made longer or shorter.
/// - SeeAlso: [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1), [RFC 7587](https://www.rfc-editor.org/rfc/rfc7587)
package struct JitterBuffer: Sendable {
    /// What the decoder is to do next. Samples count at 48 kHz and are multiples of 2.5 ms.
    package enum Output: Equatable, Sendable {
        /// Another stream begins: forget the sound before.
        case restart
        case packet([UInt8])
        /// A packet was lost whose sound the next one, given here, may carry a second time.
        case recovery(samples: Int, from: [UInt8])
        case concealment(samples: Int)
        case silence(samples: Int)
    }
    package struct Piece: Equatable, Sendable {
        package var output: Output
        /// When its first sample was spoken, as far as arrivals tell: never falls.
        package var time: Instant
    }
    package struct Counts: Equatable, Sendable {
        package var received: UInt64 = 0
        /// Given up.
        package var lost: UInt64 = 0
        /// Gaps whose last packet may be recovered from its successor.
        package var recoverable: UInt64 = 0
        /// Came after they had been given up, or twice.
        package var late: UInt64 = 0
        /// No Opus, or numbers that lead nowhere.
        package var refused: UInt64 = 0
        package var restarts: UInt64 = 0
    }

    package static let shortestWait: Duration = .milliseconds(20)
    package static let longestWait: Duration = .milliseconds(120)
    /// Packets that may wait behind a gap: at 20 ms ten times the longest wait.
    package static let maximumWaiting = 64
    /// Bytes of a payload, as many as a datagram carries.
    package static let maximumPayload = 1500
    /// Silence filled in after the last packet, so that whoever awaits a pause sees it; then all rests until the next packet.
    package static let longestFill: Duration = .seconds(5)
    /// Lost time that is concealed rather than left silent.
    static let longestConcealment = 4800
    /// A packet behind by more than this belongs to another count.
    static let maximumMisorder = 100
    /// Packets of the stream before are dropped for so long after a new one began.
    static let farewell: Duration = .seconds(2)

    private struct Waiting {
        var sequenceNumber: UInt16
        var timestamp: UInt32
        var samples: Int
        var arrival: Instant
        var payload: [UInt8]
    }

    package private(set) var counts = Counts()
    /// How long a gap is waited at.
    package var wait: Duration { clock.wait }

    private var ssrc: SSRC?
    private var former: (ssrc: SSRC, until: Instant)?
    private var nextSequenceNumber: UInt16 = 0
    private var nextTimestamp: UInt32 = 0
    /// What a second packet must carry that confirms a jump.
    private var expectedAfterJump: UInt16?
    /// In the order of their numbers, none of which is ``nextSequenceNumber``.
    private var waiting: [Waiting] = []
    private var gapSince: Instant?
    private var lastArrival = Instant.zero
    /// When the next 20 ms of silence are due; nil while all rests.
    private var fillDue: Instant?
    /// Samples filled in since the last packet.
    private var filled = 0
    private var clock = ArrivalClock()
    /// The time of the last piece, and when its last sample was spoken.
    private var latest = Instant.zero
    private var end = Instant.zero
    private var outputs: [Piece] = []
    private var firstOutput = 0

    package init() {}

    package var deadline: Instant? {
        let gap = gapSince.map { $0 + wait }
        guard let gap, let fillDue else { return gap ?? fillDue }
        return min(gap, fillDue)
    }

    package mutating func pollOutput() -> Piece? {
        guard firstOutput < outputs.count else { return nil }
        defer {
            firstOutput += 1
            if firstOutput == outputs.count {
                outputs.removeAll(keepingCapacity: outputs.capacity <= 64)
                firstOutput = 0
            }
        }
        return outputs[firstOutput]
    }

    // MARK: Input

    package mutating func handle(_ packet: ReceivedPacket, now: Instant) {
        counts.received &+= 1
        guard packet.payload.count <= Self.maximumPayload, let header = OpusPacketHeader(packet.payload) else {
            counts.refused &+= 1
            return
        }
        let arrived = Waiting(
            sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, samples: header.samples, arrival: now,
            payload: packet.payload)
        guard packet.ssrc == ssrc else { return handleOther(arrived, of: packet.ssrc, now: now) }
        let distance = Int(Int16(bitPattern: packet.sequenceNumber &- nextSequenceNumber))
        // After an outage the count is far ahead; at any other time a second packet has to confirm the jump.
        let isAfterOutage = distance > 0 && waiting.isEmpty && now - lastArrival >= .milliseconds(500)
        if distance < -Self.maximumMisorder || distance >= Self.maximumWaiting {
            guard isAfterOutage || expectedAfterJump == packet.sequenceNumber else {
                expectedAfterJump = packet.sequenceNumber &+ 1
                counts.refused &+= 1
                return
            }
            begin(with: arrived, now: now)
            return
        }
        expectedAfterJump = nil
        guard distance >= 0, insert(arrived) else {
            counts.late &+= 1
            return
        }
        advance(now: now)
    }

    package mutating func handleTimeout(now: Instant) {
        advance(now: now)
        while waiting.isEmpty, let due = fillDue, due <= now {
            let isEarly = filled < 2 * OpusFormat.samplesPerPacket
            let samples = OpusFormat.samplesPerPacket
            append(isEarly ? .concealment(samples: samples) : .silence(samples: samples), samples: samples, at: end)
            filled += samples
            fillDue = Self.duration(of: filled) >= Self.longestFill ? nil : due + OpusFormat.packetDuration
        }
    }

    private mutating func handleOther(_ packet: Waiting, of source: SSRC, now: Instant) {
        if let former, former.ssrc == source, now < former.until {
            counts.late &+= 1
            return
        }
        if let ssrc { former = (ssrc, now + Self.farewell) }
        ssrc = source
        begin(with: packet, now: now)
    }

    /// Begins anew with this packet.
    private mutating func begin(with packet: Waiting, now: Instant) {
        counts.restarts &+= 1
        waiting.removeAll()
        gapSince = nil
        expectedAfterJump = nil
        clock = ArrivalClock()
        filled = 0
        nextSequenceNumber = packet.sequenceNumber
        nextTimestamp = packet.timestamp
        lastArrival = now
        append(.restart, samples: 0, at: now - Self.duration(of: packet.samples))
        play(packet)
    }

    /// False where it is there already.
    private mutating func insert(_ packet: Waiting) -> Bool {
        let distance = packet.sequenceNumber &- nextSequenceNumber
        let index = waiting.firstIndex { $0.sequenceNumber &- nextSequenceNumber >= distance } ?? waiting.count
        if index < waiting.count, waiting[index].sequenceNumber == packet.sequenceNumber { return false }
        waiting.insert(packet, at: index)
        return true
    }

    // MARK: Output

    private mutating func advance(now: Instant) {
        while let first = waiting.first {
            if first.sequenceNumber != nextSequenceNumber {
                let since = gapSince ?? first.arrival
                gapSince = since
                guard now >= since + wait else { return }
                bridge(to: first)
            }
            gapSince = nil
            waiting.removeFirst()
            play(first)
        }
    }

    /// Gives up what is missing before `packet`.
    private mutating func bridge(to packet: Waiting) {
        let missing = Int(packet.sequenceNumber &- nextSequenceNumber)
        counts.lost &+= UInt64(missing)
        counts.recoverable &+= 1
        var samples = gap(before: packet)
        // The sender's times say nothing of use: as much as the packets held, as far as they are concealed at all.
        if samples <= 0 { samples = max(0, min(missing, 5) * packet.samples - filled) }
        samples -= samples % OpusPacketHeader.quantum
        let recovered = min(samples, packet.samples)
        let concealed = min(samples - recovered, Self.longestConcealment)
        let silent = samples - recovered - concealed
        if silent > 0 { append(.silence(samples: silent), samples: silent, at: end) }
        if concealed > 0 { append(.concealment(samples: concealed), samples: concealed, at: end) }
        if recovered > 0 {
            append(.recovery(samples: recovered, from: packet.payload), samples: recovered, at: end)
        }
        nextSequenceNumber = packet.sequenceNumber
        nextTimestamp = packet.timestamp
        filled = 0
    }

    private mutating func play(_ packet: Waiting) {
        // A sender that sends nothing in silence (DTX) leaves a gap in its times but none in its numbers.
        var silent = gap(before: packet)
        silent -= silent % OpusPacketHeader.quantum
        if silent > 0 { append(.silence(samples: silent), samples: silent, at: end) }
        let arrived = clock.handle(timestamp: packet.timestamp, arrival: packet.arrival)
        append(.packet(packet.payload), samples: packet.samples, at: arrived - Self.duration(of: packet.samples))
        nextSequenceNumber = packet.sequenceNumber &+ 1
        nextTimestamp = packet.timestamp &+ UInt32(packet.samples)
        filled = 0
        lastArrival = packet.arrival
        fillDue = packet.arrival + Self.duration(of: packet.samples) + Self.longestWait
    }

    /// Samples between what went out and `packet`, as its time says; never more than have passed since the last one came.
    private func gap(before packet: Waiting) -> Int {
        let claimed = Int(Int32(bitPattern: packet.timestamp &- nextTimestamp))
        let passed = min(max(packet.arrival - lastArrival, .zero), Self.longestFill) + Self.longestWait
        let possible = Int(passed.nanoseconds / 1000 * Int64(OpusFormat.sampleRateHz) / 1_000_000)
        return max(0, min(claimed, possible) - filled)
    }

    private mutating func append(_ output: Output, samples: Int, at time: Instant) {
        latest = max(time, latest)
        outputs.append(Piece(output: output, time: latest))
        end = latest + Self.duration(of: samples)
    }

    private static func duration(of samples: Int) -> Duration {
        .nanoseconds(Int64(samples) * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
    }
}
