internal import Core
internal import Networking
internal import TURNClient

/// The operator's TURN server, with one allocation for all viewers.
@safe final class ExternalRelayPath: LocalPath {
    /// Addresses that the relay may be asked to permit, over all viewers, and for one viewer.
    static let maximumPermissions = 4096
    static let maximumPermissionsPerViewer = 8

    let local: LocalCandidateID
    private(set) var candidate: Candidate?
    private var client: TURNClient
    private let configuration: ConnectivityConfiguration.ExternalRelay
    private let transport: Transport
    private let loop: EventLoop
    private var timer: TimerID?
    private var permitted: Set<IPAddress> = []
    private var wanted: [IPAddress: Int] = [:]
    /// How many viewers use each address that has a channel, or waits for one.
    private var bound: [SocketAddress: Int] = [:]
    private var isStopped = false
    /// Why there is no allocation; nil while there is one, or while the first is awaited.
    private(set) var failure: TURNError?
    private static let logger = Logger("relay")

    enum Transport {
        case udp(BatchedSocket)
        case tcp(StreamConnection)
    }

    final class StreamConnection {
        var connection: TCPConnection?
        var framer = TURNStreamFramer()
    }

    /// Takes what a viewer sent through the relay: its bytes and its address.
    var received: ((UnsafeMutableRawBufferPointer, SocketAddress) -> Void)?
    /// The allocation stands, or stands anew: the candidate has changed.
    var candidateChanged: (() -> Void)?
    var permissionGranted: ((IPAddress) -> Void)?
    var permissionDenied: ((IPAddress) -> Void)?
    var allocationLost: (() -> Void)?
    var degradedChanged: (() -> Void)?

    init(
        local: LocalCandidateID, configuration: ConnectivityConfiguration.ExternalRelay, client: TURNClient,
        transport: Transport, loop: EventLoop
    ) {
        self.local = local
        self.configuration = configuration
        self.client = client
        self.transport = transport
        self.loop = loop
    }

    func start(arena: ReceiveArena) throws(SocketError) {
        switch transport {
        case .udp(let socket):
            try unsafe socket.socket.startReceiving(on: loop, into: arena) { [unowned self] bytes, source in
                // Only the TURN server speaks on this port.
                guard source == self.client.server else { return }
                unsafe self.handle(bytes)
                self.drain()
            }
            client.start(now: loop.now)
            drain()
        case .tcp(let stream): connect(stream)
        }
    }

    /// Gives the allocation back, so that its port is free at once.
    func stop() {
        isStopped = true
        client.release(now: loop.now)
        drain()
        flush()
        if let timer { loop.cancel(timer) }
        if case .udp(let socket) = transport { socket.socket.stopReceiving(on: loop) }
        if case .tcp(let stream) = transport { stream.connection?.close() }
        unsafe received = nil
        candidateChanged = nil
        permissionGranted = nil
        permissionDenied = nil
        allocationLost = nil
        degradedChanged = nil
    }

    // MARK: Permissions

    func isPermitted(_ ip: IPAddress) -> Bool { permitted.contains(ip) }

    /// Asks for a permission. False where the viewer, or all viewers together, have asked for too many.
    @discardableResult
    func permit(_ ip: IPAddress, for viewer: Viewer) -> Bool {
        if viewer.permittedAddresses.contains(ip) { return true }
        guard viewer.permittedAddresses.count < Self.maximumPermissionsPerViewer,
            wanted[ip] != nil || wanted.count < Self.maximumPermissions
        else { return false }
        viewer.permittedAddresses.insert(ip)
        wanted[ip, default: 0] += 1
        client.permit(ip, now: loop.now)
        drain()
        return true
    }

    func forget(_ viewer: Viewer) {
        for ip in viewer.permittedAddresses {
            let others = (wanted[ip] ?? 1) - 1
            wanted[ip] = others > 0 ? others : nil
            if others == 0 {
                client.forget(ip, now: loop.now)
                permitted.remove(ip)
            }
        }
        viewer.permittedAddresses = []
        unbind(viewer)
        drain()
    }

    /// Prefers the short header for a viewer that is here to stay: one address a viewer, for there are 4,096 channels.
    func bind(_ remote: SocketAddress, for viewer: Viewer) {
        guard viewer.boundAddress != remote else { return }
        unbind(viewer)
        viewer.boundAddress = remote
        bound[remote, default: 0] += 1
        client.bindChannel(remote, now: loop.now)
        drain()
    }

    private func unbind(_ viewer: Viewer) {
        guard let remote = viewer.boundAddress else { return }
        viewer.boundAddress = nil
        let others = (bound[remote] ?? 1) - 1
        bound[remote] = others > 0 ? others : nil
        if others == 0 { client.unbindChannel(remote, now: loop.now) }
    }

