internal import Core
internal import Networking
internal import TURNClient
internal import TURNServer

/// The embedded relay: TURN on UDP and TCP in front, the media port behind, one candidate for both.
///
/// A relayed viewer's packets come through the TURN port and are handed over in this process; a viewer that is not relay-only
/// reaches the same candidate directly, since its address is a real socket of ours.
@safe final class EmbeddedRelayPath: LocalPath {
    let local: LocalCandidateID
    let candidate: Candidate?
    private(set) var server: TURNServer
    /// The socket that the candidate's address leads to.
    let media: BatchedSocket
    /// The TURN port.
    let front: BatchedSocket
    private let listener: TCPListener
    private let advertised: SocketAddress
    private let loop: EventLoop
    private var connections: [UInt64: StreamClient] = [:]
    private var timer: (id: TimerID, at: Instant)?
    /// Relayed addresses without an allocation any more: whoever held them is not sent to through the open.
    private var formerAddresses: Set<SocketAddress> = []
    /// So many of them are remembered; a viewer is forgotten by its own timers long before its address is.
    private static let maximumFormerAddresses = 16_384

    var allocationsChanged: ((Int) -> Void)?
    /// Takes what a relayed viewer sent: its payload and its relayed address.
    var received: ((UnsafeMutableRawBufferPointer, SocketAddress) -> Void)?

    private final class StreamClient {
        let connection: TCPConnection
        var framer = TURNStreamFramer()
        init(_ connection: TCPConnection) { self.connection = connection }
        var path: TURNClientPath { .tcp(connection: connection.id, connection.remoteAddress) }
    }

    init(
        local: LocalCandidateID, server: TURNServer, front: UDPSocket, listener: TCPListener, media: UDPSocket,
        advertised: SocketAddress, loop: EventLoop
    ) {
        self.local = local
        self.server = server
        self.front = BatchedSocket(front)
        self.media = BatchedSocket(media)
        self.listener = listener
        self.advertised = advertised
        self.loop = loop
        candidate = Candidate(type: .relayed, address: advertised, relatedAddress: advertised)
    }

    func start(arena: ReceiveArena) throws(SocketError) {
        try unsafe front.socket.startReceiving(on: loop, into: arena) { [unowned self] bytes, source in
            unsafe self.handle(bytes, from: .udp(source))
            self.drain()
        }
        try listener.start(on: loop) { [unowned self] connection in self.accept(connection) }
    }

    func stop() {
        front.socket.stopReceiving(on: loop)
        media.socket.stopReceiving(on: loop)
        listener.stop(on: loop)
        if let timer { loop.cancel(timer.id) }
        allocationsChanged = nil
        unsafe received = nil
    }

    /// For the metrics: what the relay counted, its allocations, and the TCP connections that it refused.
    var figures: (counters: TURNServer.Counters, allocations: Int, streams: UInt64) {
        let refused = listener.counters
        return (server.counters, server.allocationCount, refused.refusedByTotal &+ refused.refusedByAddress)
    }

    // MARK: To viewers

    func route(to remote: SocketAddress) -> Route {
        guard let route = server.route(to: remote, from: advertised) else {
            return isInTheOpen(remote) ? .batched(media, destination: remote, channel: nil) : .unreachable
        }
        switch (route.path.transport, route.wrapping) {
        case (.udp(let client), .channelData(let number)): return .batched(front, destination: client, channel: number)
        case (.udp, .dataIndication), (.tcp, _): return .single
        }
    }

    func send(_ bytes: UnsafeRawBufferPointer, to remote: SocketAddress) {
        guard let route = server.route(to: remote, from: advertised) else {
            if isInTheOpen(remote) { unsafe media.send(bytes, to: remote) }
            return
        }
        let message: [UInt8]
        switch route.wrapping {
        case .channelData(let number):
            var padded = ChannelData.encodedHeader(channel: number, length: bytes.count)
            unsafe padded.append(contentsOf: bytes)
            if route.path.isStream { while padded.count % 4 != 0 { padded.append(0) } }
            message = padded
        case .dataIndication:
            message = server.dataIndication(unsafe [UInt8](bytes), from: advertised)
        }
        transmit(message, to: route.path)
    }

    /// Whether an address is reached by the media socket, not through the relay.
    private func isInTheOpen(_ remote: SocketAddress) -> Bool {
        !server.hasAllocation(relayedAddress: remote) && !formerAddresses.contains(remote)
    }

    /// Whether a datagram on the media socket may come from `source`: nobody on the wire may pass for a relayed viewer.
    func admits(_ source: SocketAddress) -> Bool {
        guard !server.hasAllocation(relayedAddress: source) else { return false }
        // A socket on the relay's own host may have a port that an allocation once had.
        if !formerAddresses.isEmpty { formerAddresses.remove(source) }
        return true
    }

    /// Ends the allocation of a viewer that has gone, if it had one.
    func endAllocation(of relayedAddress: SocketAddress) {
        server.end(relayedAddress: relayedAddress)
        drain()
    }

    func flush() {
        front.flush()
        media.flush()
    }

    // MARK: From clients

    private func accept(_ connection: TCPConnection) {
        let client = StreamClient(connection)
        connections[connection.id] = client
        do {
            try unsafe connection.start { [weak self] bytes in
                unsafe self?.receive(bytes, from: client)
            } onClose: { [weak self] _ in
                self?.connections[connection.id] = nil
                self?.server.connectionClosed(client.path)
                self?.drain()
            }
        } catch {
            connection.close()
        }
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from client: StreamClient) {
        unsafe client.framer.append(bytes.bindMemory(to: UInt8.self).span)
        do {
            while var message = try client.framer.next() {
                unsafe message.withUnsafeMutableBytes { unsafe handle($0, from: client.path) }
            }
        } catch {
            client.connection.close()
        }
        drain()
    }

    private func handle(_ bytes: UnsafeMutableRawBufferPointer, from path: TURNClientPath) {
        let outcome = unsafe server.handleDatagram(
            bytes.bindMemory(to: UInt8.self).span, from: path, now: loop.now, wallTime: SystemClock.wallTime())
        guard case .peerData(_, let relayedAddress, _, let payload)? = outcome else { return }
        unsafe received?(UnsafeMutableRawBufferPointer(rebasing: bytes[payload]), relayedAddress)
    }

    /// Sends what the server has to say, and arms its timer.
    private func drain() {
        while let transmit = server.pollTransmit() { self.transmit(transmit.bytes, to: transmit.path) }
        while let event = server.pollEvent() { handle(event) }
        guard let deadline = server.deadline else { return }
        if let timer {
            guard deadline < timer.at else { return }
            loop.cancel(timer.id)
        }
        let id = loop.schedule(at: deadline) { [unowned self] in
            self.timer = nil
            self.server.handleTimeout(now: self.loop.now)
            self.drain()
        }
        timer = (id, deadline)
    }

    private func handle(_ event: TURNServer.Event) {
        switch event {
        case .allocated(_, let relayedAddress, _, _):
            formerAddresses.remove(relayedAddress)
        case .ended(_, let relayedAddress, _, _):
            if formerAddresses.count >= Self.maximumFormerAddresses { formerAddresses.removeAll() }
            formerAddresses.insert(relayedAddress)
        }
        allocationsChanged?(server.allocationCount)
    }

    private func transmit(_ bytes: [UInt8], to path: TURNClientPath) {
        switch path.transport {
        case .udp(let client): unsafe bytes.withUnsafeBytes { unsafe front.send($0, to: client) }
        case .tcp(let id, _): connections[id]?.connection.send(bytes)
        }
    }
}
