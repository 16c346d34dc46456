import Core
import Networking
import PeerConnection
import TURNClient

/// One viewer of a running server, from its first datagram to its goodbye; belongs to the thread of its loop.
///
/// Reaches the server from a socket of its own: directly, or through an allocation on the relay that the server names.
final class Visitor {
    /// How a viewer ends its visit. Real ones do all three.
    enum Departure: CaseIterable {
        /// DELETE of its WHEP resource.
        case request
        /// RTCP BYE and DTLS close_notify.
        case goodbye
        /// Not a word more: only consent freshness tells the server.
        case vanishing
    }

    struct Relay: Sendable {
        var server: SocketAddress
        var username: String
        var password: String
    }

    private static let direct = LocalCandidateID(0)
    private static let relayed = LocalCandidateID(1)

    private let loop: EventLoop
    private let socket: UDPSocket
    private var peer: PeerConnection
    private var turn: TURNClient?
    private let onOffer: (Visitor, String) -> Void
    private let onEnd: (Visitor, String) -> Void
    private let began = SystemClock.now()
    private var armed: TimerID?
    private var keyFrame = KeyFrameWatch()
    private(set) var isOver = false
    private(set) var isConnected = false
    private(set) var pictureAfter: Duration?
    /// The WHEP resource, once the server answered.
    var resource: String?

    /// `onOffer` is called once, with an offer that holds every candidate; `onEnd` when the server or the path ends the visit.
    init(
        loop: EventLoop, context: DTLSContext, arena: ReceiveArena, relay: Relay?,
        onOffer: @escaping (Visitor, String) -> Void, onEnd: @escaping (Visitor, String) -> Void
    ) throws {
        self.loop = loop
        self.onOffer = onOffer
        self.onEnd = onEnd
        var options = UDPSocket.Options()
        options.receiveBufferBytes = 1 << 19
        socket = try UDPSocket(binding: SocketAddress(.loopbackV4, 0), options)
        var capabilities = MediaCapabilities()
        capabilities.sendsVideo = false
        capabilities.sendsAudio = false
        capabilities.receivesVideo = true
        capabilities.receivesAudio = true
        peer = PeerConnection(
            configuration: PeerConnection.Configuration(
                role: .offerer, capabilities: capabilities, deliversReceivedMedia: true),
            context: context, random: .system, now: loop.now)
        if let relay {
            turn = TURNClient(
                TURNClient.Configuration(server: relay.server, username: relay.username, password: relay.password),
                random: .system)
        }
        try socket.startReceiving(on: loop, into: arena) { [weak self] bytes, source in
            self?.receive(bytes, from: source)
        }
    }

    /// Looks for its own address, and then makes its offer.
    func start() {
        if turn != nil {
            turn?.start(now: loop.now)
            drain()
        } else {
            offer(Candidate(type: .host, address: socket.localAddress), on: Self.direct)
        }
    }

    func take(answer sdp: String) throws {
        try peer.acceptAnswer(sdp, now: loop.now)
        if turn != nil {
            for line in sdp.split(whereSeparator: \.isNewline) where line.hasPrefix("a=candidate:") {
                guard let candidate = try? Candidate(sdp: String(line)) else { continue }
                turn?.permit(candidate.address.ip, now: loop.now)
            }
        }
        drain()
    }

    /// Where the server's media comes from, as this viewer addresses it.
    var remotePort: UInt16? { peer.selectedPair?.remote.port }

    var packetsReceived: UInt64 {
        let statistics = peer.statistics
        return (statistics.receivedVideo?.packetsReceived ?? 0) + (statistics.receivedAudio?.packetsReceived ?? 0)
    }

    var packetsAbandoned: UInt64 {
        peer.statistics.receivedVideo?.packetsAbandoned ?? 0
    }

    func leave(_ departure: Departure) {
        guard !isOver else { return }
        if departure == .goodbye {
            peer.close(now: loop.now)
            drain()
        }
        if departure != .vanishing {
            turn?.release(now: loop.now)
            drain()
        }
        end()
    }

    // MARK: Inputs

    private func offer(_ candidate: Candidate, on local: LocalCandidateID) {
        peer.addLocalCandidate(local, candidate, now: loop.now)
        onOffer(self, peer.createOffer(includesCandidates: true, now: loop.now))
        drain()
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress) {
        guard !isOver else { return }
        if let server = turn?.server, source == server {
            switch turn?.handleDatagram(bytes.bindMemory(to: UInt8.self).span, now: loop.now) {
            case .data(let sender, let payload):
                _ = peer.handleDatagram(
                    UnsafeMutableRawBufferPointer(rebasing: bytes[payload]), from: sender, on: Self.relayed,
                    now: loop.now)
            case .handled, .ignored, nil: break
            }
        } else {
            _ = peer.handleDatagram(bytes, from: source, on: Self.direct, now: loop.now)
        }
        drain()
    }

    private func timeIsUp() {
        armed = nil
        guard !isOver else { return }
        if let due = turn?.deadline, due <= loop.now { turn?.handleTimeout(now: loop.now) }
        if let due = peer.deadline, due <= loop.now {
            peer.handleTimeout(now: loop.now, wallTime: SystemClock.wallTime())
        }
        drain()
    }

    // MARK: Outputs

    private func drain() {
        while let event = turn?.pollEvent() {
            switch event {
            case .allocated(let relayed, _, _):
                offer(Candidate(type: .relayed, address: relayed), on: Self.relayed)
            case .failed(let error, _), .lost(let error): return fail("relay: \(error)")
            default: break
            }
        }
        while let transmit = peer.pollTransmit() {
            if transmit.local == Self.relayed {
                guard let bytes = turn?.wrap(transmit.bytes.span, to: transmit.destination) else { continue }
                if let server = turn?.server { socket.send(bytes, to: server) }
            } else {
                socket.send(transmit.bytes, to: transmit.destination)
            }
        }
        while let event = peer.pollEvent() {
            switch event {
            case .selectedPair(let pair): turn?.bindChannel(pair.remote, now: loop.now)
            case .connected: isConnected = true
            case .rtpReceived(let packet):
                if pictureAfter == nil, keyFrame.isComplete(with: packet) { pictureAfter = SystemClock.now() - began }
            case .failed(let phase, let reason): return fail("\(phase): \(reason)")
            case .closed: return fail("closed by the server")
            default: break
            }
        }
        while let bytes = turn?.pollTransmit() {
            if let server = turn?.server { socket.send(bytes, to: server) }
        }
        arm()
    }

    private func arm() {
        if let armed { loop.cancel(armed) }
        armed = nil
        guard !isOver, let deadline = [peer.deadline, turn?.deadline].compactMap(\.self).min() else { return }
        armed = loop.schedule(at: deadline) { [weak self] in self?.timeIsUp() }
    }

    private func fail(_ reason: String) {
        guard !isOver else { return }
        end()
        onEnd(self, reason)
    }

    private func end() {
        isOver = true
        if let armed { loop.cancel(armed) }
        armed = nil
        socket.stopReceiving(on: loop)
    }
}
