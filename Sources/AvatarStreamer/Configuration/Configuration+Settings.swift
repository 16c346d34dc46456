extension Configuration {
    /// Every key there is. The reader, `check-config`, and the test of the sample file all work from this table.
    static let settings: [Setting<Configuration>] =
        [
            .choice("connectivity", \.connectivity),
            .choice("relay", \.relay),

            .text(
                "management.host", \.management.host, expected: "an IP address to listen on",
                environment: "MANAGEMENT_API_HOST", where: SettingRule.isAddress),
            .integer("management.port", \.management.port, 1...65535, environment: "MANAGEMENT_API_PORT"),
            .text(
                "management.bearer_token", \.management.bearerToken, expected: "a token without spaces, or nothing",
                isSecret: true, where: SettingRule.isToken),
            .list(
                "management.cors_origins", \.management.corsOrigins,
                expected: "a list of origins such as [\"https://example.org\"], or [\"*\"]"),

            .text(
                "signaling.host", \.signaling.host, expected: "an IP address to listen on",
                environment: "WEBSOCKET_HOST",
                where: SettingRule.isAddress),
            .integer("signaling.port", \.signaling.port, 1...65535, environment: "WEBSOCKET_PORT"),
            .text(
                "signaling.public_url", \.signaling.publicURL, expected: "ws://… or wss://…, or nothing",
                environment: "WEBSOCKET_URL",
                where: { $0.isEmpty || $0.hasPrefix("ws://") || $0.hasPrefix("wss://") }),
            .text(
                "signaling.user_token", \.signaling.userToken, expected: "a token without spaces, or nothing",
                isSecret: true, where: SettingRule.isToken),

            .integer("sessions.maximum", \.sessions.maximum, 1...100_000, environment: "MAX_SESSIONS"),
            .integer(
                "sessions.timeout_seconds", \.sessions.timeoutSeconds, 10...604_800,
                environment: "SESSION_TIMEOUT_SECONDS"),

            .text(
                "webrtc.public_ip", \.webRTC.publicIP, expected: "an IP address, or auto",
                environment: "WEBRTC_PUBLIC_IP", where: { $0 == "auto" || SettingRule.isAddress($0) }),
            .text(
                "webrtc.bind_address", \.webRTC.bindAddress, expected: "an IP address to bind to",
                where: SettingRule.isAddress),
            .integer("webrtc.port_min", \.webRTC.portMinimum, 1...65535, environment: "WEBRTC_PORT_MIN"),
            .integer("webrtc.port_max", \.webRTC.portMaximum, 1...65535, environment: "WEBRTC_PORT_MAX"),
            .text(
                "webrtc.stun_server", \.webRTC.stunServer, expected: "stun:HOST:PORT, or nothing",
                environment: "WEBRTC_STUN_SERVER", where: { $0.isEmpty || SettingRule.isServer($0, schemes: ["stun"]) }),
            .text(
                "webrtc.turn_server", \.webRTC.turnServer, expected: "turn:HOST:PORT, or nothing",
                environment: "WEBRTC_TURN_SERVER", where: { $0.isEmpty || SettingRule.isServer($0, schemes: ["turn"]) }),
            .text(
                "webrtc.turn_server_local", \.webRTC.turnServerLocal, expected: "turn:IP:PORT, or nothing",
                environment: "WEBRTC_TURN_SERVER_LOCAL",
                where: { $0.isEmpty || SettingRule.isServer($0, schemes: ["turn"]) }),
            .text(
                "webrtc.turn_username", \.webRTC.turnUsername, expected: "a user name of at most 508 bytes",
                environment: "WEBRTC_TURN_USERNAME", where: { $0.utf8.count <= 508 }),
            .text(
                "webrtc.turn_password", \.webRTC.turnPassword, expected: "a password of at most 508 bytes",
                environment: "WEBRTC_TURN_PASSWORD", isSecret: true, where: { $0.utf8.count <= 508 }),
            .text(
                "webrtc.turn_shared_secret", \.webRTC.turnSharedSecret,
                expected: "coturn's static-auth-secret, or nothing",
                isSecret: true, where: { $0.utf8.count <= 508 }),
            .integer("webrtc.turn_local_port", \.webRTC.turnLocalPort, 1...65535),
            .integer("webrtc.credential_lifetime_seconds", \.webRTC.credentialLifetimeSeconds, 600...604_800),
            .integer("webrtc.maximum_viewers", \.webRTC.maximumViewers, 1...100_000),
            .integer("webrtc.maximum_viewers_per_address", \.webRTC.maximumViewersPerAddress, 1...100_000),

            .text(
                "embedded_relay.realm", \.embeddedRelay.realm, expected: "a name of at most 127 bytes",
                where: { !$0.isEmpty && $0.utf8.count <= 127 }),
            .text(
                "embedded_relay.shared_secret", \.embeddedRelay.sharedSecret,
                expected: "a secret of at least 16 bytes, or nothing", isSecret: true,
                where: { $0.isEmpty || $0.utf8.count >= 16 }),
            .integer("embedded_relay.allocations_per_credential", \.embeddedRelay.allocationsPerCredential, 1...60_000),
            .integer("embedded_relay.allocations_per_address", \.embeddedRelay.allocationsPerAddress, 1...60_000),
            .integer("embedded_relay.stream_connections", \.embeddedRelay.streamConnections, 0...60_000),

            .integer("avatar.width", \.avatar.width, 64...1920),
            .integer("avatar.height", \.avatar.height, 64...1920),
            .integer("avatar.frames_per_second", \.avatar.framesPerSecond, 5...60),
            .integer("avatar.video_bit_rate", \.avatar.videoBitRate, 50_000...20_000_000),
            .integer("avatar.audio_bit_rate", \.avatar.audioBitRate, 8_000...256_000),

            .text("avatars.directory", \.avatars.directory, expected: "a folder", where: { !$0.isEmpty }),
            .list(
                "avatars.video_roots", \.avatars.videoRoots,
                expected: "a list of folders such as [\"/srv/avatars\"], or []"),
            .integer("avatars.maximum_upload_bytes", \.avatars.maximumUploadBytes, 1024...1_073_741_824),
            .integer("avatars.maximum_count", \.avatars.maximumCount, 1...100_000),

            .boolean("public_stage.enabled", \.publicStage.enabled),
            .text(
                "public_stage.name", \.publicStage.name,
                expected: "1 to 64 letters, digits, hyphens and underscores", where: SettingRule.isPlainName),
            .text(
                "public_stage.avatar_id", \.publicStage.avatarID,
                expected: "the id of a registered avatar, or nothing",
                where: { $0.isEmpty || SettingRule.isPlainName($0) }),

            .boolean("whep.enabled", \.whep.enabled),
            .text(
                "whep.bearer_token", \.whep.bearerToken, expected: "a token without spaces, or nothing", isSecret: true,
                where: SettingRule.isToken),

            .text("storage.state_directory", \.storage.stateDirectory, expected: "a folder", where: { !$0.isEmpty }),
            .text("storage.web_root", \.storage.webRoot, expected: "a folder", where: { !$0.isEmpty }),

            .choice("logging.level", \.logging.level, environment: "LOG_LEVEL"),
            .choice("logging.format", \.logging.format),
            .boolean("logging.show_addresses", \.logging.showAddresses),

            .integer("shutdown.drain_seconds", \.shutdown.drainSeconds, 0...300),
        ] + Conversation.settings.map { $0.within(\.conversation) }
        + RobotControl.settings.map { $0.within(\.robotControl) }
}
