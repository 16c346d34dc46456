import Core
import MediaLoop
import Networking
import PeerConnection
import TURNClient
import TestSupport

/// A viewer on the other side of a real socket: the same PeerConnection, on a loop of its own, directly or behind a relay.
// SAFETY: everything that changes is touched on the loop's thread alone.
final class LoopbackViewer: @unchecked Sendable {
    struct Relay: Sendable {
        var server: SocketAddress
        var username: String
        var password: String
        var usesTCP = false
    }

    /// What a test may ask about the viewer.
    struct Seen: Sendable {
        var isConnected = false
        var isClosed = false
        var failure: String?
        var relayedAddress: SocketAddress?
        /// The number in each whole picture, in the order of their completion.
        var pictures: [UInt8] = []
        var sounds: [UInt8] = []
        var timestamps: [UInt32] = []
        /// Packets of the picture that carried the marker.
        var markers = 0
        var hasAssociation = false
        var messages: [DataChannelMessage] = []
        var closedChannels: [DataChannelID] = []
    }

    let seen = Watched(Seen())
    let address: SocketAddress
    private let loop: EventLoop
    private let socket: UDPSocket
    private let arena = ReceiveArena()
    private let relay: Relay?
    private var turn: TURNClient?
    private var stream: TCPConnection?
    private var framer = TURNStreamFramer()
    private var peer: PeerConnection
    private let local = LocalCandidateID(0)
    private var picture: [UInt8]?
    private var depacketizer = H264Depacketizer()
    private var isMute = false

    /// - Parameter former: a viewer that has vanished, whose address this one takes over.
    static func make(
        on loop: EventLoop, inPlaceOf former: LoopbackViewer? = nil, relay: Relay? = nil, hasMicrophone: Bool = false,
        codecs: [MediaCodec] = [.vp8], channels: DataChannelLimits? = nil
    ) async throws -> LoopbackViewer {
        let socket = try former?.socket ?? UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let context = try DTLSContext(certificate: DTLSCertificate())
        let viewer = await loop.perform {
            LoopbackViewer(loop, socket, context, relay, hasMicrophone, codecs, channels)
        }
        guard let viewer else { throw CancellationError() }
        return viewer
    }

    private init(
        _ loop: EventLoop, _ socket: UDPSocket, _ context: DTLSContext, _ relay: Relay?, _ hasMicrophone: Bool,
        _ codecs: [MediaCodec], _ channels: DataChannelLimits?
    ) {
        self.loop = loop
        self.socket = socket
        self.relay = relay
        address = socket.localAddress
        var capabilities = MediaCapabilities()
        capabilities.sendsVideo = false
        capabilities.sendsAudio = hasMicrophone
        capabilities.receivesVideo = true
        capabilities.receivesAudio = true
        capabilities.videoCodecs = codecs
        capabilities.dataChannels = channels
        peer = PeerConnection(
            configuration: PeerConnection.Configuration(
                role: .offerer, capabilities: capabilities, deliversReceivedMedia: true),
            context: context, random: .system, now: loop.now)
        try? socket.startReceiving(on: loop, into: arena) { [weak self] bytes, source in
            self?.receive(bytes, from: source)
        }
        guard let relay else {
            peer.addLocalCandidate(local, Candidate(type: .host, address: address), now: loop.now)
            return
        }
        var settings = TURNClient.Configuration(
            server: relay.server, username: relay.username, password: relay.password)
        settings.isStream = relay.usesTCP
        turn = TURNClient(settings, random: .system)
        if relay.usesTCP { connect(to: relay.server) }
        turn?.start(now: loop.now)
        drain()
    }

    // MARK: For tests

    /// Waits for the relay where there is one.
    func offer(includesCandidates: Bool = true) async -> String {
        if relay != nil { _ = await seen.wait { $0.relayedAddress != nil } }
        return await loop.perform { [self] in
            peer.createOffer(includesCandidates: includesCandidates, now: loop.now)
        } ?? ""
    }

    /// An offer with new ICE credentials.
    func restartingOffer() async -> String {
        await loop.perform { [self] in
            peer.restartICE(now: loop.now)
            defer { drain() }
            return peer.createOffer(includesCandidates: true, now: loop.now)
        } ?? ""
    }

