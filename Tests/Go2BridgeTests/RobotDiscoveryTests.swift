import Core
import Networking
import Synchronization
import TestSupport
import Testing

@testable import Go2Bridge

struct RobotSearchTests {
    private let start = Instant.zero

    private func answer(_ serial: String, _ ip: String) -> [UInt8] {
        Array("{\"sn\":\"\(serial)\",\"ip\":\"\(ip)\"}".utf8)
    }

    private func isNew(_ bytes: [UInt8], _ search: inout RobotSearch) -> Bool {
        search.handle(bytes, from: .loopbackV4) != nil
    }

    @Test("the query names the robot that is looked for, or none")
    func query() {
        let one = RobotSearch(serialNumber: "B42D1000P1234567", now: start)
        #expect(
            String(decoding: one.query, as: UTF8.self) == "{\"name\":\"unitree_dapengche\",\"sn\":\"B42D1000P1234567\"}"
        )
        let all = RobotSearch(serialNumber: nil, now: start)
        #expect(String(decoding: all.query, as: UTF8.self) == "{\"name\":\"unitree_dapengche\"}")
    }

    @Test("queries go out three times at 200 ms, then each second, until the time is up")
    func queries() {
        var search = RobotSearch(serialNumber: nil, now: start)
        var sent: [Double] = []
        var now = start
        while !search.isOver(now: now) {
            if search.takesQuery(now: now) { sent.append((now - start).seconds) }
            let isDueAgain = search.takesQuery(now: now)
            #expect(!isDueAgain)
            now = search.deadline
        }
        #expect(sent == [0, 0.2, 0.4, 1.4, 2.4, 3.4, 4.4])
        #expect((now - start).seconds == 5)
    }

    @Test("the robot's own word for its address counts, unless it is no address")
    func addresses() {
        let source = IPAddress.v4(0x0A00_0005)
        for (stated, expected) in [
            ("10.0.0.7", "10.0.0.7"), ("0.0.0.0", "10.0.0.5"), ("255.255.255.255", "10.0.0.5"),
            ("231.1.1.1", "10.0.0.5"), ("robot.local", "10.0.0.5"),
        ] {
            var search = RobotSearch(serialNumber: nil, now: start)
            let robot = search.handle(answer("B1", stated), from: source)
            #expect(robot?.ip == IPAddress(expected))
        }
    }

    @Test("the search ends with the robot that is looked for, not with another")
    func match() {
        var search = RobotSearch(serialNumber: "B2", now: start)
        let isOtherTaken = isNew(answer("B1", "10.0.0.7"), &search)
        #expect(isOtherTaken)
        #expect(!search.isOver(now: start))
        let isWantedTaken = isNew(answer("B2", "10.0.0.8"), &search)
        #expect(isWantedTaken)
        #expect(search.match?.ip == IPAddress("10.0.0.8"))
        #expect(search.isOver(now: start))
        let isStillAsking = search.takesQuery(now: start)
        #expect(!isStillAsking)
    }

    @Test("each robot counts once, rubbish not at all, and a flood of robots up to the limit")
    func hostileAnswers() {
        var search = RobotSearch(serialNumber: nil, now: start)
        let isNewTaken = isNew(answer("B1", "10.0.0.7"), &search)
        #expect(isNewTaken)
        let isRepeatTaken = isNew(answer("B1", "10.0.0.7"), &search)
        #expect(!isRepeatTaken)
        let rubbish = [
            [], Array("hello".utf8), Array("{\"sn\":7}".utf8), Array("[1]".utf8), answer("", "10.0.0.7"),
            answer("B\\u001b[2J", "10.0.0.7"), answer(String(repeating: "B", count: 65), "10.0.0.7"),
            [UInt8](repeating: 0x5B, count: 1024),
        ]
        for bytes in rubbish {
            let isTaken = isNew(bytes, &search)
            #expect(!isTaken)
        }
        #expect(search.malformedAnswers == rubbish.count)
        for index in 0..<1_000 { _ = search.handle(answer("C\(index)", "10.0.0.7"), from: .loopbackV4) }
        #expect(search.found.count == 64)
    }
}

/// Searches over loopback, with a responder that plays the robots.
@Suite(.serialized) struct RobotDiscoveryTests {
    /// Answers each query to whoever sent it.
    private final class Responder: Sendable {
        let loop: EventLoop
        let port: UInt16
        let queries = Mutex<[String]>([])

