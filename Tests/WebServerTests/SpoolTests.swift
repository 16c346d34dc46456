import Core
import Foundation
import Testing

@testable import WebServer

@Suite("Large messages in files") struct SpoolTests {
    /// A folder of its own for one test.
    private struct Folder: ~Copyable {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "spool-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["?"] }

        func spooling(threshold: Int = 10, limit: Int = 100) throws -> Spooling {
            var limits = ListenerConfiguration.Limits()
            limits.spoolDirectory = path
            limits.spoolThresholdBytes = threshold
            limits.spoolBytes = limit
            let spooling = Spooling(limits)
            return try #require(spooling)
        }
    }

    private func append(_ text: String, to buffer: MessageBuffer) -> Bool {
        Array(text.utf8).withUnsafeBytes { buffer.append($0) }
    }

    private func bytes(_ whole: MessageBuffer.Whole?) -> String? {
        if case .bytes(let bytes)? = whole { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    private func spooledText(_ whole: MessageBuffer.Whole?) -> String? {
        guard case .spooled(let spooled)? = whole else { return nil }
        return String(decoding: spooled[0..<spooled.count], as: UTF8.self)
    }

    @Test("Up to the threshold a message stays in memory; the byte above moves all of it to a file")
    func threshold() throws {
        let folder = try Folder()
        let buffer = MessageBuffer(spooling: try folder.spooling())
        #expect(buffer.isEmpty)
        #expect(append("01234", to: buffer) && append("56789", to: buffer))
        #expect(buffer.count == 10)
        #expect(bytes(buffer.take()) == "0123456789")
        #expect(buffer.isEmpty)
        // The buffer serves the next message.
        #expect(append("01234", to: buffer) && append("56789", to: buffer) && append("a", to: buffer))
        #expect(append("bc", to: buffer))
        #expect(buffer.count == 13)
        #expect(spooledText(buffer.take()) == "0123456789abc")
        #expect(append("x", to: buffer))
        #expect(bytes(buffer.take()) == "x")
        #expect(bytes(buffer.take()) == "")
    }

    @Test("Without a folder everything stays in memory")
    func inMemory() {
        #expect(Spooling(ListenerConfiguration.Limits()) == nil)
        let buffer = MessageBuffer(spooling: nil)
        let text = String(repeating: "x", count: 2 << 20)
        #expect(append(text, to: buffer))
        #expect(bytes(buffer.take())?.utf8.count == 2 << 20)
    }

    @Test("The files have no names, so nothing is left of them")
    func nameless() throws {
        let folder = try Folder()
        let buffer = MessageBuffer(spooling: try folder.spooling())
        #expect(append("0123456789abc", to: buffer))
        #expect(folder.files == [])
        let whole = buffer.take()
        #expect(folder.files == [])
        #expect(spooledText(whole) == "0123456789abc")
    }

    @Test("All files together keep within the budget, and give it back when nobody looks at them any more")
    func budget() throws {
        let folder = try Folder()
        let spooling = try folder.spooling(limit: 30)
        let first = MessageBuffer(spooling: spooling)
        let second = MessageBuffer(spooling: spooling)
        #expect(append("0123456789abcdefghij", to: first))
        #expect(!append("0123456789a", to: second))
        var whole = first.take()
        #expect(spooledText(whole)?.utf8.count == 20)
        let third = MessageBuffer(spooling: spooling)
        #expect(!append("0123456789a", to: third))
        whole = nil
        let fourth = MessageBuffer(spooling: spooling)
        #expect(append("0123456789abcdefghijABCDEFGHIJ", to: fourth))
        #expect(!append("x", to: fourth))
    }

    @Test("What is in memory costs no budget, and a message that is given up gives its own back")
    func givenUp() throws {
        let folder = try Folder()
        let spooling = try folder.spooling(limit: 11)
        for _ in 0..<3 {
            let small = MessageBuffer(spooling: spooling)
            #expect(append("0123456789", to: small))
            let given = MessageBuffer(spooling: spooling)
            #expect(append("0123456789a", to: given))
        }
    }

    @Test("Where the folder is missing a large message fails, a small one does not")
    func noFolder() throws {
        var limits = ListenerConfiguration.Limits()
        limits.spoolDirectory = "/nonexistent/spool"
        limits.spoolThresholdBytes = 10
        let buffer = MessageBuffer(spooling: Spooling(limits))
        #expect(append("0123456789", to: buffer))
        #expect(!append("a", to: buffer))
    }

    // MARK: Bytes in a file

    @Test("The bytes are read one by one, in ranges and piece by piece")
    func reading() throws {
        let bytes = try spooled("0123456789")
        #expect(bytes.count == 10)
        #expect(bytes[0] == UInt8(ascii: "0") && bytes[9] == UInt8(ascii: "9"))
        #expect(bytes[3..<5] == Array("34".utf8))
        #expect(bytes[10..<10] == [])
        let slice = SpooledSlice(bytes, 1..<9)
        #expect(slice.count == 8)
        var pieces: [String] = []
        slice.forEachPiece(of: 3) { pieces.append(String(decoding: $0, as: UTF8.self)) }
        #expect(pieces == ["123", "456", "78"])
        SpooledSlice(bytes, 4..<4).forEachPiece(of: 3) { _ in Issue.record("there is none") }
        #expect(slice == SpooledSlice(bytes, 1..<9))
        #expect(slice != SpooledSlice(bytes, 1..<8))
        #expect(slice != SpooledSlice(try spooled("0123456789"), 1..<9))
    }

    @Test("A byte is found from where one looks, and not past where one looks to")
    func finding() throws {
        let bytes = try spooled("a,b,c")
        let comma = UInt8(ascii: ",")
        #expect(bytes.firstIndex(of: comma, in: 0..<5) == 1)
        #expect(bytes.firstIndex(of: comma, in: 1..<5) == 1)
        #expect(bytes.firstIndex(of: comma, in: 2..<5) == 3)
        #expect(bytes.firstIndex(of: comma, in: 2..<3) == nil)
        #expect(bytes.firstIndex(of: comma, in: 4..<5) == nil)
        #expect(bytes.firstIndex(of: comma, in: 5..<5) == nil)
        #expect(try spooled("").firstIndex(of: comma, in: 0..<0) == nil)
    }

    @Test("Nothing at all is a file as well, and UTF-8 is told from what is none")
    func emptyAndUTF8() throws {
        let empty = try spooled("")
        #expect(empty.count == 0 && empty.isUTF8)
        #expect(empty[0..<0] == [])
        #expect(try spooled("grüße").isUTF8)
        #expect(try !spooled([0x61, 0xC3]).isUTF8)
    }
}