    // MARK: To viewers

    func route(to remote: SocketAddress) -> Route {
        guard permitted.contains(remote.ip) else { return .unreachable }
        guard case .udp(let socket) = transport,
            case .channelData(let header, _)? = client.header(for: remote, payloadCount: 0)
        else { return .single }
        return .batched(socket, destination: client.server, channel: UInt16(header >> 16))
    }

    func send(_ bytes: UnsafeRawBufferPointer, to remote: SocketAddress) {
        // One datagram to an unroutable address can end the whole allocation (coturn 4.6): only permitted ones are sent to.
        guard permitted.contains(remote.ip),
            let message = unsafe client.wrap(bytes.bindMemory(to: UInt8.self).span, to: remote)
        else { return }
        transmit(message)
    }

    func flush() {
        if case .udp(let socket) = transport { socket.flush() }
    }

    // MARK: From the relay

    private func handle(_ bytes: UnsafeMutableRawBufferPointer) {
        let outcome = unsafe client.handleDatagram(bytes.bindMemory(to: UInt8.self).span, now: loop.now)
        guard case .data(let peer, let payload) = outcome else { return }
        unsafe received?(UnsafeMutableRawBufferPointer(rebasing: bytes[payload]), peer)
    }

    private func connect(_ stream: StreamConnection) {
        do {
            let connection = try TCPConnection.connect(to: client.server, on: loop)
            stream.connection = connection
            stream.framer = TURNStreamFramer()
            try unsafe connection.start { [unowned self] bytes in
                unsafe stream.framer.append(bytes.bindMemory(to: UInt8.self).span)
                do {
                    while var message = try stream.framer.next() {
                        unsafe message.withUnsafeMutableBytes { unsafe self.handle($0) }
                    }
                } catch {
                    connection.close()
                    return self.reconnect(stream)
                }
                self.drain()
            } onClose: { [weak self] reason in
                guard let self, reason != .closedLocally else { return }
                self.reconnect(stream)
            }
        } catch {
            return reconnect(stream)
        }
        client.start(now: loop.now)
        drain()
    }

    private func reconnect(_ stream: StreamConnection) {
        stream.connection = nil
        client.transportClosed(now: loop.now)
        drain()
        if failure == nil { report(.unreachable) }
        loop.schedule(at: loop.now + .seconds(1)) { [weak self] in
            guard let self, !self.isStopped else { return }
            self.connect(stream)
        }
    }

    private func drain() {
        while let bytes = client.pollTransmit() { transmit(bytes) }
        while let event = client.pollEvent() { handle(event) }
        guard let deadline = client.deadline else { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: deadline) { [unowned self] in
            self.timer = nil
            self.client.handleTimeout(now: self.loop.now)
            self.drain()
        }
    }

    private func handle(_ event: TURNClient.Event) {
        switch event {
        case .allocated(let relayed, let mapped, _):
            candidate = Candidate(type: .relayed, address: relayed, relatedAddress: mapped)
            AllocationFile.save(client.savedAllocation, to: configuration.stateFile)
            for ip in wanted.keys { client.permit(ip, now: loop.now) }
            report(nil)
            candidateChanged?()
        case .permissionGranted(let ip):
            permitted.insert(ip)
            permissionGranted?(ip)
        case .permissionDenied(let ip, let error):
            permitted.remove(ip)
            permissionDenied?(ip)
            Self.logger.warning(
                "the turn server denies a permission",
                ["peer": LogValue(ip), "reason": .string(error.reason), "remedy": .string(error.remedy)])
        case .failed(let error, _):
            report(error)
        case .lost(let error):
            candidate = nil
            permitted.removeAll()
            allocationLost?()
            report(error)
        case .unresponsive:
            report(.unreachable)
        case .responsive:
            report(nil)
        case .redirected:
            if case .tcp(let stream) = transport {
                stream.connection?.close()
                connect(stream)
            }
        case .channelBound: break
        case .released:
            AllocationFile.save(nil, to: configuration.stateFile)
        }
    }

    /// Notes what is wrong with the relay, or that nothing is any more, and logs the change once.
    private func report(_ error: TURNError?) {
        guard error != failure else { return }
        failure = error
        if let error {
            Self.logger.warning(
                "the turn server fails us", ["reason": .string(error.reason), "remedy": .string(error.remedy)])
        } else {
            Self.logger.info("the relay works")
        }
        degradedChanged?()
    }

    private func transmit(_ bytes: [UInt8]) {
        switch transport {
        case .udp(let socket): unsafe bytes.withUnsafeBytes { unsafe socket.send($0, to: client.server) }
        case .tcp(let stream):
            stream.connection?.send(bytes)
        }
    }
}
