import Core
import Networking
import Testing

@testable import RobotControl

struct WorkerMessageTests {
    private let codec = WorkerMessageCodec(token: "secret")

    private func read(_ text: String, on channel: WorkerMessageCodec.Channel = .any) -> WorkerEvent {
        codec.read(Array(text.utf8), on: channel)
    }

    private func isRubbish(_ event: WorkerEvent) -> Bool { if case .rubbish = event { true } else { false } }

    @Test func `every message of the page is read`() {
        let hello = #"{"type":"hello","protocol":1,"token":"secret","pid":7,"runtime":"python 3.11.2"}"#
        #expect(read(hello, on: .control) == .hello(runtime: "python 3.11.2"))
        #expect(read(#"{"type":"loading"}"#, on: .control) == .loading)
        let objects =
            #"[{"name":"dog","kind":"object","class":"Dog","doc":"x","methods":[{"name":"sit","doc":null,"arguments":[{"name":"fast","kind":"keyword","required":false}]}]}]"#
        #expect(
            read(#"{"type":"ready","objects":\#(objects),"import_seconds":1.5}"#, on: .control)
                == .ready(
                    ProjectInterface(objects: JSONValue(parsing: Array(objects.utf8)) ?? .null),
                    importTime: .seconds(1.5)))
        #expect(
            read(#"{"type":"failed","stage":"init","error":"boom","traceback":"t"}"#, on: .control)
                == .failed(stage: "init", error: "boom", traceback: "t"))
        #expect(
            read(#"{"type":"heartbeat","calls":2,"pushes_dropped":3}"#, on: .control)
                == .heartbeat(calls: 2, pushesDropped: 3))
        #expect(
            read(#"{"type":"stopped","errors":["x"],"threads":["y"]}"#, on: .control)
                == .stopped(errors: ["x"], threads: ["y"]))
        #expect(read(#"{"type":"result","id":"1","value":null}"#, on: .calls) == .finished(id: "1", .value(.null)))
        #expect(
            read(#"{"type":"error","id":"1","code":"exception","error":"e","traceback":null}"#, on: .calls)
                == .finished(id: "1", .error(code: "exception", message: "e")))
        #expect(read(#"{"type":"push","event":"e","data":[1]}"#, on: .events) == .push(event: "e", data: [1]))
        #expect(
            read(#"{"type":"log","level":"warning","message":"m"}"#) == .line("m", isError: false, level: "warning"))
    }

    @Test(arguments: [
        "", "null", "[]", "{}", #"{"type":7}"#, #"{"type":"call"}"#,
        #"{"type":"hello","protocol":2,"token":"secret","pid":7,"runtime":"x"}"#,
        #"{"type":"hello","protocol":1,"token":"guess","pid":7,"runtime":"x"}"#,
        #"{"type":"hello","protocol":1,"pid":7,"runtime":"x"}"#,
        #"{"type":"ready","objects":{},"import_seconds":1}"#, #"{"type":"ready","objects":[1],"import_seconds":1}"#,
        #"{"type":"ready","objects":[{"name":"x","kind":"y","methods":[]}],"import_seconds":1}"#,
        #"{"type":"ready","objects":[],"import_seconds":1e300}"#, #"{"type":"ready","objects":[]}"#,
        #"{"type":"failed","stage":"lunch","error":"x"}"#, #"{"type":"failed","stage":"init","error":1}"#,
        #"{"type":"heartbeat","calls":1.5,"pushes_dropped":0}"#, #"{"type":"heartbeat","calls":1}"#,
        #"{"type":"stopped","errors":[1],"threads":[]}"#, #"{"type":"stopped","errors":[]}"#,
        #"{"type":"result","id":"1"}"#, #"{"type":"result","id":"","value":1}"#, #"{"type":"result","id":1,"value":1}"#,
        #"{"type":"error","id":"1","code":"whatever","error":"x"}"#, #"{"type":"error","id":"1","code":"exception"}"#,
        #"{"type":"push","event":"","data":1}"#, #"{"type":"push","event":"callback","data":1}"#,
        #"{"type":"push","event":"disconnect","data":1}"#, #"{"type":"push","event":"x"}"#,
        #"{"type":"log","level":"loud","message":"x"}"#,
    ])
    func `what is not on the page is rubbish`(text: String) {
        #expect(isRubbish(read(text)))
    }

    @Test func `messages have limits`() {
        let name = String(repeating: "x", count: 201)
        #expect(isRubbish(read(#"{"type":"push","event":"\#(name)","data":1}"#)))
        let deep = String(repeating: "[", count: 16) + String(repeating: "]", count: 16)
        #expect(isRubbish(read(#"{"type":"push","event":"x","data":\#(deep)}"#)))
        let object = #"{"name":"x","kind":"object","methods":[]}"#
        let objects = [String](repeating: object, count: 201).joined(separator: ",")
        #expect(isRubbish(read(#"{"type":"ready","objects":[\#(objects)],"import_seconds":1}"#)))
        let long = String(repeating: "é", count: 200_000)
        guard case .failed(_, let error, _) = read(#"{"type":"failed","stage":"init","error":"\#(long)"}"#) else {
            Issue.record("not read")
            return
        }
        #expect(error.utf8.count <= WorkerMessageCodec.maximumText)
        #expect(isRubbish(codec.read([UInt8](repeating: 0x20, count: WorkerMessageCodec.maximumBytes + 1), on: .any)))
    }

    @Test func `messages stay on their channel`() {
        #expect(isRubbish(read(#"{"type":"result","id":"1","value":1}"#, on: .events)))
        #expect(isRubbish(read(#"{"type":"push","event":"x","data":1}"#, on: .calls)))
        #expect(isRubbish(read(#"{"type":"loading"}"#, on: .calls)))
        #expect(isRubbish(read(#"{"type":"log","level":"info","message":"x"}"#, on: .events)))
    }

    @Test func `orders are written as the page says`() {
        func text(_ order: WorkerOrder) -> String { String(decoding: codec.write(order), as: UTF8.self) }
        #expect(
            text(.call(id: "1", object: "dog", method: "sit", arguments: ["fast": true]))
                == #"{"args":{"fast":true},"id":"1","method":"sit","object":"dog","type":"call"}"#)
        #expect(text(.interrupt(id: nil)) == #"{"id":null,"type":"interrupt"}"#)
        #expect(text(.interrupt(id: "1")) == #"{"id":"1","type":"interrupt"}"#)
        #expect(text(.stop(within: .milliseconds(1500))) == #"{"seconds":1.5,"type":"stop"}"#)
        #expect(text(.shutdown(within: .seconds(5))) == #"{"seconds":5.0,"type":"shutdown"}"#)
    }

    @Test func `nothing passes the gate before hello, and no more pushes than the limit`() {
        var gate = WorkerGate(pushesPerSecond: 3)
        let hello = WorkerEvent.hello(runtime: "x")
        let admitted = [WorkerEvent.loading, hello, hello, .loading].map { gate.admit($0) }
        #expect(admitted.map(isRubbish) == [true, false, true, false])
        let now = Instant(nanoseconds: 5_000_000_000)
        let taken = (0..<5).map { _ in gate.takesPush(at: now) }
        #expect(taken == [true, true, true, false, false])
        let told = [gate.takeLeftOut(), gate.takeLeftOut()]
        #expect(told == [.pushesLeftOut(2), nil])
        let isTakenLater = gate.takesPush(at: now + .seconds(1))
        #expect(isTakenLater)
    }
}
