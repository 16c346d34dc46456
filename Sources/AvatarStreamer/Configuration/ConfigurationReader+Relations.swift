/// What must fit together, once every value is right in itself.
extension ConfigurationReader {
    mutating func checkRelations() {
        let webRTC = configuration.webRTC
        if webRTC.portMaximum < webRTC.portMinimum {
            contradict(
                "webrtc.port_max", found: "\(webRTC.portMaximum)",
                expected: "at least webrtc.port_min, which is \(webRTC.portMinimum)")
        }
        if configuration.management.port == configuration.signaling.port {
            contradict(
                "signaling.port", found: "\(configuration.signaling.port)",
                expected: "another port than management.port has")
        }
        for (key, value) in [
            ("avatar.width", configuration.avatar.width), ("avatar.height", configuration.avatar.height),
        ]
        where value % 2 != 0 {
            contradict(key, found: "\(value)", expected: "an even number: VP8 halves the colour planes")
        }
        checkExternalRelay()
        check(configuration.conversation, prefix: "")
        for (name, engine) in configuration.engines.sorted(by: { $0.key < $1.key }) { check(engine, name) }
        for (id, profile) in configuration.profiles.sorted(by: { $0.key < $1.key }) { check(profile, id) }
        checkRobots()
        checkRobotControl()
    }

    private mutating func checkExternalRelay() {
        let webRTC = configuration.webRTC
        guard configuration.relay == .external, configuration.connectivity != .direct else { return }
        if webRTC.turnServer.isEmpty {
            contradict("webrtc.turn_server", found: "nothing", expected: "turn:HOST:PORT, since relay is external")
        }
        if webRTC.turnSharedSecret.isEmpty, webRTC.turnUsername.isEmpty || webRTC.turnPassword.isEmpty {
            contradict(
                "webrtc.turn_username", found: "no complete credential",
                expected: "turn_username and turn_password, or turn_shared_secret, since relay is external")
        }
    }

    /// A profile that repeats a fault of what holds for every avatar is not complained of again.
    private mutating func check(_ conversation: Configuration.Conversation, prefix: String) {
        let base = prefix.isEmpty ? nil : configuration.conversation
        if base?.voice != conversation.voice {
            check(conversation.voice.service, isUsed: conversation.voice.backend == .openai, "\(prefix)voice")
        }
        if base?.hearing != conversation.hearing {
            check(conversation.hearing.service, isUsed: conversation.hearing.backend == .openai, "\(prefix)hearing")
        }
        if base?.answering != conversation.answering {
            check(
                conversation.answering.service, isUsed: conversation.answering.backend == .openai,
                "\(prefix)answering")
        }
    }

    private mutating func check(_ service: Configuration.Service, isUsed: Bool, _ section: String) {
        if isUsed, service.url.isEmpty {
            contradict(
                "\(section).url", otherwise: "\(section).backend", found: "nothing",
                expected: "http://HOST:PORT/v1, since \(section).backend is openai")
        }
        if isUsed, service.model.isEmpty {
            contradict(
                "\(section).model", otherwise: "\(section).backend", found: "nothing",
                expected: "the name of a model, since \(section).backend is openai")
        }
        if !service.apiKeyEnvironment.isEmpty, !service.apiKeyFile.isEmpty {
            contradict(
                "\(section).api_key_file", found: "a file besides \(section).api_key_env",
                expected: "one of the two")
        }
    }

    private mutating func check(_ engine: Configuration.Engine, _ name: String) {
        guard engine.endpoint.hasPrefix("tcp://") else { return }
        // Without keys anybody who reaches the port could be the avatar's face.
        if engine.serverSecretKeyFile.isEmpty {
            contradict(
                "engines.\(name).server_secret_key_file", otherwise: "engines.\(name).endpoint", found: "nothing",
                expected: "a file with this server's CURVE key, since the endpoint is tcp://")
        }
        if engine.clientPublicKeys.isEmpty {
            contradict(
                "engines.\(name).client_public_keys", otherwise: "engines.\(name).endpoint", found: "nothing",
                expected: "the engine's public CURVE key, since the endpoint is tcp://")
        }
    }

    private mutating func check(_ profile: Configuration.Profile, _ id: String) {
        if !profile.engine.isEmpty, configuration.engines[profile.engine] == nil {
            let known = configuration.engines.keys.sorted().joined(separator: ", ")
            contradict(
                "profiles.\(id).engine", found: "\"\(profile.engine)\"",
                expected: known.isEmpty ? "an engine of engines, which names none" : "one of \(known)")
        }
        if profile.engine.isEmpty, !profile.engineAvatar.isEmpty {
            contradict(
                "profiles.\(id).engine_avatar", found: "\"\(profile.engineAvatar.prefix(60))\"",
                expected: "nothing, or profiles.\(id).engine as well")
        }
        check(profile.conversation, prefix: "profiles.\(id).")
    }
}
