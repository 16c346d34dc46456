internal import Core
internal import MediaLoop
internal import MediaPipeline
internal import Signaling
internal import WebServer

/// Turns the operator's configuration into the configurations of the modules. Decides nothing else.
enum Composition {
    static func publicAddress(_ configuration: Configuration) -> IPAddress {
        IPAddress(configuration.webRTC.publicIP) ?? HostAddress.own()
    }

    /// The one object that the media loop and `/api/webrtc/config` derive from.
    ///
    /// Without `relaySecret` a random one is used; `externalAddress` is where the external relay was found.
    static func connectivity(
        _ configuration: Configuration, publicAddress: IPAddress, relaySecret: [UInt8]? = nil,
        externalAddress: SocketAddress? = nil
    ) -> ConnectivityConfiguration {
        let webRTC = configuration.webRTC
        let first = UInt16(clamping: webRTC.portMinimum)
        let range = first...max(first, UInt16(clamping: webRTC.portMaximum))
        var connectivity = ConnectivityConfiguration(
            relay: relay(configuration, secret: relaySecret, externalAddress: externalAddress),
            publicAddress: publicAddress)
        connectivity.mode =
            switch configuration.connectivity {
            case .relay: .relay
            case .direct: .direct
            case .all: .all
            }
        connectivity.bindAddress = IPAddress(webRTC.bindAddress) ?? .anyV4
        connectivity.portRange = range
        connectivity.credentialLifetime = .seconds(webRTC.credentialLifetimeSeconds)
        connectivity.stunServer = stunServer(configuration, publicAddress: publicAddress)
        if configuration.relay == .embedded, let server = ServerURL(webRTC.turnServer) {
            connectivity.publicHost = server.hostInURL
        }
        return connectivity
    }

    private static func relay(
        _ configuration: Configuration, secret: [UInt8]?, externalAddress: SocketAddress?
    ) -> ConnectivityConfiguration.Relay {
        let webRTC = configuration.webRTC
        if configuration.relay == .external, configuration.connectivity != .direct, let externalAddress,
            let server = ServerURL(webRTC.turnServer)
        {
            var external = ConnectivityConfiguration.ExternalRelay(
                urls: [server.url], serverAddress: externalAddress,
                credentials: webRTC.turnSharedSecret.isEmpty
                    ? .fixed(username: webRTC.turnUsername, password: webRTC.turnPassword)
                    : .sharedSecret(Array(webRTC.turnSharedSecret.utf8)))
            let reached = ServerURL(webRTC.turnServerLocal) ?? server
            external.usesTCP = reached.usesTCP
            external.localPort = UInt16(clamping: webRTC.turnLocalPort)
            external.stateFile = "\(configuration.storage.stateDirectory)/relay-allocation.json"
            return .external(external)
        }
        var embedded = ConnectivityConfiguration.EmbeddedRelay(sharedSecret: secret ?? RandomSource.system.bytes(32))
        embedded.port = UInt16(clamping: webRTC.portMinimum)
        embedded.realm = configuration.embeddedRelay.realm
        embedded.allocationsPerCredential = configuration.embeddedRelay.allocationsPerCredential
        embedded.allocationsPerAddress = configuration.embeddedRelay.allocationsPerAddress
        embedded.streamConnections = configuration.embeddedRelay.streamConnections
        return .embedded(embedded)
    }

    /// The configured server; else the embedded relay itself, which answers Binding requests.
    private static func stunServer(_ configuration: Configuration, publicAddress: IPAddress) -> String? {
        let webRTC = configuration.webRTC
        if let server = ServerURL(webRTC.stunServer) { return "stun:\(server.hostInURL):\(server.port)" }
        guard configuration.relay == .embedded, configuration.connectivity != .direct else { return nil }
        let host = publicAddress.isIPv4 ? "\(publicAddress)" : "[\(publicAddress)]"
        return "stun:\(ServerURL(webRTC.turnServer)?.hostInURL ?? host):\(webRTC.portMinimum)"
    }

    static func mediaLoop(
        _ configuration: Configuration, connectivity: ConnectivityConfiguration
    ) -> MediaLoopConfiguration {
        var media = MediaLoopConfiguration(connectivity: connectivity)
        media.maximumViewers = configuration.webRTC.maximumViewers
        media.maximumViewersPerAddress = configuration.webRTC.maximumViewersPerAddress
        return media
    }

    /// The size and the rates of every stage.
    static func stage(_ configuration: Configuration) -> StageConfiguration {
        var stage = StageConfiguration()
        stage.width = configuration.avatar.width
        stage.height = configuration.avatar.height
        stage.framesPerSecond = configuration.avatar.framesPerSecond
        stage.videoBitRate = configuration.avatar.videoBitRate
        stage.audioBitRate = configuration.avatar.audioBitRate
        return stage
    }