        init(_ answers: [String]) async throws {
            loop = try EventLoop(name: "responder")
            try loop.start()
            let socket = try UDPSocket(binding: SocketAddress(.anyV4, 0))
            try socket.join(.v4(0xE701_0101), on: "lo")
            port = socket.localAddress.port
            let loop = loop
            _ = await loop.perform { [self] in
                try? socket.startReceiving(on: loop, into: ReceiveArena(count: 4)) { bytes, source in
                    self.queries.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
                    for answer in answers { socket.send(Array(answer.utf8), to: source) }
                }
            }
        }
    }

    private func configuration(_ responder: Responder?, seconds: Int = 5) -> RobotDiscovery.Configuration {
        var configuration = RobotDiscovery.Configuration()
        configuration.answerPort = 0
        configuration.group.port = responder?.port ?? 9
        configuration.limits.duration = .seconds(seconds)
        return configuration
    }

    @Test("a robot is found by its serial number among others, and the socket is open only meanwhile")
    func finds() async throws {
        let responder = try await Responder([
            "rubbish", "{\"sn\":\"B1\",\"ip\":\"127.0.0.7\"}", "{\"sn\":\"B2\",\"ip\":\"127.0.0.8\"}",
        ])
        let loop = try EventLoop(name: "discovery")
        try loop.start()
        let discovery = RobotDiscovery(loop: loop, configuration: configuration(responder))
        let heard = Mutex<[String]>([])
        // Two at a time share one socket.
        async let first = discovery.find(serialNumber: "B2", interface: "lo") { line in
            heard.withLock { $0.append(line) }
        }
        async let second = discovery.find(serialNumber: "B1", interface: "lo")
        #expect(try await first == IPAddress("127.0.0.8"))
        #expect(try await second == IPAddress("127.0.0.7"))
        // And again, with a new socket.
        #expect(try await discovery.find(serialNumber: "B1", interface: "lo") == IPAddress("127.0.0.7"))
        #expect(responder.queries.withLock { $0.contains { $0.contains("\"sn\":\"B2\"") } })
        let evidence = heard.withLock { $0 }
        #expect(evidence.first?.hasSuffix("through lo") == true)
        #expect(evidence.contains { $0.hasPrefix("the robot answered from") })
        #expect(!evidence.joined().contains("B2"))
        await loop.stop()
        await responder.loop.stop()
    }

    @Test("a list holds every robot once, each told as it answers")
    func lists() async throws {
        let responder = try await Responder([
            "{\"sn\":\"B1\",\"ip\":\"127.0.0.7\"}", "{\"sn\":\"B2\",\"ip\":\"127.0.0.8\"}",
        ])
        let loop = try EventLoop(name: "discovery")
        try loop.start()
        let discovery = RobotDiscovery(loop: loop, configuration: configuration(responder, seconds: 1))
        let told = Mutex<[String]>([])
        let found = try await discovery.list(interface: "lo") { robot in
            told.withLock { $0.append(robot.serialNumber) }
        }
        #expect(Set(found.map(\.serialNumber)) == ["B1", "B2"])
        #expect(told.withLock { $0 }.count == 2)
        await loop.stop()
        await responder.loop.stop()
    }

    @Test("silence, a missing interface, a taken port and a stop each have their own code")
    func failures() async throws {
        let loop = try EventLoop(name: "discovery")
        try loop.start()
        let silent = RobotDiscovery(loop: loop, configuration: configuration(nil, seconds: 1))
        #expect(await code { try await silent.find(serialNumber: "B1", interface: "lo") } == "not_found")
        #expect(await code { try await silent.find(serialNumber: "B1", interface: "none0") } == "no_interface")
        let holder = try UDPSocket(binding: SocketAddress(.anyV4, 0))
        var taken = configuration(nil)
        taken.answerPort = holder.localAddress.port
        let blocked = RobotDiscovery(loop: loop, configuration: taken)
        #expect(await code { try await blocked.find(serialNumber: "B1", interface: "lo") } == "port_taken")
        let long = RobotDiscovery(loop: loop, configuration: configuration(nil, seconds: 3600))
        let began = Mutex(false)
        let search = Task {
            await code {
                try await long.find(serialNumber: "B1", interface: "lo") { _ in began.withLock { $0 = true } }
            }
        }
        while !began.withLock({ $0 }) { await Task.yield() }
        search.cancel()
        #expect(await search.value == "cancelled")
        let other = Task { await code { try await long.find(serialNumber: "B1", interface: "lo") } }
        await Task.yield()
        await loop.stop()
        #expect(await other.value == "cancelled")
    }

    private func code(_ body: () async throws -> IPAddress) async -> String? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? PhaseFailure)?.code
        }
    }
}