    /// Its one candidate, as a page trickles it.
    var candidateLine: String {
        let relayed = seen.current.relayedAddress
        return Candidate(type: relayed == nil ? .host : .relayed, address: relayed ?? address, relatedAddress: address)
            .sdp
    }

    func accept(_ answer: ViewerAnswer) async throws {
        let outcome = await loop.perform { [self] () -> Result<Void, NegotiationError> in
            do throws(NegotiationError) {
                try peer.acceptAnswer(answer.sdp, now: loop.now)
            } catch {
                return .failure(error)
            }
            for line in answer.candidates { add(line.candidate) }
            drain()
            return .success(())
        }
        try outcome?.get()
    }

    func addCandidate(_ line: String) async {
        _ = await loop.perform { [self] in
            add(line)
            drain()
        }
    }

    func requestKeyFrame() async {
        _ = await loop.perform { [self] in
            peer.requestKeyFrame(now: loop.now)
            drain()
        }
    }

    /// Sends one packet of its microphone.
    func speak(_ payload: [UInt8], rtpTimestamp: UInt32) async {
        _ = await loop.perform { [self] in
            let frame = MediaFrame(
                codec: .opus, payloads: PacketizedPayloads(single: payload), rtpTimestamp: rtpTimestamp,
                presentationTime: loop.now, epoch: 0, capturedAt: loop.now)
            guard let path = peer.path else { return }
            var datagram = [UInt8](repeating: 0, count: 2048)
            let written = datagram.withUnsafeMutableBytes { peer.write(frame, into: $0, now: loop.now) }
            put(Array(datagram[..<written.byteCount]), to: path.remote)
        }
    }

    /// Opens a data channel; its opening is sent once the association is up.
    func openChannel(_ label: String) async throws -> DataChannelID {
        let outcome = await loop.perform { [self] () -> Result<DataChannelID, DataChannelError> in
            defer { drain() }
            do throws(DataChannelError) {
                return .success(try peer.openDataChannel(DataChannelSettings(label: label), now: loop.now))
            } catch {
                return .failure(error)
            }
        }
        guard let outcome else { throw CancellationError() }
        return try outcome.get()
    }

