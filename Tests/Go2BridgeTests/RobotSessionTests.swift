import Core
import PeerConnection
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Robot session")
struct RobotSessionTests {
    @Test("A challenge is answered as a real robot's log shows")
    func answersChallenge() {
        var bench = SessionBench()
        bench.session.connected(now: bench.clock.now)
        bench.receive(#"{"type":"validation","data":"FU8KjrwO159aHMt1dmF"}"#)
        let sent = bench.sent()
        #expect(sent == [["type": "validation", "topic": "", "data": "Ms4+h3W1wrZ/qIudptjUig=="]])
        #expect(!bench.session.isValidated)
    }

    @Test("The first message may come before the channel counts as open")
    func firstMessageOpens() {
        var bench = SessionBench()
        bench.receive(#"{"type":"validation","data":"abc"}"#)
        bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
        #expect(bench.session.isValidated)
        #expect(bench.events().validations == 1)
    }

    @Test("Nothing but validation is said or heard before the robot has let us in")
    func silentUntilValidated() {
        var bench = SessionBench()
        bench.session.connected(now: bench.clock.now)
        bench.perform(.subscribe(topic: RobotTopic.lowState))
        bench.perform(.camera(isOn: true))
        bench.perform(.publish(topic: RobotTopic.lidarSwitch, data: "ON"))
        bench.perform(.request(RobotRequest(id: 5, topic: RobotTopic.sport, apiID: 1004)))
        bench.receive(#"{"type":"msg","topic":"rt/lf/lowstate","data":{}}"#)
        bench.receive(binary: [2, 0, 0, 0, 0x7B, 0x7D])
        #expect(bench.sent().isEmpty)
        let events = bench.events()
        #expect(events.failures == [.notConnected])
        #expect(events.topics.isEmpty)
        #expect(bench.count(.unvalidated) == 1)
        #expect(bench.session.deadline == nil)
    }

    @Test("What is wanted is told to the robot once it has let us in, and again after a lost connection")
    func restoresWishes() throws {
        var bench = SessionBench()
        bench.perform(.subscribe(topic: RobotTopic.lowState))
        bench.perform(.camera(isOn: true))
        bench.perform(.trafficSaving(isOn: false))
        for _ in 0..<2 {
            bench.session.connected(now: bench.clock.now)
            bench.receive(#"{"type":"validation","data":"x"}"#)
            bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
            let sent = bench.sent()
            #expect(sent.types == ["validation", "rtc_inner_req", "vid", "subscribe"])
            try #require(sent.count == 4)
            #expect(sent[1]["data"] == ["req_type": "disable_traffic_saving", "instruction": "on"])
            #expect(sent[2]["data"] == "on")
            #expect(sent[3] == ["type": "subscribe", "topic": "rt/lf/lowstate"])
            bench.session.disconnected()
        }
    }

    @Test("An order that repeats what stands sends nothing")
    func ordersAreIdempotent() {
        var bench = SessionBench.validated()
        for _ in 0..<3 {
            bench.perform(.subscribe(topic: RobotTopic.lowState))
            bench.perform(.camera(isOn: true))
            bench.perform(.microphone(isOn: false))
        }
        #expect(bench.sent().types == ["subscribe", "vid"])
        bench.perform(.unsubscribe(topic: RobotTopic.lowState))
        bench.perform(.unsubscribe(topic: RobotTopic.lowState))
        bench.perform(.camera(isOn: false))
        #expect(bench.sent().types == ["unsubscribe", "vid"])
    }

    @Test("Validation Needed sends the last answer again, and a loop of it is held back")
    func resendsAnswer() {
        var bench = SessionBench()
        bench.session.connected(now: bench.clock.now)
        bench.receive(#"{"type":"validation","data":"x"}"#)
        let first = bench.sent()
        bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
        #expect(bench.sent() == first)
        for _ in 0..<1_000 { bench.receive(#"{"type":"err","info":"Validation Needed."}"#) }
        #expect(bench.sent().count <= 10)
        #expect(bench.count(.tooOften) >= 990)
    }

    @Test("A robot that forgets us is answered, and orders wait until it has let us in again")
    func forgottenByRobot() {
        var bench = SessionBench.validated()
        bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
        #expect(!bench.session.isValidated)
        #expect(bench.sent().types == ["validation"])
        bench.perform(.subscribe(topic: RobotTopic.lowState))
        #expect(bench.sent().isEmpty)
        bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
        #expect(bench.sent().types == ["subscribe"])
    }

    @Test("A robot that asks for validation in mid-session has ten seconds to accept it")
    func revalidationIsLimited() {
        var bench = SessionBench.validated()
        bench.advance(by: .seconds(5))
        bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
        bench.advance(by: .seconds(9))
        // It says so again: the time runs from the first.
        bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
        #expect(bench.events().lostValidations.isEmpty)
        bench.advance(by: .seconds(1))
        #expect(bench.events().lostValidations == [.seconds(10)])
        bench.advance(by: .seconds(60))
        #expect(bench.events().lostValidations.isEmpty)
    }

    @Test("A robot that accepts the answer in time is held to no limit any more, nor is one that is gone")
    func revalidationEnds() {
        for isGone in [true, false] {
            var bench = SessionBench.validated()
            bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
            bench.advance(by: .seconds(9))
            if isGone {
                bench.session.disconnected()
            } else {
                bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
            }
            bench.advance(by: .seconds(60))
            #expect(bench.events().lostValidations.isEmpty)
        }
    }

    @Test("A robot that forgets us again and again is believed each time, however little it is answered")
    func forgetsOften() {
        var bench = SessionBench.validated()
        for _ in 0..<100 {
            bench.receive(#"{"type":"err","info":"Validation Needed."}"#)
            #expect(!bench.session.isValidated)
            bench.receive(#"{"type":"validation","data":"Validation Ok."}"#)
        }
        #expect(bench.sent().types.count { $0 == "validation" } <= 10)
    }

    @Test("A heartbeat goes out every two seconds after validation")
    func beats() {
        var bench = SessionBench.validated()
        bench.advance(by: .milliseconds(1_999))
        #expect(bench.sent().first(type: "heartbeat") == nil)
        bench.advance(by: .milliseconds(1))
        let beat = bench.sent().first(type: "heartbeat")
        #expect(beat?["data"] == ["timeInStr": "2023-11-14 22:13:20", "timeInNum": 1_700_000_000])
        bench.advance(by: .seconds(8))
        #expect(bench.sent().types.count { $0 == "heartbeat" } == 4)
    }

    @Test("A probe is echoed as it came")
    func echoesProbe() {
        var bench = SessionBench.validated()
        bench.receive(
            #"{"type":"rtc_inner_req","info":{"req_type":"rtt_probe_send_from_mechine","#
                + #""send_time_stamp":1708167428,"uuid":"a-b"}}"#)
        let sent = bench.sent()
        #expect(
            sent == [
                [
                    "type": "rtc_inner_req", "topic": "",
                    "data": [
                        "req_type": "rtt_probe_send_from_mechine", "send_time_stamp": 1_708_167_428, "uuid": "a-b",
                    ],
                ]
            ])
    }

    @Test("The network is asked for after a second, and again until the robot knows it")
    func asksForNetwork() {
        var bench = SessionBench.validated()
        bench.advance(by: .seconds(1))
        let question = bench.sent().first(type: "rtc_inner_req")?["data"]
        #expect(question?["req_type"] == "public_network_status")
        let uuid = question?["uuid"]?.stringValue ?? ""
        bench.receive(Self.network(uuid: uuid, "Undefined"))
        bench.advance(by: .milliseconds(500))
        let second = bench.sent().first(type: "rtc_inner_req")?["data"]?["uuid"]?.stringValue ?? ""
        #expect(!second.isEmpty && second != uuid)
        // An answer to the question before is late, and nobody's.
        bench.receive(Self.network(uuid: uuid, "NetworkStatus.ON_4G_CONNECTED"))
        #expect(bench.count(.unmatched) == 1)
        bench.receive(Self.network(uuid: second, "NetworkStatus.ON_WIFI_CONNECTED"))
        let told = bench.events().compactMap { event in
            if case .link(.network(let status)) = event { status } else { nil }
        }
        #expect(told == ["Undefined", "NetworkStatus.ON_WIFI_CONNECTED"])
        bench.advance(by: .seconds(60))
        #expect(bench.sent().first(type: "rtc_inner_req") == nil)
    }

    private static func network(uuid: String, _ status: String) -> String {
        #"{"type":"rtc_inner_req","info":{"req_type":"public_network_status","uuid":"\#(uuid)","status":"\#(status)"}}"#
    }

    @Test("Faults stand, come and go, whatever the spelling of their numbers")
    func faults() {
        var bench = SessionBench.validated()
        bench.receive(#"{"type":"errors","data":[["1700000000",300,16],[1.7e9,600.0,"8"],[1,2],"x",[null,1,2]]}"#)
        bench.receive(#"{"type":"add_error","data":[[1700000001,309,4]]}"#)
        bench.receive(#"{"type":"rm_error","data":[1700000002,300,16]}"#)
        bench.receive(#"{"type":"rm_error","data":{}}"#)
        let (motors, battery, ninth) = (
            RobotFault(time: 1_700_000_000, source: 300, code: 16),
            RobotFault(time: 1_700_000_000, source: 600, code: 8),
            RobotFault(time: 1_700_000_001, source: 309, code: 4)
        )
        #expect(bench.events().faults == [[motors, battery], [motors, battery, ninth], [battery, ninth]])
        #expect(bench.count(.incomplete) == 4)
        bench.session.disconnected()
        #expect(bench.events().faults == [[]])
    }

    @Test("A topic printed as text becomes a value; C's floats and what is no number are read")
    func topicValues() {
        var bench = SessionBench.validated()
        bench.receive(#"{"type":"msg","topic":"rt/multiplestate","data":"{\"volume\":3,\"bodyHeight\":0.320000}"}"#)
        bench.receive(#"{"type":"msg","topic":"rt/lf/lowstate","data":{"a":1.709106e+09,"b":nan,"c":-inf}}"#)
        let topics = bench.events().topics
        #expect(topics["rt/multiplestate"] == ["volume": 3, "bodyHeight": .number(0.32)])
        #expect(topics["rt/lf/lowstate"] == ["a": .number(1_709_106_000), "b": .null, "c": .null])
    }

    @Test(
        "Odd messages are counted and survived",
        arguments: [
            "", "{", "[]", "null", "{}", #"{"type":7}"#, #"{"type":"msg"}"#, #"{"type":"msg","topic":"rt/x"}"#,
            #"{"type":"msg","topic":"no topic","data":1}"#, #"{"type":"msg","topic":["rt/x"],"data":1}"#,
            #"{"type":"res"}"#, #"{"type":"res","data":[]}"#, #"{"type":"rtc_inner_req"}"#,
            #"{"type":"rtc_inner_req","info":{"req_type":5}}"#, #"{"type":"validation"}"#,
            #"{"type":"validation","data":{"a":1}}"#, #"{"type":"validation","data":5}"#, #"{"type":"err","info":"?"}"#,
            #"{"type":"errors","data":{}}"#,
            #"{"type":"nobody knows"}"#, #"{"type":"res","data":{"header":{"identity":{"id":99999999999999999999}}}}"#,
            #"{"type":"add_error","data":[1e300,1,1]}"#, "\u{0}\u{0}",
            String(repeating: "[", count: 200_000), #"{"type":"\ud800"}"#, #"{"type":"\u12"}"#,
        ])
    func survives(_ text: String) {
        var bench = SessionBench.validated()
        bench.receive(text)
        #expect(bench.session.statistics.faults.values.reduce(0, +) == 1, "\(bench.session.statistics.faults)")
        #expect(bench.events().isEmpty)
        #expect(bench.sent().isEmpty)
        // It goes on as before.
        bench.receive(#"{"type":"msg","topic":"rt/lf/lowstate","data":{"ok":true}}"#)
        #expect(bench.events().topics["rt/lf/lowstate"] == ["ok": true])
    }

    @Test("Text beyond the limit is refused; a mebibyte is taken")
    func sizes() {
        var bench = SessionBench.validated()
        let frame = #"{"type":"msg","topic":"rt/x","data":""}"#
        bench.receive(
            #"{"type":"msg","topic":"rt/x","data":"\#(String(repeating: "a", count: (1 << 20) - frame.utf8.count))"}"#)
        #expect(bench.events().topics["rt/x"]?.stringValue?.utf8.count == (1 << 20) - frame.utf8.count)
        bench.receive(String(repeating: " ", count: 1 << 20) + "{}")
        #expect(bench.count(.tooLarge) == 1)
    }

    @Test("More topics than allowed, and names that are none, are refused")
    func refusesTopics() {
        var limits = RobotSessionLimits()
        limits.maximumTopics = 2
        var bench = SessionBench.validated(limits: limits)
        for topic in ["rt/a", "rt/b", "rt/c", "rt//d", "nope", "rt/", "rt/\"}"] {
            bench.perform(.subscribe(topic: topic))
        }
        #expect(bench.sent().compactMap { $0["topic"]?.stringValue } == ["rt/a", "rt/b"])
        #expect(bench.count(.orderRefused) == 5)
    }

    @Test("Publications a second are limited")
    func limitsPublications() {
        var bench = SessionBench.validated()
        for _ in 0..<500 { bench.perform(.publish(topic: "rt/x", data: 1)) }
        #expect(bench.sent().count == 60)
        bench.clock.advance(by: .milliseconds(500))
        for _ in 0..<500 { bench.perform(.publish(topic: "rt/x", data: 1)) }
        #expect(bench.sent().count == 30)
    }
}
