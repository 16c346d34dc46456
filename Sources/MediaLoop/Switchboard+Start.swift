internal import Core
internal import Networking
internal import PeerConnection
internal import TURNClient
internal import TURNServer

extension Switchboard {
    /// Builds the paths of the configuration on their sockets and begins to receive.
    func start(_ sockets: MediaSockets, degraded: @escaping @Sendable ([DegradedPart]) -> Void) throws(SocketError) {
        let connectivity = configuration.connectivity
        let arena = ReceiveArena()
        let relayLocal = LocalCandidateID(0)
        let directLocal = LocalCandidateID(1)
        switch connectivity.relay {
        case .embedded(let relay):
            if let front = sockets.front, let listener = sockets.listener, let media = sockets.relayMedia {
                try startEmbedded(relay, relayLocal, front, listener, media, arena)
            }
        case .external(let relay) where connectivity.offersRelay:
            try startExternal(relay, relayLocal, sockets.external, arena, degraded)
        case .external: break
        }
        if let direct = sockets.direct {
            let advertised = SocketAddress(connectivity.publicAddress, connectivity.directPort)
            add(DirectPath(local: directLocal, socket: direct, advertised: advertised))
            try unsafe direct.startReceiving(on: loop, into: arena) { [unowned self] bytes, source in
                unsafe self.receive(bytes, from: source, on: directLocal)
            }
        }
        loop.setEndOfTurn { [unowned self] in self.flush() }
    }

    private func startEmbedded(
        _ relay: ConnectivityConfiguration.EmbeddedRelay, _ local: LocalCandidateID, _ front: UDPSocket,
        _ listener: TCPListener, _ media: UDPSocket, _ arena: ReceiveArena
    ) throws(SocketError) {
        let connectivity = configuration.connectivity
        let advertised = SocketAddress(connectivity.publicAddress, connectivity.mediaPort)
        var settings = TURNServer.Configuration(
            realm: relay.realm, sharedSecret: relay.sharedSecret, relayedIP: connectivity.publicAddress,
            permittedPeers: [advertised])
        settings.limits.allocationsPerCredential = relay.allocationsPerCredential
        settings.limits.allocationsPerAddress = relay.allocationsPerAddress
        let path = EmbeddedRelayPath(
            local: local, server: TURNServer(configuration: settings, random: random), front: front,
            listener: listener, media: media, advertised: advertised, loop: loop)
        unsafe path.received = { [unowned self] bytes, source in unsafe self.receive(bytes, from: source, on: local) }
        try path.start(arena: arena)
        try unsafe media.startReceiving(on: loop, into: arena) { [unowned self, unowned path] bytes, source in
            // Nobody on the wire may pass for a relayed viewer.
            guard path.admits(source) else { return }
            unsafe self.receive(bytes, from: source, on: local)
        }
        add(path)
    }

    private func startExternal(
        _ relay: ConnectivityConfiguration.ExternalRelay, _ local: LocalCandidateID, _ socket: UDPSocket?,
        _ arena: ReceiveArena, _ degraded: @escaping @Sendable ([DegradedPart]) -> Void
    ) throws(SocketError) {
        let saved = AllocationFile.load(from: relay.stateFile)
        let (username, password) = relay.ownCredential(now: SystemClock.wallTime(), former: saved?.username)
        var settings = TURNClient.Configuration(server: relay.serverAddress, username: username, password: password)
        settings.isStream = relay.usesTCP
        settings.maximumPermissions = ExternalRelayPath.maximumPermissions
        let client = TURNClient(settings, random: random, restoring: saved)
        let path = ExternalRelayPath(
            local: local, configuration: relay, client: client,
            transport: socket.map { .udp(BatchedSocket($0)) } ?? .tcp(.init()), loop: loop)
        unsafe path.received = { [unowned self] bytes, source in unsafe self.receive(bytes, from: source, on: local) }
        path.candidateChanged = { [unowned self, unowned path] in self.localCandidateChanged(on: path) }
        path.permissionGranted = { [unowned self] ip in self.releaseCandidates(of: ip) }
        path.permissionDenied = { [unowned self] ip in self.dropCandidates(of: ip) }
        path.allocationLost = { [unowned self] in self.metrics.relayLost.increment() }
        path.degradedChanged = { [unowned path] in
            degraded(
                path.failure.map { [DegradedPart(part: "relay", reason: $0.reason, remedy: $0.remedy)] } ?? [])
        }
        add(path)
        try path.start(arena: arena)
    }

    func stop() {
        for id in viewers.keys { removeViewer(id, reason: "the server is shutting down") }
        flush()
        for path in paths {
            (path as? DirectPath)?.stop(loop)
            (path as? EmbeddedRelayPath)?.stop()
            (path as? ExternalRelayPath)?.stop()
        }
        flush()
        if let wakeUp { loop.cancel(wakeUp.timer) }
        wakeUp = nil
        loop.setEndOfTurn(nil)
    }

    var summary: MediaLoopSummary {
        var summary = MediaLoopSummary()
        summary.viewers = viewers.count
        summary.stages = stages.count
        for path in paths {
            if let embedded = path as? EmbeddedRelayPath {
                summary.allocations = embedded.server.allocationCount
                summary.relayState = "listening"
            } else if let external = path as? ExternalRelayPath {
                summary.allocations = external.candidate == nil ? 0 : 1
                summary.relayState =
                    external.failure != nil ? "failed" : external.candidate == nil ? "allocating" : "allocated"
            }
        }
        return summary
    }

    func statistics(of id: ViewerID) -> ViewerStatistics? {
        guard let viewer = viewers[id] else { return nil }
        var statistics = ViewerStatistics(viewer.peer.statistics, state: viewer.state)
        statistics.videoCodec = viewer.videoCodec?.rawValue ?? ""
        statistics.openChannels = viewer.openChannels.count
        return statistics
    }
}
