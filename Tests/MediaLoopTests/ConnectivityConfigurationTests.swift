import Core
import TURNServer
import Testing

@testable import MediaLoop

@Suite struct ConnectivityConfigurationTests {
    private let now = WallTime(secondsSince1970: 1_800_000_000)
    private let secret = Array("a secret of more than 16 bytes".utf8)

    private func embedded(_ mode: ConnectivityConfiguration.Mode) -> ConnectivityConfiguration {
        var configuration = ConnectivityConfiguration(
            relay: .embedded(.init(sharedSecret: secret)), publicAddress: .v4(0x0808_0808))
        configuration.mode = mode
        return configuration
    }

    @Test("In mode relay a browser is told relay only, the TURN port, and a credential that expires")
    func relay() throws {
        let browser = embedded(.relay).browserConfiguration(now: now, name: "viewer-1")
        #expect(browser.iceTransportPolicy == "relay")
        #expect(browser.publicIp == "8.8.8.8")
        #expect(browser.portRange == 10110...10115)
        let server = try #require(browser.iceServers.first)
        #expect(browser.iceServers.count == 1)
        #expect(server.urls == ["turn:8.8.8.8:10110"])
        #expect(server.username == "1800003600:viewer-1")
        let expected = TURNServer.credential(secret: secret, name: "viewer-1", expires: now + .seconds(3600))
        #expect(server.credential == expected.password)
    }

    @Test("In mode direct there is no TURN server to be told of")
    func direct() {
        var configuration = embedded(.direct)
        #expect(configuration.browserConfiguration(now: now, name: "v").iceServers.isEmpty)
        #expect(configuration.browserConfiguration(now: now, name: "v").iceTransportPolicy == "all")
        configuration.stunServer = "stun:stun.example.org:3478"
        #expect(
            configuration.browserConfiguration(now: now, name: "v").iceServers
                == [.init(urls: ["stun:stun.example.org:3478"])])
        #expect(!configuration.offersRelay && configuration.offersDirect)
    }

    @Test("In mode all the two candidates have ports of their own")
    func both() {
        let configuration = embedded(.all)
        #expect(configuration.browserConfiguration(now: now, name: "v").iceTransportPolicy == "all")
        #expect(configuration.browserConfiguration(now: now, name: "v").iceServers.count == 1)
        #expect(configuration.mediaPort == 10111 && configuration.directPort == 10112)
        #expect(embedded(.direct).directPort == 10111)
    }

    @Test("A host name and an IPv6 address are written as a URL demands")
    func hosts() {
        var configuration = embedded(.relay)
        configuration.publicHost = "turn.example.org"
        #expect(
            configuration.browserConfiguration(now: now, name: "v").iceServers.first?.urls
                == ["turn:turn.example.org:10110"])
        configuration.publicHost = nil
        configuration.publicAddress = .v6(high: 0x2A00_1450_0000_0000, low: 1)
        #expect(
            configuration.browserConfiguration(now: now, name: "v").iceServers.first?.urls
                == ["turn:[2a00:1450::1]:10110"])
    }

    @Test("An external relay's fixed credential is handed on, its shared secret makes one for each viewer")
    func external() {
        var relay = ConnectivityConfiguration.ExternalRelay(
            urls: ["turn:relay.example.org:3478"], serverAddress: SocketAddress(.loopbackV4, 3478),
            credentials: .fixed(username: "user", password: "pass"))
        var configuration = ConnectivityConfiguration(relay: .external(relay), publicAddress: .v4(0x0808_0808))
        #expect(
            configuration.browserConfiguration(now: now, name: "v").iceServers
                == [.init(urls: ["turn:relay.example.org:3478"], username: "user", credential: "pass")])

        relay.credentials = .sharedSecret(secret)
        configuration.relay = .external(relay)
        let one = configuration.browserConfiguration(now: now, name: "one").iceServers.first
        let two = configuration.browserConfiguration(now: now, name: "two").iceServers.first
        #expect(one?.username == "1800003600:one" && two?.username == "1800003600:two")
        #expect(one?.credential != two?.credential)
    }

    @Test("A restarted server goes on with the user name that its allocation belongs to, while that is valid")
    func ownCredential() {
        let relay = ConnectivityConfiguration.ExternalRelay(
            urls: [], serverAddress: SocketAddress(.loopbackV4, 3478), credentials: .sharedSecret(secret))
        let first = relay.ownCredential(now: now, former: nil)
        let later = relay.ownCredential(now: now + .seconds(86_400), former: first.username)
        #expect(first == later)
        let lastDay = relay.ownCredential(now: now + .seconds(365 * 86_400), former: first.username)
        #expect(lastDay.username != first.username)
        #expect(relay.ownCredential(now: now, former: "nonsense").username == first.username)
    }
}
