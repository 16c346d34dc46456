import Core
import TURNClient

@testable import PeerConnection

/// Two peers on a virtual network with a hand-moved clock: datagrams take a while and may be lost.
struct PeerPair: ~Copyable {
    enum Side { case offerer, answerer }

    /// Kept apart from the peers so that one can be handed over with the other borrowed.
    private struct Flight {
        let due: Instant
        let destination: Side
        let bytes: [UInt8]
    }

    static let offererAddress = SocketAddress(.v4(0x0A00_0001), 1000)
    static let answererAddress = SocketAddress(.v4(0x0A00_0002), 2000)

    var offerer: PeerConnection
    var answerer: PeerConnection
    private(set) var now: Instant
    var latency: Duration = .milliseconds(10)
    /// Asked for each datagram on its way; true loses it.
    var loses: (Side, [UInt8]) -> Bool = { _, _ in false }
    private var flights: [Flight] = []
    private(set) var offererEvents: [PeerConnection.Event] = []
    private(set) var answererEvents: [PeerConnection.Event] = []
    private(set) var refusals: [DatagramRefusal] = []

    init(
        offererSends: Bool = false, answererSends: Bool = true, hasTransportFeedback: Bool = false,
        codecs: [MediaCodec] = [.vp8], offersRetransmission: Bool = true,
        offererChannels: DataChannelLimits? = nil, answererChannels: DataChannelLimits? = nil, seed: UInt64 = 1
    ) throws {
        let start = Instant(nanoseconds: 1_000_000_000)
        func peer(_ role: PeerConnection.Role, sends: Bool, receives: Bool, channels: DataChannelLimits?, seed: UInt64)
            throws
            -> PeerConnection
        {
            PeerConnection(
                configuration: PeerConnection.Configuration(
                    role: role,
                    capabilities: MediaCapabilities(
                        sendsVideo: sends, sendsAudio: sends, receivesVideo: receives, receivesAudio: receives,
                        usesTransportFeedback: hasTransportFeedback, videoCodecs: codecs,
                        offersRetransmission: offersRetransmission),
                    deliversReceivedMedia: true, dataChannels: channels),
                context: try DTLSContext(certificate: DTLSCertificate()), random: .seeded(seed), now: start)
        }
        var offerer = try peer(
            .offerer, sends: offererSends, receives: answererSends, channels: offererChannels, seed: seed)
        var answerer = try peer(
            .answerer, sends: answererSends, receives: offererSends, channels: answererChannels, seed: seed + 1)
        offerer.addLocalCandidate(
            LocalCandidateID(0), Candidate(type: .host, address: Self.offererAddress), now: start)
        answerer.addLocalCandidate(
            LocalCandidateID(0), Candidate(type: .host, address: Self.answererAddress), now: start)
        self.offerer = offerer
        self.answerer = answerer
        now = start
    }

    /// Exchanges descriptions; the offer may be changed on its way.
    mutating func negotiate(_ change: (String) -> String = { $0 }) throws {
        let offer = offerer.createOffer(includesCandidates: true, now: now)
        let answer = try answerer.acceptOffer(change(offer), includesCandidates: true, now: now)
        try offerer.acceptAnswer(answer, now: now)
    }

    /// Lets time pass, event by event, until `condition` holds or `limit` is over. True where it held.
    @discardableResult
    mutating func run(
        for limit: Duration,
        until condition: (borrowing PeerConnection, borrowing PeerConnection) -> Bool = { _, _ in
            false
        }
    ) -> Bool {
        let end = now + limit
        while true {
            drain()
            if condition(offerer, answerer) { return true }
            let due = flights.map(\.due) + [offerer.deadline, answerer.deadline].compactMap { $0 }
            guard let next = due.min(), next <= end else {
                now = end
                return condition(offerer, answerer)
            }
            now = max(now, next)
            let arriving = flights.filter { $0.due <= now }
            flights.removeAll { $0.due <= now }
            for flight in arriving { deliver(flight) }
            let wallTime = WallTime(nanosecondsSince1970: 1_700_000_000_000_000_000 + now.nanoseconds)
            if let deadline = offerer.deadline, deadline <= now { offerer.handleTimeout(now: now, wallTime: wallTime) }
            if let deadline = answerer.deadline, deadline <= now {
                answerer.handleTimeout(now: now, wallTime: wallTime)
            }
        }
    }

    mutating func connect() -> Bool {
        run(for: .seconds(5)) { $0.phase == .connected && $1.phase == .connected }
    }

    /// Writes a frame at one side and puts its datagrams on their way.
    @discardableResult
    mutating func send(_ frame: MediaFrame, from side: Side, reserved: Int = 0) -> WrittenPackets {
        var batch = [UInt8](repeating: 0xAA, count: 100_000)
        let (batchNow, isOfferer) = (now, side == .offerer)
        let written = batch.withUnsafeMutableBytes { bytes in
            isOfferer
                ? offerer.write(frame, into: bytes, reservingBefore: reserved, now: batchNow)
                : answerer.write(frame, into: bytes, reservingBefore: reserved, now: batchNow)
        }
        var offset = 0
        while offset < written.byteCount {
            let end = min(offset + written.segmentSize, written.byteCount)
            put(Array(batch[(offset + reserved)..<end]), to: isOfferer ? .answerer : .offerer)
            offset = end
        }
        return written
    }

    /// The packets that one side got, in the order of their coming.
    func received(at side: Side) -> [ReceivedPacket] {
        (side == .offerer ? offererEvents : answererEvents).compactMap { event in
            if case .rtpReceived(let packet) = event { packet } else { nil }
        }
    }

    mutating func drain() {
        while let transmit = offerer.pollTransmit() { put(transmit.bytes, to: .answerer) }
        while let transmit = answerer.pollTransmit() { put(transmit.bytes, to: .offerer) }
        while let event = offerer.pollEvent() { offererEvents.append(event) }
        while let event = answerer.pollEvent() { answererEvents.append(event) }
    }

    private mutating func put(_ bytes: [UInt8], to side: Side) {
        guard !loses(side, bytes) else { return }
        flights.append(Flight(due: now + latency, destination: side, bytes: bytes))
    }

    private mutating func deliver(_ flight: Flight) {
        var bytes = flight.bytes
        let arrival = now
        let outcome = bytes.withUnsafeMutableBytes { buffer in
            switch flight.destination {
            case .offerer:
                offerer.handleDatagram(buffer, from: Self.answererAddress, on: LocalCandidateID(0), now: arrival)
            case .answerer:
                answerer.handleDatagram(buffer, from: Self.offererAddress, on: LocalCandidateID(0), now: arrival)
            }
        }
        if case .refused(let reason) = outcome { refusals.append(reason) }
    }
}

extension MediaFrame {
    /// A frame of `count` bytes of noise, number `number` at 30 pictures or 50 sounds a second.
    static func noise(
        _ kind: MediaKind, number: Int, count: Int, isKeyFrame: Bool = false, now: Instant, random: RandomSource
    ) -> MediaFrame {
        let payloads = PacketizedPayloads(
            storage: random.bytes(count), payloadSize: kind == .video ? 500 : count, isKeyFrame: isKeyFrame)
        return MediaFrame(
            codec: kind == .video ? .vp8 : .opus, payloads: payloads,
            rtpTimestamp: UInt32(number) * (kind == .video ? 3000 : 960),
            presentationTime: now, epoch: 0, capturedAt: now)
    }
}
