import Core
import MediaLoop
import Signaling
import Testing

@testable import AvatarStreamer

@Suite("Start-up")
struct StartupTests {
    private func configuration(_ text: String) throws -> Configuration {
        try ConfigurationReader.read(Array(text.utf8), file: "", environment: [:])
    }

    @Test("Each mode needs its own ports")
    func neededPorts() throws {
        func ports(_ text: String) throws -> [String] {
            PortCheck.needed(by: try configuration(text)).map { "\($0.transport) \($0.port)" }
        }
        #expect(try ports("") == ["tcp 9000", "tcp 9001", "udp 10110", "tcp 10110", "udp 10111"])
        #expect(try ports("connectivity: direct") == ["tcp 9000", "tcp 9001", "udp 10111"])
        #expect(
            try ports("connectivity: all") == [
                "tcp 9000", "tcp 9001", "udp 10110", "tcp 10110", "udp 10111", "udp 10112",
            ])
        let external = "relay: external\nwebrtc: {turn_server: 'turn:h:1', turn_username: u, turn_password: p}"
        #expect(try ports(external) == ["tcp 9000", "tcp 9001", "udp 10116"])
    }

    @Test("A port that somebody holds is named with its holder and the key that moves it")
    func conflicts() {
        let conflicts = PortCheck.conflicts(PortCheck.needed(by: Configuration())) { port, transport in
            port == 10110 && "\(transport)" == "udp" ? "pid 7 (coturn)" : nil
        }
        #expect(
            conflicts == [
                "UDP port 10110 (embedded relay) is held by pid 7 (coturn): stop it, or set webrtc.port_min"
            ])
    }

    @Test("The ICE configuration follows the operator's, for the embedded relay")
    func embedded() throws {
        let settings = try configuration(
            "webrtc: {port_min: 20110, port_max: 20115, credential_lifetime_seconds: 700}\n"
                + "embedded_relay: {realm: r, allocations_per_credential: 3}")
        let secret = [UInt8](repeating: 7, count: 16)
        let connectivity = Composition.connectivity(settings, publicAddress: .v4(0xCB00_7109), relaySecret: secret)
        guard case .embedded(let relay) = connectivity.relay else {
            Issue.record("not embedded")
            return
        }
        #expect(relay.port == 20110)
        #expect(relay.realm == "r")
        #expect(relay.sharedSecret == secret)
        #expect(relay.allocationsPerCredential == 3)
        #expect(connectivity.mode == .relay)
        #expect(connectivity.portRange == 20110...20115)
        #expect(connectivity.credentialLifetime == .seconds(700))
        #expect(connectivity.stunServer == "stun:203.0.113.9:20110")
        let named = Composition.connectivity(
            try configuration("webrtc: {turn_server: 'turn:avatar.example.org:10110'}"),
            publicAddress: .v4(0xCB00_7109))
        #expect(named.publicHost == "avatar.example.org")
    }

    @Test("The ICE configuration follows the operator's, for coturn")
    func external() throws {
        let settings = try configuration(
            "relay: external\nwebrtc: {turn_server: 'turn:t.example:10110', turn_server_local: 'turn:127.0.0.1:10110', "
                + "turn_username: u, turn_password: p, stun_server: 'stun:s.example:3478'}")
        let address = SocketAddress(.loopbackV4, 10110)
        let connectivity = Composition.connectivity(
            settings, publicAddress: .v4(0xCB00_7109), externalAddress: address)
        guard case .external(let relay) = connectivity.relay, case .fixed("u", "p") = relay.credentials else {
            Issue.record("not external")
            return
        }
        #expect(relay.urls == ["turn:t.example:10110"])
        #expect(relay.serverAddress == address)
        #expect(relay.localPort == 10116)
        #expect(relay.stateFile == "var/state/relay-allocation.json")
        #expect(connectivity.stunServer == "stun:s.example:3478")
    }

    @Test("The public WebSocket address is the configured one, else the public address and port")
    func webSocketURL() throws {
        let own = Composition.signaling(Configuration(), publicAddress: .v4(0xCB00_7109))
        #expect(own.publicWebSocketURL == "ws://203.0.113.9:9001")
        let configured = Composition.signaling(
            try configuration("signaling: {public_url: 'wss://a.example/'}"), publicAddress: .loopbackV4)
        #expect(configured.publicWebSocketURL == "wss://a.example")
    }

    @Test("The configured relay secret is used; else one is made and kept")
    func relaySecret() throws {
        var settings = Configuration()
        settings.embeddedRelay.sharedSecret = "sixteen-bytes-ok"
        #expect(RelaySecret.load(settings) == Array("sixteen-bytes-ok".utf8))
        settings.embeddedRelay.sharedSecret = ""
        settings.storage.stateDirectory = "/tmp/avatar-streamer-test-\(RandomSource.system.token(bits: 64))/state"
        let made = RelaySecret.load(settings, random: .seeded(1))
        #expect(made.count == 32)
        #expect(RelaySecret.load(settings, random: .seeded(2)) == made)
    }
}

@Suite("Native libraries")
struct LibraryTests {
    @Test("Versions are found in what libraries say of themselves")
    func versions() {
        #expect(LibraryVersion(in: "libsrtp2 2.5.0") == LibraryVersion(2, 5, 0))
        #expect(LibraryVersion(in: "v1.12.0") == LibraryVersion(1, 12))
        #expect(LibraryVersion(in: "libopus 1.3.1-fixed") == LibraryVersion(1, 3, 1))
        #expect(LibraryVersion(in: "OpenSSL 3.0.22 9 Jun 2026") == LibraryVersion(3, 0, 22))
        #expect(LibraryVersion(in: "4.1.6-") == LibraryVersion(4, 1, 6))
        #expect(LibraryVersion(in: "unknown") == nil)
        #expect(LibraryVersion(1, 9) < LibraryVersion(1, 10))
        #expect(LibraryVersion(1, 9) == LibraryVersion(1, 9, 0))
    }

    @Test("Inside, outside and missing are told apart")
    func findings() {
        func finding(_ text: String?) -> TestedLibrary.Finding {
            TestedLibrary(
                name: "x", package: "x", from: .init(1, 2), below: .init(2), reason: "", loaded: { text }
            ).finding
        }
        #expect(finding("1.2") == .tested(.init(1, 2)))
        #expect(finding("1.1.9") == .untested(.init(1, 1, 9)))
        #expect(finding("2.0") == .untested(.init(2, 0)))
        #expect(finding(nil) == .missing)
    }

    @Test("Every library of the list is loaded here and says its version")
    func loaded() {
        for library in TestedLibrary.all {
            #expect(library.finding != .missing, "\(library.name)")
            #expect(!library.reason.isEmpty)
        }
    }
}
