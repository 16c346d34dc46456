package import Core
package import Networking
package import PeerConnection
internal import TURNClient

/// A peer that we call: our offer, our sockets, one ``PeerConnection``.
///
/// It offers one host candidate an address, and no server's help: whom we call is on our own network. Everything is called, and
/// `handler` calls back, on the loop's thread. After ``CallEvent/failed(phase:_:)`` and ``CallEvent/closed`` the owner
/// closes it.
package final class OutgoingCall {
    package struct Configuration: Sendable {
        package var capabilities: MediaCapabilities
        package var dataChannels: DataChannelLimits?
        /// Addresses of ours, each with a socket of its own; see ``CallAddresses``.
        package var addresses: [IPAddress]
        /// Where checks may go of what the peer names.
        package var acceptsRemote: @Sendable (IPAddress) -> Bool = { _ in true }
        /// Between two proofs that the peer still listens (RFC 7675 §5.1 suggests 5 s; a peer on our own network answers sooner).
        package var consentInterval: Duration = .seconds(2)
        /// Without such a proof the peer is lost.
        package var consentTimeout: Duration = .seconds(10)
        /// How long ICE looks for a path before it gives up.
        package var patience: Duration = .seconds(30)

        package init(capabilities: MediaCapabilities, dataChannels: DataChannelLimits?, addresses: [IPAddress]) {
            self.capabilities = capabilities
            self.dataChannels = dataChannels
            self.addresses = addresses
        }
    }

    /// What a socket of a call holds while the loop is busy; 1 MiB is a second of the largest picture stream of a robot.
    private static let receiveBufferBytes: Int32 = 1 << 20
    /// Opus as browsers send it takes 200 bytes a packet; more would not fit a datagram with its headers.
    private static let maximumSoundBytes = 1100
    /// When the goodbye is said again. A lost one would leave the peer's place taken; a repeated one is dropped as a replay.
    private static let goodbyeRepeats: [Duration] = [.milliseconds(40), .milliseconds(120)]

    let loop: EventLoop
    var peer: PeerConnection
    var counters = Counters()
    private let sockets: [UDPSocket]
    private let arena = ReceiveArena()
    private let handler: (CallEvent) -> Void
    private var sound = SoundClock()
    private var timer: (id: TimerID, at: Instant)?
    private var isDraining = false
    private var isClosed = false
    private var goodbye: [PeerConnection.Transmit] = []

    /// What ``statistics`` adds to the peer's own figures.
    struct Counters {
        var datagramsReceived: UInt64 = 0
        var checksAuthenticated: UInt64 = 0
        var checksRefused: UInt64 = 0
        var recordsReceived: UInt64 = 0
        var remoteCandidates: [SocketAddress] = []
        var refusedCandidates: [String] = []
    }

    /// - Throws: where an address cannot be bound.
    package init(
        _ configuration: Configuration, loop: EventLoop, context: DTLSContext, random: RandomSource = .system,
        handler: @escaping (CallEvent) -> Void
    ) throws(SocketError) {
        loop.assertOnLoop()
        self.loop = loop
        self.handler = handler
        var settings = PeerConnection.Configuration(
            role: .offerer, capabilities: configuration.capabilities, deliversReceivedMedia: true)
        settings.dataChannels = configuration.dataChannels
        settings.ice.acceptsRemote = configuration.acceptsRemote
        settings.ice.consentInterval = configuration.consentInterval
        settings.ice.consentTimeout = configuration.consentTimeout
        settings.ice.disconnectedTimeout = min(configuration.consentTimeout / 2, .seconds(5))
        settings.ice.patience = configuration.patience
        peer = PeerConnection(configuration: settings, context: context, random: random, now: loop.now)
        var sockets: [UDPSocket] = []
        var options = UDPSocket.Options()
        options.receiveBufferBytes = Self.receiveBufferBytes
        options.sendBufferBytes = Self.receiveBufferBytes
        for address in configuration.addresses.prefix(Int(UInt8.max)) {
            sockets.append(try UDPSocket(binding: SocketAddress(address, 0), options))
        }
        self.sockets = sockets
        for (index, socket) in sockets.enumerated() {
            let local = LocalCandidateID(UInt8(truncatingIfNeeded: index))
            let candidate = Candidate(
                type: .host, address: socket.localAddress, localPreference: .max - UInt16(truncatingIfNeeded: index))
            peer.addLocalCandidate(local, candidate, now: loop.now)
            try unsafe socket.startReceiving(on: loop, into: arena) { [weak self] bytes, source in
                unsafe self?.receive(bytes, from: source, on: local)
            }
        }
    }

    deinit {
        for socket in sockets where loop.isOnLoop { socket.stopReceiving(on: loop) }
    }

    /// Our description with every candidate in it.
    package func offer() -> String {
        loop.assertOnLoop()
        defer { drain() }
        return peer.createOffer(includesCandidates: true, now: loop.now)
    }

    package func accept(answer: String) throws(NegotiationError) {
        loop.assertOnLoop()
        try peer.acceptAnswer(answer, now: loop.now)
        noteCandidates(of: answer)
        // A robot names all its candidates in its answer, and does not say that they end.
        peer.endOfRemoteCandidates()
        drain()
    }

    /// May be called before the association is up: the channel opens with it.
    package func openDataChannel(_ settings: DataChannelSettings) throws(DataChannelError) -> DataChannelID {
        loop.assertOnLoop()
        defer { drain() }
        return try peer.openDataChannel(settings, now: loop.now)
    }

    package func send(_ message: DataChannelMessage, on channel: DataChannelID) throws(DataChannelError) {
        loop.assertOnLoop()
        defer { drain() }
        try peer.send(message, on: channel, now: loop.now)
    }

    /// Bytes that wait to be sent.
    package func bufferedBytes(on channel: DataChannelID) -> Int {
        loop.assertOnLoop()
        return peer.bufferedBytes(on: channel)
    }

    /// Sends one packet of a talker's sound, its payload as it is. False where it is not sent: too late, too long, empty, or the
    /// peer takes no sound.
    @discardableResult
    package func sendSound(_ packet: ReceivedPacket) -> Bool {
        loop.assertOnLoop()
        guard packet.kind == .audio, !packet.payload.isEmpty, packet.payload.count <= Self.maximumSoundBytes,
            let path = peer.path, let timestamp = sound.timestamp(of: packet, now: loop.now)
        else { return false }
        let frame = MediaFrame(
            codec: .opus, payloads: PacketizedPayloads(single: packet.payload), rtpTimestamp: timestamp,
            presentationTime: loop.now, epoch: 0, capturedAt: loop.now)
        let now = loop.now
        return unsafe withUnsafeTemporaryAllocation(byteCount: 1500, alignment: 8) { buffer in
            let written = unsafe peer.write(frame, into: buffer, now: now)
            guard written.count == 1, let socket = socket(path.local) else { return false }
            unsafe socket.send(UnsafeRawBufferPointer(rebasing: buffer[..<written.byteCount]), to: path.remote)
            return true
        }
    }

    /// Says goodbye and lets go of the sockets; `completion` is called once the goodbye was said often enough.
    package func close(_ completion: (() -> Void)? = nil) {
        loop.assertOnLoop()
        guard !isClosed else {
            completion?()
            return
        }
        isClosed = true
        if let timer { loop.cancel(timer.id) }
        timer = nil
        peer.close(now: loop.now)
        while let transmit = peer.pollTransmit() { goodbye.append(transmit) }
        while peer.pollEvent() != nil {}
        sayGoodbye()
        guard let last = Self.goodbyeRepeats.last, !goodbye.isEmpty else { return finish(completion) }
        for delay in Self.goodbyeRepeats {
            loop.schedule(at: loop.now + delay) { [self] in
                sayGoodbye()
                if delay == last { finish(completion) }
            }
        }
    }

    package var statistics: CallStatistics {
        loop.assertOnLoop()
        return CallStatistics(
            peer: peer.statistics, datagramsReceived: counters.datagramsReceived,
            checksAuthenticated: counters.checksAuthenticated, checksRefused: counters.checksRefused,
            recordsReceived: counters.recordsReceived, remoteCandidates: counters.remoteCandidates,
            refusedCandidates: counters.refusedCandidates)
    }

    /// Where its sockets are bound.
    package var localAddresses: [SocketAddress] { sockets.map(\.localAddress) }

    /// What both descriptions agreed on; nil before the answer.
    package var session: NegotiatedSession? { peer.session }

    // MARK: On the loop

    private func sayGoodbye() {
        for transmit in goodbye { socket(transmit.local)?.send(transmit.bytes, to: transmit.destination) }
    }

    private func finish(_ completion: (() -> Void)?) {
        for socket in sockets { socket.stopReceiving(on: loop) }
        completion?()
    }

    private func socket(_ local: LocalCandidateID) -> UDPSocket? {
        let index = Int(local.value)
        return index < sockets.count ? sockets[index] : nil
    }

    func localAddress(_ local: LocalCandidateID) -> SocketAddress? { socket(local)?.localAddress }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress, on local: LocalCandidateID)
    {
        guard !isClosed, let first = unsafe bytes.first else { return }
        counters.datagramsReceived &+= 1
        if (20...63).contains(first) { counters.recordsReceived &+= 1 }
        switch unsafe peer.handleDatagram(bytes, from: source, on: local, now: loop.now) {
        case .authenticatedSTUN: counters.checksAuthenticated &+= 1
        case .refused(.stun(.unknownUsername)), .refused(.stun(.wrongIntegrity)),
            .refused(.stun(.missingCredentials)):
            counters.checksRefused &+= 1
        case .accepted, .refused: break
        }
        drain()
    }

    /// Sends what the peer has to say, tells its events, and arms its timer. What a handler of events does in its turn is
    /// drained by the same call.
    private func drain(nextTimer earliest: Instant = .zero) {
        guard !isDraining, !isClosed else { return }
        isDraining = true
        var isQuiet = false
        while !isQuiet, !isClosed {
            isQuiet = true
            while let transmit = peer.pollTransmit() {
                socket(transmit.local)?.send(transmit.bytes, to: transmit.destination)
            }
            while !isClosed, let event = peer.pollEvent() {
                isQuiet = false
                if let told = callEvent(of: event) { handler(told) }
            }
        }
        isDraining = false
        if !isClosed { arm(notBefore: earliest) }
    }

    /// A later deadline waits for the wake-up that is armed already.
    private func arm(notBefore earliest: Instant) {
        guard let due = peer.deadline else { return }
        let deadline = max(due, earliest)
        if let timer {
            guard deadline < timer.at else { return }
            loop.cancel(timer.id)
        }
        timer = (loop.schedule(at: deadline) { [weak self] in self?.fire() }, deadline)
    }

    private func fire() {
        timer = nil
        if let due = peer.deadline, due <= loop.now {
            peer.handleTimeout(now: loop.now, wallTime: SystemClock.wallTime())
        }
        // A deadline that stays in the past must not stop the loop.
        drain(nextTimer: loop.now + .milliseconds(1))
    }
}
