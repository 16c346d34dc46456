import Core
import PeerConnection
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Robot session: requests and their answers")
struct RobotSessionAnswerTests {
    private func request(_ id: Int32, _ topic: String = RobotTopic.sport, _ apiID: Int32 = 1004) -> RobotOrder {
        .request(RobotRequest(id: id, topic: topic, apiID: apiID))
    }

    private func id(of message: JSONValue) -> Int {
        message["data"]?["header"]?["identity"]?["id"]?.integerValue ?? 0
    }

    private func answer(
        _ id: String, topic: String = "rt/api/sport/response", code: String = "0", data: String = #""""#,
        more: String = ""
    ) -> String {
        #"{"type":"res","topic":"\#(topic)","data":{"header":{"identity":{"id":\#(id),"api_id":1004},"#
            + #""status":{"code":\#(code)}},"data":\#(data)\#(more)}}"#
    }

    @Test("A request has the robot's form, and its parameter is text")
    func form() throws {
        var bench = SessionBench.validated()
        bench.perform(
            .request(
                RobotRequest(id: 1, topic: RobotTopic.sport, apiID: 1008, parameter: #"{"x":0.5}"#, priority: 1)))
        let message = try #require(bench.sent().first)
        #expect(message["type"] == "req")
        #expect(message["topic"] == "rt/api/sport/request")
        #expect(message["data"]?["parameter"] == #"{"x":0.5}"#)
        #expect(message["data"]?["header"]?["identity"]?["api_id"] == 1008)
        #expect(message["data"]?["header"]?["policy"] == ["priority": 1])
        #expect((1...Int(Int32.max)).contains(id(of: message)))
    }

    @Test("Answers find their requests by number, in any order, and the robot never sees a number twice")
    func matchesByID() throws {
        var bench = SessionBench.validated()
        for id in [Int32(7), 7, 9] { bench.perform(request(id)) }
        let ids = bench.sent().map(id(of:))
        try #require(Set(ids).count == 3)
        bench.receive(answer("\(ids[2])", data: #""third""#))
        bench.receive(answer("\"\(ids[0])\"", code: "\"-1\""))
        bench.receive(answer("\(ids[1])", code: "3203"))
        let responses = bench.events().responses
        #expect(responses.map(\.id) == [9, 7, 7])
        #expect(responses.map(\.code) == [0, -1, 3203])
        #expect(responses.first?.data == "third")
        // Once more is once too often.
        bench.receive(answer("\(ids[1])"))
        #expect(bench.count(.unmatched) == 1)
    }

    @Test("A number of another service's request proves nothing")
    func otherService() throws {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        let id = id(of: try #require(bench.sent().first))
        bench.receive(answer("\(id)", topic: "rt/api/vui/response"))
        #expect(bench.events().responses.isEmpty)
        #expect(bench.count(.unmatched) == 1)
    }

    @Test("Answers without a number go to the longest waiting request of their service")
    func matchesByKind() {
        var bench = SessionBench.validated()
        bench.perform(request(1, "rt/api/gas_sensor/request", 1002))
        bench.perform(request(2))
        bench.clock.advance(by: .milliseconds(1))
        bench.perform(request(3, "rt/api/gas_sensor/request", 1002))
        let text =
            #"{"type":"res","topic":"rt/api/gas_sensor/response","data":{"header":{"status":{"code":0}},"data":{"a":1}}}"#
        bench.receive(text)
        bench.receive(text)
        let responses = bench.events().responses
        #expect(responses.map(\.id) == [1, 3])
        #expect(responses.first?.data == #"{"a":1}"#)
    }

    @Test("The script service's wrong numbers are overlooked, other services' are not")
    func wrongNumbers() {
        var bench = SessionBench.validated()
        bench.perform(request(1, RobotTopic.bashRunner, 1001))
        bench.perform(request(2))
        bench.receive(
            #"{"type":"res","topic":"rt/api/bashrunner/response","data":{"header":{"identity":{"id":4},"status":{"code":0}},"data":"v"}}"#
        )
        bench.receive(answer("4"))
        #expect(bench.events().responses.map(\.id) == [1])
        #expect(bench.count(.unmatched) == 1)
    }

    @Test("The keys of an answer are looked at in the robot's clients' order")
    func keyOrder() {
        func key(_ text: String) -> AnswerKey { AnswerKey(of: JSONValue(parsing: Array(text.utf8)) ?? .null) }
        #expect(
            key(#"{"type":"res","data":{"uuid":"a","header":{"identity":{"id":3}}},"info":{"uuid":"b"}}"#) == .uuid("a")
        )
        #expect(key(#"{"type":"res","data":{"header":{"identity":{"id":3}}},"info":{"uuid":"b"}}"#) == .id(3))
        #expect(key(#"{"type":"x","info":{"uuid":"b","req_uuid":"c"}}"#) == .uuid("b"))
        #expect(key(#"{"type":"x","info":{"req_uuid":"c"}}"#) == .uuid("c"))
        #expect(key(#"{"type":"rtc_inner_req","info":{"req_type":"y"}}"#) == .kind("rtc_inner_req $ "))
        #expect(key(#"{"type":"res","topic":"rt/a"}"#) == .kind("res $ rt/a"))
    }

    @Test("A request that is not answered times out, and its late answer is nobody's")
    func timesOut() throws {
        var bench = SessionBench.validated()
        bench.perform(.request(RobotRequest(id: 1, topic: RobotTopic.sport, apiID: 1004, timeout: .seconds(2))))
        let id = id(of: try #require(bench.sent().first))
        bench.advance(by: .milliseconds(1_999))
        #expect(bench.events().failures.isEmpty)
        bench.advance(by: .milliseconds(1))
        #expect(bench.events().failures == [.timedOut(seconds: 2)])
        bench.receive(answer("\(id)"))
        #expect(bench.events().responses.isEmpty)
        #expect(bench.count(.unmatched) == 1)
    }

    @Test("A lost connection fails what waits, oldest first")
    func lost() {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        bench.perform(request(2))
        bench.session.disconnected()
        #expect(bench.events().failures == [.lost, .lost])
        #expect(bench.sent().isEmpty)
        #expect(bench.session.deadline == nil)
    }

    @Test("Chunks become one answer")
    func chunks() throws {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        let id = id(of: try #require(bench.sent().first))
        for (index, piece) in ["ab", "cd", "ef"].enumerated() {
            bench.receive(
                answer(
                    "\(id)", data: "\"\(piece)\"",
                    more: #","content_info":{"enable_chunking":true,"chunk_index":\#(index + 1),"total_chunk_num":3}"#))
        }
        #expect(bench.events().responses.map(\.data) == ["abcdef"])
    }

    @Test(
        "Chunks that do not follow each other, or never end, fail their request",
        arguments: [
            [(2, 3)], [(1, 3), (3, 3)], [(1, 3), (2, 4)], [(0, 3)], [(1, 0)], [(1, 1_000_000)], [(1, 3), (1, 3)],
        ])
    func oddChunks(_ numbers: [(Int, Int)]) throws {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        let id = id(of: try #require(bench.sent().first))
        for (index, total) in numbers {
            bench.receive(
                answer(
                    "\(id)", data: #""x""#,
                    more:
                        #","content_info":{"enable_chunking":true,"chunk_index":\#(index),"total_chunk_num":\#(total)}"#
                ))
        }
        let events = bench.events()
        #expect(events.responses.isEmpty)
        #expect(events.failures.count == 1)
    }

    @Test("Chunks without end stop at the limit of bytes, and at the limit of time")
    func endlessChunks() throws {
        var limits = RobotSessionLimits()
        limits.maximumAnswerBytes = 100
        var bench = SessionBench.validated(limits: limits)
        func chunk(_ id: Int, _ index: Int, _ piece: String) -> String {
            answer(
                "\(id)", data: "\"\(piece)\"",
                more: #","content_info":{"enable_chunking":true,"chunk_index":\#(index),"total_chunk_num":4000}"#)
        }
        bench.perform(request(1))
        var id = id(of: try #require(bench.sent().first))
        for index in 1...3 { bench.receive(chunk(id, index, String(repeating: "x", count: 40))) }
        #expect(bench.events().failures.count == 1)
        bench.perform(request(2))
        id = self.id(of: bench.sent().first(type: "req") ?? .null)
        var failures: [RobotRequestError] = []
        for index in 1...40 where failures.isEmpty {
            bench.receive(chunk(id, index, ""))
            bench.advance(by: .seconds(4))
            failures += bench.events().failures
        }
        #expect(failures == [.timedOut(seconds: 60)])
    }

    @Test("An answer without a usable code is no answer")
    func noCode() throws {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        let id = id(of: try #require(bench.sent().first))
        bench.receive(answer("\(id)", code: "99999999999"))
        let events = bench.events()
        #expect(events.responses.isEmpty)
        #expect(events.failures.count == 1)
    }

    @Test("An answer of type msg counts, as some services send it")
    func answerAsMessage() throws {
        var bench = SessionBench.validated()
        bench.perform(request(1))
        let id = id(of: try #require(bench.sent().first))
        bench.receive(answer("\(id)").replacingFirst("\"res\"", with: "\"msg\""))
        #expect(bench.events().responses.map(\.id) == [1])
    }

    @Test("Too many requests are refused; a stop is not, and goes before all that waits")
    func stopOvertakes() {
        var limits = RobotSessionLimits()
        limits.maximumRequests = 3
        var bench = SessionBench.validated(limits: limits)
        bench.perform(request(1))
        bench.perform(request(2, RobotTopic.sport, 1008))
        bench.perform(request(3, RobotTopic.obstacleAvoidance, 1003))
        bench.perform(request(4))
        #expect(bench.events().failures == [.tooMany(limit: 3)])
        bench.perform(request(5, RobotTopic.sport, 1003))
        // The velocities that still waited are gone: they would start the robot again.
        let apiIDs = bench.sent().compactMap { $0["data"]?["header"]?["identity"]?["api_id"]?.integerValue }
        #expect(apiIDs == [1003, 1004])
    }

    @Test("Requests with a bad topic or a long parameter are refused in words")
    func refusesRequests() {
        var bench = SessionBench.validated()
        bench.perform(request(1, "rt/lowcmd"))
        bench.perform(request(1, "rt/api/\"/request"))
        bench.perform(
            .request(
                RobotRequest(
                    id: 1, topic: RobotTopic.sport, apiID: 1, parameter: String(repeating: "x", count: 70_000))))
        #expect(bench.sent().isEmpty)
        let failures = bench.events().failures
        #expect(failures.count == 3)
        #expect(failures.allSatisfy { if case .invalid = $0 { true } else { false } })
    }

    @Test("Nobody is told of a request that nobody waits for")
    func noReply() {
        var bench = SessionBench.validated()
        bench.perform(.request(RobotRequest(id: 1, topic: RobotTopic.sport, apiID: 1008, timeout: .zero)))
        #expect(bench.sent().count == 1)
        bench.session.disconnected()
        #expect(bench.events().isEmpty)
    }
}

extension String {
    fileprivate func replacingFirst(_ text: String, with other: String) -> String {
        guard let range = firstRange(of: text) else { return self }
        return replacingCharacters(in: range, other)
    }

    private func replacingCharacters(in range: Range<Index>, _ other: String) -> String {
        String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
    }
}