    /// What the configuration's profiles show, by avatar id.
    static func pictures(_ configuration: Configuration) -> [String: StagePicture] {
        var pictures: [String: StagePicture] = [:]
        for (id, profile) in configuration.profiles {
            pictures[id] =
                profile.engine.isEmpty
                ? .builtIn
                : .engine(name: profile.engine, avatar: profile.engineAvatar.isEmpty ? id : profile.engineAvatar)
        }
        return pictures
    }

    static func engine(_ name: String, _ configuration: Configuration.Engine) -> EngineConfiguration {
        var environment: [String: String] = [:]
        for variable in configuration.environment {
            let name = variable.prefix { $0 != "=" }
            environment[String(name)] = String(variable.dropFirst(name.count + 1))
        }
        return EngineConfiguration(
            name: name, command: configuration.command, endpoint: configuration.endpoint,
            serverSecretKeyFile: given(configuration.serverSecretKeyFile),
            clientPublicKeys: configuration.clientPublicKeys, maximumRestarts: configuration.maximumRestarts,
            idleMemoryLimit: configuration.idleMemoryMegabytes << 20, environment: environment)
    }

    static func signaling(
        _ configuration: Configuration, publicAddress: IPAddress, robots: ComposedRobots? = nil,
        control: ComposedRobotControl? = nil
    ) -> SignalingConfiguration {
        var url = configuration.signaling.publicURL
        while url.hasSuffix("/") { url.removeLast() }
        if url.isEmpty {
            url = "ws://\(SocketAddress(publicAddress, UInt16(clamping: configuration.signaling.port)))"
        }
        var signaling = SignalingConfiguration(publicWebSocketURL: url)
        signaling.managementToken = given(configuration.management.bearerToken)
        signaling.userToken = given(configuration.signaling.userToken)
        signaling.publicStage = configuration.publicStage.enabled ? configuration.publicStage.name : nil
        signaling.publicAvatarID = given(configuration.publicStage.avatarID)
        signaling.isWHEPEnabled = configuration.whep.enabled
        signaling.whepToken = given(configuration.whep.bearerToken)
        signaling.maximumSessions = configuration.sessions.maximum
        signaling.maximumUserStages = configuration.sessions.maximum
        signaling.sessionTimeout = .seconds(configuration.sessions.timeoutSeconds)
        signaling.maximumUploadBytes = configuration.avatars.maximumUploadBytes
        signaling.robots = robots?.exposures ?? [:]
        signaling.access = (robots?.access ?? []) + [control?.robotAccess].compactMap(\.self)
        if let control { signaling.otherDegraded = { control.degraded } }
        signaling.versions = ["avatar-streamer": ReportCommands.programVersion]
        for library in TestedLibrary.all {
            if let text = library.loaded(), let version = LibraryVersion(in: text) {
                signaling.versions[library.name] = version.description
            }
        }
        return signaling
    }

    private static func given(_ text: String) -> String? { text.isEmpty ? nil : text }

    /// Both ports, each with its routes.
    static func listeners(_ configuration: Configuration, service: SignalingService) -> [ListenerConfiguration] {
        let cors = CORSPolicy(
            origins: configuration.management.corsOrigins.contains("*")
                ? .any : .list(configuration.management.corsOrigins))
        var management = Router.answeringInJSON()
        ManagementAPI(service: service).add(to: &management)
        if configuration.whep.enabled { WHEPEndpoint(service: service).add(to: &management) }
        let page = StaticFiles(root: configuration.storage.webRoot)
        management.add(.get, "/{path...}") { request in
            let response = await page.respond(to: request)
            // A missing page is a text for people, a missing API route is JSON for programs.
            let isAPI = ["/v1/", "/mgmt/", "/api/", "/ws/"].contains { request.path.hasPrefix($0) }
            return response.status == .notFound && isAPI ? ManagementAPI.notFound : response
        }
        var signaling = Router.answeringInJSON()
        SignalingRoutes(service: service).add(to: &signaling)
        var limits = ListenerConfiguration.Limits()
        limits.webSocketMessagesPerSecond = 50
        // A recorded question comes whole; one may wait behind the one that is being looked at.
        limits.webSocketMessageBytes = ClientMessageLimits.message
        limits.webSocketIncomingBytes = ClientMessageLimits.message + (1 << 20)
        return [
            ListenerConfiguration(
                name: "management", address: address(configuration.management.host, configuration.management.port),
                router: management, cors: cors),
            ListenerConfiguration(
                name: "signaling", address: address(configuration.signaling.host, configuration.signaling.port),
                router: signaling, limits: limits, cors: cors),
        ]
    }

    private static func address(_ host: String, _ port: Int) -> SocketAddress {
        SocketAddress(IPAddress(host) ?? .anyV4, UInt16(clamping: port))
    }
}

extension ServerURL {
    /// The host as URLs write it: IPv6 addresses in brackets.
    var hostInURL: String { host.contains(":") ? "[\(host)]" : host }

    /// `turn:HOST:PORT`, with `?transport=tcp` where TCP is meant.
    var url: String { "\(scheme):\(hostInURL):\(port)\(usesTCP ? "?transport=tcp" : "")" }
}
