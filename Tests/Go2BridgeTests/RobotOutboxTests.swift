import Core
import PeerConnection
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Robot session: what waits for a full channel")
struct RobotOutboxTests {
    private func request(_ id: Int32, _ apiID: Int32, timeout: Duration = .seconds(5)) -> RobotOrder {
        .request(RobotRequest(id: id, topic: RobotTopic.sport, apiID: apiID, timeout: timeout))
    }

    private func apiIDs(_ messages: [JSONValue]) -> [Int] {
        messages.compactMap { $0["data"]?["header"]?["identity"]?["api_id"]?.integerValue }
    }

    private static var small: RobotSessionLimits {
        var limits = RobotSessionLimits()
        limits.maximumQueuedMessages = 4
        return limits
    }

    @Test("A message waits until the channel has taken it")
    func waits() {
        var bench = SessionBench.validated()
        bench.perform(.subscribe(topic: "rt/a"))
        let first = bench.session.nextTransmit
        #expect(first != nil && bench.session.nextTransmit == first)
        bench.session.transmitted()
        #expect(bench.session.nextTransmit == nil)
        #expect(bench.session.statistics.messagesSent == 2)
    }

    @Test("Where too much waits, requests are refused; stops, subscriptions and switches are not")
    func limit() {
        var bench = SessionBench.validated(limits: Self.small)
        for id in Int32(1)...6 { bench.perform(request(id, 1004)) }
        #expect(bench.events().failures == [.tooMany(limit: 4), .tooMany(limit: 4)])
        for topic in 0..<20 { bench.perform(.subscribe(topic: "rt/topic\(topic)")) }
        bench.perform(.camera(isOn: true))
        bench.perform(request(7, 1003))
        let sent = bench.sent()
        #expect(apiIDs(sent) == [1003, 1004, 1004, 1004, 1004])
        #expect(sent.types.count { $0 == "subscribe" } == 20)
        #expect(sent.types.count { $0 == "vid" } == 1)
        #expect(bench.events().failures.isEmpty)
    }

    @Test("However often stops and wishes are repeated, what waits stays bounded and the newest holds")
    func bounded() {
        var bench = SessionBench.validated(limits: Self.small)
        for turn in Int32(0)..<1_000 {
            bench.perform(request(turn + 1, 1003, timeout: .zero))
            bench.perform(.subscribe(topic: "rt/a"))
            bench.perform(.camera(isOn: turn % 2 == 0))
            bench.perform(.unsubscribe(topic: "rt/a"))
            bench.perform(.subscribe(topic: "rt/b\(turn)"))
            bench.perform(.unsubscribe(topic: "rt/b\(turn)"))
        }
        bench.perform(.subscribe(topic: "rt/a"))
        let sent = bench.sent()
        #expect(sent.count <= 20)
        #expect(apiIDs(sent).first == 1003)
        #expect(sent.last == ["type": "subscribe", "topic": "rt/a"])
        #expect(sent.filter { $0["type"] == "vid" }.map { $0["data"] } == ["off"])
    }

    @Test("Of velocities the newest waits, and a stop takes it back")
    func velocities() {
        var bench = SessionBench.validated()
        for id in Int32(1)...3 { bench.perform(request(id, 1008)) }
        #expect(apiIDs(bench.sent()) == [1008])
        bench.perform(request(4, 1008))
        bench.perform(request(5, 1003))
        #expect(apiIDs(bench.sent()) == [1003])
    }

    @Test("A request that nobody waits for any more is not made late, a stop is")
    func late() {
        var bench = SessionBench.validated()
        bench.perform(request(1, 1004, timeout: .seconds(1)))
        bench.perform(request(2, 1003, timeout: .seconds(1)))
        bench.advance(by: .seconds(1))
        #expect(bench.events().failures.count == 2)
        #expect(apiIDs(bench.sent()) == [1003])
    }

    @Test("A robot that forgets us hears the answer first, and the wishes once it has let us in")
    func forgotten() {
        var bench = SessionBench.validated()
        bench.perform(.subscribe(topic: "rt/a"))
        bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
        #expect(bench.sent().types == ["validation"])
        bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
        #expect(bench.sent().types == ["subscribe"])
    }
}
