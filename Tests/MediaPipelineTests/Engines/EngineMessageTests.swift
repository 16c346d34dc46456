import Core
import Testing

@testable import MediaPipeline

@Suite("Engine messages")
struct EngineMessageTests {
    private func parse(_ text: String, payloads: [Int] = []) throws(EngineMessageError) -> EngineMessage {
        try EngineMessage.parse(Array(text.utf8), payloadCounts: payloads)
    }

    private func code(_ text: String, payloads: [Int] = []) -> EngineMessageError.Code? {
        do throws(EngineMessageError) {
            _ = try parse(text, payloads: payloads)
            return nil
        } catch {
            return error.code
        }
    }

    private let avatar =
        #"{"id":"anna","width":512,"height":640,"fps":25,"pixel_format":"bgr24","patches":true,"idle_count":50}"#

    @Test("hello is read with its avatars, and what is absent has the page's values")
    func hello() throws {
        let message = try parse(
            #"{"type":"hello","version":1,"engine":"flashbeep 1.0","token":"t","avatars":[\#(avatar)],"audio":{"rate":16000},"provides_audio":false,"av_offset_ms":-40}"#
        )
        guard case .hello(let hello) = message else {
            Issue.record("no hello: \(message)")
            return
        }
        #expect(hello.engine == "flashbeep 1.0")
        #expect(hello.token == "t")
        #expect(
            hello.avatars == [
                EngineAvatarDescription(
                    id: "anna", width: 512, height: 640, framesPerSecond: 25, pixelFormat: .bgr24, sendsPatches: true,
                    idleCount: 50)
            ])
        #expect(hello.offset == .milliseconds(-40))
        #expect(hello.lookahead == .zero)
        #expect(hello.batchSize == 1)
        #expect(!hello.canPrepare)
    }

    @Test("another version is refused as such")
    func version() {
        #expect(code(#"{"type":"hello","version":2,"engine":"e","avatars":[]}"#) == .version)
    }

    @Test("two avatars of one name are refused")
    func duplicateAvatar() {
        #expect(
            code(#"{"type":"hello","version":1,"engine":"e","avatars":[\#(avatar),\#(avatar)]}"#) == .malformed)
    }

    @Test("frames of each kind are read")
    func frames() throws {
        let place = EngineUtterance(session: "s1", epoch: 3, utterance: "u1")
        let start = #""type":"frame","session":"s1","epoch":3,"utterance":"u1","first_sample":640"#
        #expect(
            try parse("{\(start),\"kind\":\"full\"}", payloads: [10])
                == .frame(EngineFrameHeader(place: place, firstSample: 640, kind: .full, pixelFormat: nil)))
        #expect(
            try parse("{\(start),\"kind\":\"idle\",\"idle_index\":7}")
                == .frame(
                    EngineFrameHeader(place: place, firstSample: 640, kind: .idle(idleIndex: 7), pixelFormat: nil)))
        #expect(
            try parse(
                "{\(start),\"kind\":\"patch\",\"idle_index\":7,\"x\":2,\"y\":4,\"width\":8,\"height\":6,\"pixel_format\":\"i420\"}",
                payloads: [72])
                == .frame(
                    EngineFrameHeader(
                        place: place, firstSample: 640,
                        kind: .patch(idleIndex: 7, EnginePatch(x: 2, y: 4, width: 8, height: 6)), pixelFormat: .i420)))
    }

    @Test(
        "what breaks the page's limits is refused",
        arguments: [
            "", "{}", "[]", "null", "\u{FEFF}{}", #"{"type":7}"#, #"{"type":"pong"}"#, #"{"type":"pong","id":"1"}"#,
            #"{"type":"pong","id":1.5}"#, #"{"type":"pong","id":-1}"#, #"{"type":"pong","id":1e300}"#,
            #"{"type":"pong","id":99999999999999999999}"#,
            #"{"type":"cleared","session":"","epoch":1}"#, #"{"type":"cleared","session":"a b","epoch":1}"#,
            #"{"type":"cleared","session":"a","epoch":2147483648}"#,
            #"{"type":"statistics","inference_fps":-1,"queue":0}"#,
            #"{"type":"prepare_progress","avatar":"../x","progress":0.5}"#,
            #"{"type":"prepare_progress","avatar":"x","progress":1.5}"#,
            #"{"type":"hello","version":1,"engine":"e","avatars":{}}"#,
            #"{"type":"hello","version":1,"engine":"","avatars":[]}"#,
            #"{"type":"frame","session":"s","epoch":0,"utterance":"u","first_sample":-1,"kind":"idle","idle_index":0}"#,
            #"{"type":"frame","session":"s","epoch":0,"utterance":"u","first_sample":0,"kind":"idle","idle_index":3000}"#,
            #"{"type":"frame","session":"s","epoch":0,"utterance":"u","first_sample":0,"kind":"half"}"#,
            #"{"type":"prepared","avatar":[]}"#,
            #"{"type":"prepared","avatar":{"id":"a","width":513,"height":512,"fps":25,"pixel_format":"bgr24","patches":false,"idle_count":1}}"#,
            #"{"type":"prepared","avatar":{"id":"a","width":512,"height":512,"fps":0,"pixel_format":"bgr24","patches":false,"idle_count":1}}"#,
            #"{"type":"prepared","avatar":{"id":"a","width":512,"height":512,"fps":25,"pixel_format":"yuyv","patches":false,"idle_count":1}}"#,
            #"{"type":"prepared","avatar":{"id":"a","width":512,"height":512,"fps":25,"pixel_format":"bgr24","patches":false,"idle_count":0}}"#,
        ])
    func malformed(_ text: String) {
        #expect(code(text) == .malformed)
    }

    @Test("an odd patch is refused")
    func oddPatch() {
        #expect(
            code(
                #"{"type":"frame","session":"s","epoch":0,"utterance":"u","first_sample":0,"kind":"patch","idle_index":0,"x":1,"y":0,"width":2,"height":2}"#,
                payloads: [12]) == .malformed)
    }

    @Test("unknown types are unsupported, unknown members are none of our business")
    func unknown() {
        #expect(code(#"{"type":"dance"}"#) == .unsupported)
        #expect(code(#"{"type":"pong","id":1,"mood":"good"}"#) == nil)
    }

    @Test("a payload must be there where one is due, and only there")
    func payloads() {
        #expect(code(#"{"type":"pong","id":1}"#, payloads: [1]) == .malformed)
        #expect(code(#"{"type":"idle_picture","avatar":"a","index":0}"#) == .malformed)
        #expect(code(#"{"type":"idle_picture","avatar":"a","index":0}"#, payloads: [5, 5]) == .malformed)
        #expect(code(#"{"type":"idle_picture","avatar":"a","index":0}"#, payloads: [0]) == .wrongSize)
    }

    @Test("a frame is checked against its avatar")
    func frameAgainstAvatar() throws {
        var description = EngineAvatarDescription(
            id: "a", width: 64, height: 32, framesPerSecond: 25, pixelFormat: .bgr24, sendsPatches: true, idleCount: 4)
        let place = EngineUtterance(session: "s", epoch: 0, utterance: "u")
        func code(_ kind: EngineFrameHeader.Kind, _ count: Int, _ format: EnginePixelFormat? = nil)
            -> EngineMessageError.Code?
        {
            do throws(EngineMessageError) {
                try EngineFrameHeader(place: place, firstSample: 0, kind: kind, pixelFormat: format)
                    .check(against: description, payloadCount: count)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(.full, 64 * 32 * 3) == nil)
        #expect(code(.full, 64 * 32 * 3 / 2, .nv12) == nil)
        #expect(code(.full, 64 * 32 * 3 - 1) == .wrongSize)
        #expect(code(.patch(idleIndex: 3, EnginePatch(x: 56, y: 26, width: 8, height: 6)), 144) == nil)
        #expect(code(.patch(idleIndex: 3, EnginePatch(x: 58, y: 26, width: 8, height: 6)), 144) == .malformed)
        #expect(code(.patch(idleIndex: 4, EnginePatch(x: 0, y: 0, width: 8, height: 6)), 144) == .malformed)
        #expect(code(.idle(idleIndex: 4), 0) == .malformed)
        description.sendsPatches = false
        #expect(code(.patch(idleIndex: 3, EnginePatch(x: 56, y: 26, width: 8, height: 6)), 144) == .malformed)
    }

    @Test("an order's header is JSON with its members, and speech carries its samples")
    func orders() throws {
        let parts = EngineOrder.speech(
            EngineUtterance(session: "s", epoch: 2, utterance: "u"), firstSample: 160, idlePosition: 5,
            samples: [1, -2, 256]
        ).parts
        #expect(parts.count == 2)
        #expect(
            JSONValue(parsing: parts[0]) == [
                "type": "speech", "session": "s", "epoch": 2, "utterance": "u", "first_sample": 160, "idle_position": 5,
            ])
        #expect(parts[1] == [1, 0, 0xFE, 0xFF, 0, 1])
        #expect(
            JSONValue(
                parsing: EngineOrder.refused(
                    EngineRefusal(what: "hello", code: "name_taken", reason: "r", retryAfter: .seconds(1))
                ).parts[0])
                == ["type": "refused", "what": "hello", "code": "name_taken", "reason": "r", "retry_after_ms": 1000])
    }

    @Test("the idle motion goes forth and back")
    func idleCycle() {
        var description = EngineAvatarDescription(
            id: "a", width: 64, height: 32, framesPerSecond: 25, pixelFormat: .bgr24, sendsPatches: true, idleCount: 4)
        #expect((0..<8).map { description.idleIndex(atPosition: $0) } == [0, 1, 2, 3, 2, 1, 0, 1])
        #expect(description.idleIndex(atPosition: -1) == 1)
        description.idleCount = 1
        #expect((0..<3).map { description.idleIndex(atPosition: $0) } == [0, 0, 0])
    }

    @Test("the loop at the stage's rate takes as long as the motion, and is no shorter than a key frame's interval")
    func loop() {
        var description = EngineAvatarDescription(
            id: "a", width: 64, height: 32, framesPerSecond: 25, pixelFormat: .bgr24, sendsPatches: true, idleCount: 51)
        let key = IdleLoop.Key(width: 64, height: 32, framesPerSecond: 30, bitRate: 100_000, keyFrameInterval: 30)
        let cycle = IdleCycle(description, key)
        #expect(cycle.count == 120)  // 100 positions at 25 a second are 4 s.
        #expect(cycle.idleIndex(ofPicture: 0) == 0)
        #expect(cycle.idleIndex(ofPicture: 60) == 50)
        #expect(cycle.idleIndex(ofPicture: 119) == 1)
        #expect(cycle.idleIndex(at: 4.0) == 0)
        #expect(cycle.idleIndex(at: .infinity) == 0)
        description.idleCount = 1
        #expect(IdleCycle(description, key).count == 30)
    }
}
