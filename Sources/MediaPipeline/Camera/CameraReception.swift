package import Core
package import PeerConnection

/// One whole picture of a robot's camera, decodable with those before it, on the stage's clock.
package struct CameraPicture: Sendable {
    /// With its parameter sets where it is a key frame.
    package var unit: AccessUnit
    package var rtpTimestamp: UInt32
    package var presentationTime: Instant
    /// Counts the streams: pictures of another epoch do not continue this one's prediction chain.
    package var epoch: UInt32
}

/// Makes decodable pictures of the packets that a robot's camera sends.
///
/// Does no I/O. Feed it with ``handle(_:arrival:)``, and with ``handleTimeout(now:)`` once ``deadline`` has passed; then drain
/// ``pollPicture()``. A stream begins with a key frame whose parameter sets are known; they are put in front of every key frame that
/// does not bring them. A damaged picture is left out, and the ones after it go on: until the next key frame they may show traces of
/// what is missing, but whoever drives the robot sees it move. After a damaged key frame nothing goes on, since nothing of the old
/// picture is meant any more.
package struct CameraReception: Sendable {
    /// Packets of the stream before are dropped for so long after a new one began.
    static let farewell: Duration = .seconds(2)

    package private(set) var epoch: UInt32 = 0

    private let maximumWait: Duration
    private var reordering: ReorderBuffer
    private var depacketizer = H264Depacketizer()
    private var parameterSets = ParameterSets()
    private var clock = StreamClock(rateHz: MediaKind.video.clockRateHz)
    private var ssrc: SSRC?
    private var former: (ssrc: SSRC, until: Instant)?
    private var awaitsKeyFrame = true
    private var lastArrival = Instant.zero
    private var pictures: [CameraPicture] = []
    private var counted = CameraStatistics.Reception()
    /// What the parts counted that were exchanged since.
    private var formerLost: UInt64 = 0
    private var formerRefused: UInt64 = 0

    package init(maximumWait: Duration) {
        self.maximumWait = maximumWait
        reordering = ReorderBuffer(maximumWait: maximumWait)
    }

    /// When a missing packet is given up; nil while none is missing.
    package var deadline: Instant? { reordering.deadline }

    package var counts: CameraStatistics.Reception {
        var counts = counted
        counts.lostPackets = formerLost &+ reordering.counts.lost
        counts.refusedPackets &+= formerRefused &+ reordering.counts.late &+ depacketizer.counts.malformed
        return counts
    }

    // MARK: Input

    package mutating func handle(_ packet: ReceivedPacket, arrival: Instant) {
        counted.packets &+= 1
        counted.bytes &+= UInt64(packet.payload.count)
        guard packet.kind == .video else { return refuse() }
        if packet.ssrc != ssrc {
            if let former, former.ssrc == packet.ssrc, arrival < former.until { return refuse() }
            if let ssrc { former = (ssrc, arrival + Self.farewell) }
            begin(packet.ssrc)
        }
        reordering.receive(packet, now: arrival)
        drain()
    }

    package mutating func handleTimeout(now: Instant) {
        reordering.handleTimeout(now: now)
        drain()
    }

    /// The robot is gone: the next packet begins anew, even with the same numbers.
    package mutating func lose() {
        ssrc = nil
        former = nil
    }

    // MARK: Output

    package mutating func pollPicture() -> CameraPicture? {
        pictures.isEmpty ? nil : pictures.removeFirst()
    }

    // MARK: Streams

    private mutating func begin(_ source: SSRC) {
        formerLost &+= reordering.counts.lost
        formerRefused &+= reordering.counts.late &+ depacketizer.counts.malformed
        reordering = ReorderBuffer(maximumWait: maximumWait)
        depacketizer = H264Depacketizer()
        parameterSets = ParameterSets()
        clock.interrupt()
        ssrc = source
        awaitsKeyFrame = true
        epoch &+= 1
        counted.epochs &+= 1
    }

    private mutating func refuse() {
        counted.refusedPackets &+= 1
    }

    // MARK: Pictures

    private mutating func drain() {
        while let ordered = reordering.pollPacket() {
            depacketizer.receive(ordered.packet, now: ordered.receivedAt)
            while let unit = depacketizer.pollUnit() { take(unit) }
        }
    }

    private mutating func take(_ unit: AccessUnit) {
        parameterSets.keep(unit.nalUnits)
        guard ParameterSets.holdPicture(unit.nalUnits) || !unit.isWhole else { return }
        guard unit.isWhole else {
            counted.damagedPictures &+= 1
            if unit.isKeyFrame { awaitsKeyFrame = true }
            return
        }
        counted.pictures &+= 1
        var unit = unit
        if unit.isKeyFrame {
            counted.keyFrames &+= 1
            guard let complete = parameterSets.complete(unit.nalUnits) else {
                counted.missingParameterSets &+= 1
                awaitsKeyFrame = true
                return
            }
            unit.nalUnits = complete
            awaitsKeyFrame = false
        }
        guard !awaitsKeyFrame else {
            counted.undecodablePictures &+= 1
            return
        }
        // A packet that filled a gap came later than those behind it.
        lastArrival = max(lastArrival, unit.receivedAt)
        let stamp = clock.stamp(timestamp: unit.timestamp, arrival: lastArrival)
        pictures.append(
            CameraPicture(
                unit: unit, rtpTimestamp: stamp.rtpTimestamp, presentationTime: stamp.presentationTime, epoch: epoch))
    }
}
