import MediaPipeline
import Testing

@testable import Conversation

@Suite struct ServiceAnswerTests {
    private func event(_ text: String, finish: String? = nil) -> String {
        let reason = finish.map { "\"\($0)\"" } ?? "null"
        return "data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":\(reason)}]}\n\n"
    }

    private func read(_ text: String, _ mediaType: String? = "text/event-stream", size: Int = 7) throws -> String {
        var reader = ChatAnswerReader(mediaType: mediaType, maximumTextBytes: 1000)
        var result = ""
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) where !reader.isOver {
            result += try reader.append(Array(bytes[start..<min(start + size, bytes.count)]))
        }
        return result + (try reader.finish())
    }

    @Test("An event stream is read however it is cut and whichever line ends it has")
    func events() throws {
        let text = "\u{FEFF}: comment\revent: a\r\ndata: one\r\ndata:two\r\n\r\nid: 1\ndata\n\nnothing\n\ndata: x\n"
        for size in 1...text.utf8.count {
            var parser = ServerSentEventParser()
            var events: [ServerSentEventParser.Event] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                events += try parser.append(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(
                events == [.init(name: "a", data: Array("one\ntwo".utf8)), .init(name: "message", data: [])])
        }
        var parser = ServerSentEventParser()
        #expect(throws: ServerSentEventParser.Fault.tooLong) {
            for _ in 0..<300 { _ = try parser.append([UInt8](repeating: 0x61, count: 1024)) }
        }
    }

    @Test("A chat's answer is its pieces, streamed or whole, without the model's thoughts")
    func chat() throws {
        let whole = "{\"choices\":[{\"message\":{\"content\":\"Hi.\"}}]}"
        #expect(try read(event("Hel") + event("lo.") + event("", finish: "stop") + "data: [DONE]\n\n") == "Hello.")
        #expect(try read(event("Hello.") + "data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n") == "Hello.")
        #expect(try read(whole, "application/json") == "Hi.")
        for size in 1...40 {
            let thinking = event("<thi") + event("nk>I <b> wonder</thi") + event("nk>\\n\\nHello.", finish: "stop")
            #expect(try read(thinking, size: size) == "Hello.")
        }
        #expect(try read(event("<thin", finish: "stop")) == "<thin")
        #expect(try read(event("a <think> b", finish: "stop")) == "a <think> b")
    }

    @Test("What is no answer of a chat is said to be what it is")
    func chatFaults() {
        func fault(_ text: String, _ type: String? = "text/event-stream") -> ServiceAnswerFault? {
            do {
                _ = try read(text, type, size: 4096)
                return nil
            } catch { return error as? ServiceAnswerFault }
        }
        #expect(fault(event("Hel")) == .malformed("the answer ended in its middle"))
        #expect(fault("") == .malformed("the answer ended in its middle"))
        #expect(fault(event("", finish: "stop")) == .malformed("the answer holds no text"))
        #expect(fault("data: {\"error\":{\"message\":\"overloaded\"}}\n\n") == .refused("overloaded"))
        #expect(fault("event: error\ndata: {\"message\":\"broken\"}\n\n") == .refused("broken"))
        #expect(fault("data: <html>\n\n") == .malformed("the answer is no JSON: "))
        #expect(fault("data: {\"a\":1}\n\n") == .malformed("the answer has no choices: {\"a\":1}"))
        #expect(
            fault("<html><b>Sign</b>\nin", "text/html")
                == .malformed("the answer is text/html, no event stream: Sign in"))
        #expect(fault(event(String(repeating: "x", count: 1001))) == .malformed("the answer is longer than 1000 bytes"))
        #expect(fault("{\"choices\":[]}", "application/json") == .malformed("the answer holds no message"))
    }

    @Test("Sound comes out at 48 kHz in a short part and longer ones, raw or by a WAV header, however it is cut")
    func sound() throws {
        let samples = (0..<24_000).map { Int16($0 % 100 * 100) }
        let file = WAVHeader.file(samples, sampleRateHz: 24_000)
        func read(_ bytes: [UInt8], _ size: Int) throws -> [[Int16]] {
            var reader = SpeechSoundReader(mediaType: "audio/wav", rawRateHz: 24_000)
            var parts: [[Int16]] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                parts += try reader.append(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            return parts + (try reader.finish())
        }
        let parts = try read(file, 1001)
        #expect(parts.map(\.count) == [4_800, 19_200, 19_200, 4_800])
        #expect(try read(Array(file.dropFirst(44)), 777) == parts)
        #expect(try read(file, 1) == parts)
        var stereo = file
        stereo[22] = 2
        #expect(try read(stereo, 500).joined().count == 24_000)
        stereo[22] = 3
        #expect(throws: ServiceAnswerFault.malformed("the answer is sound of 3 channels at 24000 Hz")) {
            try read(stereo, 500)
        }
        #expect(throws: ServiceAnswerFault.malformed("the answer holds no sound")) { try read([], 1) }
        #expect(throws: ServiceAnswerFault.malformed("the answer ended within its header")) {
            try read(Array(file.prefix(30)), 9)
        }
        #expect(throws: ServiceAnswerFault.malformed("the answer is MP3, neither PCM nor WAV")) {
            try read(Array("ID3\u{4}".utf8), 9)
        }
        for index in 0..<44 {
            for value in [UInt8(0), 1, 0x7F, 0xFF] {
                var broken = Array(file.prefix(200))
                broken[index] = value
                _ = try? read(broken, 13)
            }
        }
    }

    @Test("A key is never described, and is taken out of what others say")
    func secret() throws {
        let secret = try #require(Secret(" sk-1234 \n"))
        #expect(secret.revealed() == "sk-1234")
        let access = ServiceAccess(url: "http://h:1/v1", apiKey: secret, model: "m")
        for text in [
            "\(secret)", String(reflecting: secret), "\(access)", String(reflecting: access),
            "\(Optional(secret) as Any)",
        ] {
            #expect(!text.contains("1234"))
        }
        var dumped = ""
        dump(access, to: &dumped)
        #expect(!dumped.contains("1234"))
        #expect(secret.redacting("a sk-1234 b sk-1234") == "a [redacted] b [redacted]")
        #expect(Secret("  ") == nil && Secret("a\r\nb") == nil && Secret("ü") == nil)
        #expect(throws: BackendError.self) { _ = try Secret.file("/nonexistent/key", part: "voice") }
        #expect(throws: BackendError.self) { _ = try Secret.file("/etc", part: "voice") }
        #expect(throws: BackendError.self) { _ = try Secret.environment("NO_SUCH_VARIABLE", part: "voice") }
        #expect(access.name == "m at http://h:1" && access.fault == nil)
        #expect(ServiceAccess(url: "ftp://h/", model: "m").fault != nil)
        #expect(ServiceAccess(url: "http://h/v1?key=x", model: "m").fault != nil)
    }
}