    func say(_ messages: [DataChannelMessage], on channel: DataChannelID) async throws {
        let outcome = await loop.perform { [self] () -> Result<Void, DataChannelError> in
            defer { drain() }
            do throws(DataChannelError) {
                for message in messages { try peer.send(message, on: channel, now: loop.now) }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try outcome?.get()
    }

    func closeChannel(_ channel: DataChannelID) async {
        _ = await loop.perform { [self] in
            peer.closeDataChannel(channel, now: loop.now)
            drain()
        }
    }

    /// Says goodbye as a page does that is closed in an orderly way.
    func leave() async {
        _ = await loop.perform { [self] in
            peer.close(now: loop.now)
            drain()
        }
    }

    /// Is gone without a word: neither sends nor listens any more.
    func vanish() async {
        _ = await loop.perform { [self] in
            isMute = true
            socket.stopReceiving(on: loop)
            stream?.close()
        }
    }

    /// Sends raw bytes from this viewer's own address.
    func send(_ bytes: [UInt8], to destination: SocketAddress) {
        socket.send(bytes, to: destination)
    }

    // MARK: On the loop

    private func add(_ line: String) {
        if let ip = (try? Candidate(sdp: line))?.address.ip { turn?.permit(ip, now: loop.now) }
        _ = peer.addRemoteCandidate(line, now: loop.now)
    }

    private func connect(to server: SocketAddress) {
        guard let connection = try? TCPConnection.connect(to: server, on: loop) else { return }
        stream = connection
        try? connection.start { [weak self] bytes in
            guard let self else { return }
            framer.append(bytes.bindMemory(to: UInt8.self).span)
            while var message = (try? framer.next()) ?? nil {
                message.withUnsafeMutableBytes { self.receiveFromRelay($0) }
            }
            drain()
        } onClose: { _ in
        }
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress) {
        if let turn, source == turn.server {
            receiveFromRelay(bytes)
        } else {
            _ = peer.handleDatagram(bytes, from: source, on: local, now: loop.now)
        }
        drain()
    }

    private func receiveFromRelay(_ bytes: UnsafeMutableRawBufferPointer) {
        guard
            case .data(let source, let payload)? = turn?.handleDatagram(
                bytes.bindMemory(to: UInt8.self).span, now: loop.now)
        else { return }
        _ = peer.handleDatagram(
            UnsafeMutableRawBufferPointer(rebasing: bytes[payload]), from: source, on: local, now: loop.now)
    }

    private func drain() {
        while let event = turn?.pollEvent() {
            switch event {
            case .allocated(let relayed, let mapped, _):
                peer.addLocalCandidate(
                    local, Candidate(type: .relayed, address: relayed, relatedAddress: mapped), now: loop.now)
                seen.update { $0.relayedAddress = relayed }
            case .failed(let error, _): seen.update { $0.failure = "relay: \(error.reason)" }
            default: break
            }
        }
        while let transmit = peer.pollTransmit() {
            if relay == nil {
                put(transmit.bytes, to: transmit.destination)
            } else if let message = turn?.wrap(transmit.bytes.span, to: transmit.destination) {
                putToRelay(message)
            }
        }
        while let message = turn?.pollTransmit() { putToRelay(message) }
        while let event = peer.pollEvent() { handle(event) }
        arm(peer.deadline) { [unowned self] in peer.handleTimeout(now: loop.now, wallTime: SystemClock.wallTime()) }
        arm(turn?.deadline) { [unowned self] in turn?.handleTimeout(now: loop.now) }
    }

    private var armed: [Instant] = []

    private func arm(_ deadline: Instant?, _ handle: @escaping () -> Void) {
        guard let deadline, !armed.contains(deadline) else { return }
        armed.append(deadline)
        loop.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            armed.removeAll { $0 == deadline }
            handle()
            drain()
        }
    }

    private func put(_ bytes: [UInt8], to destination: SocketAddress) {
        if !isMute { socket.send(bytes, to: destination) }
    }

    private func putToRelay(_ message: [UInt8]) {
        guard !isMute, let turn else { return }
        if let stream { stream.send(message) } else { socket.send(message, to: turn.server) }
    }

    private func handle(_ event: PeerConnection.Event) {
        switch event {
        case .selectedPair(let pair): turn?.bindChannel(pair.remote, now: loop.now)
        case .connected: seen.update { $0.isConnected = true }
        case .closed:
            // A page that was told goodbye asks its relay for nothing more; the TURN client would allocate anew.
            isMute = true
            seen.update { $0.isClosed = true }
        case .failed(let phase, let reason): seen.update { $0.failure = "\(phase): \(reason)" }
        case .rtpReceived(let packet): take(packet)
        case .sctpConnected: seen.update { $0.hasAssociation = true }
        case .dataChannelMessage(_, let message): seen.update { $0.messages.append(message) }
        case .dataChannelClosed(let channel): seen.update { $0.closedChannels.append(channel) }
        default: break
        }
    }

    /// The third byte of a picture's last slice is its number (see ``LoopBench/h264Picture(_:isKeyFrame:)``).
    private func takeH264(_ packet: ReceivedPacket) {
        depacketizer.receive(packet, now: loop.now)
        while let unit = depacketizer.pollUnit() {
            guard unit.isWhole, unit.byteCount >= LoopBench.pictureByteCount, let number = unit.nalUnits.last?[2] else {
                continue
            }
            seen.update {
                $0.pictures.append(number)
                $0.timestamps.append(unit.timestamp)
            }
        }
    }

    /// Puts pictures together; the second byte of each is its number (see ``LoopBench/picture(_:isKeyFrame:)``).
    private func take(_ packet: ReceivedPacket) {
        guard let first = packet.payload.first else { return }
        guard packet.kind == .video else { return seen.update { $0.sounds.append(first) } }
        if packet.marker { seen.update { $0.markers += 1 } }
        guard peer.session?.receiving(.video)?.receiving?.codec == .vp8 else { return takeH264(packet) }
        if first & 0x10 != 0 { picture = [] }
        picture?.append(contentsOf: packet.payload.dropFirst())
        guard packet.marker, let whole = picture, whole.count == LoopBench.pictureByteCount else { return }
        picture = nil
        seen.update {
            $0.pictures.append(whole[1])
            $0.timestamps.append(packet.timestamp)
        }
    }
}
