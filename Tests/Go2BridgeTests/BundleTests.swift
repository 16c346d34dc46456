import Core
import FoundationEssentials
import Networking
import Testing

@testable import Go2Bridge

struct RedactorTests {
    @Test("keys, tokens, credentials and serial numbers are taken out wherever they stand")
    func secrets() {
        let redactor = Redactor(secrets: ["B42D1000P1234567", "sesame-open-now", "00ff11ee22dd33cc44bb55aa66997788"])
        let text = """
            robot B42D1000P1234567 and its neighbour B42N6000P42RD1A2, token sesame-open-now, SESAME-OPEN-NOW
            key 00FF11EE22DD33CC44BB55AA66997788 or e85682bd16549b008e04a6682bb3ebe3
            a=ice-ufrag:abCD
            a=ice-pwd:0123456789abcdefghijklmn
            Authorization: Bearer hush.hush
            GET /ws/robot_dog?token=hidden123&x=1
            {"sn":"B4","token":"tell-nobody","ip":"10.0.0.1"}
            """
        let shown = redactor.redact(text)
        let hidden = [
            "B42D1000P1234567", "B42N6000P42RD1A2", "sesame", "SESAME", "00FF11", "e85682", "abCD", "0123456789abc",
            "hush", "hidden123", "tell-nobody", "\"B4\"",
        ]
        for secret in hidden { #expect(!shown.contains(secret), "\(secret)") }
        for kept in ["10.0.0.1", "&x=1", "robot", "a=ice-pwd:[redacted]"] { #expect(shown.contains(kept), "\(kept)") }
    }

    @Test("what a report needs stays: addresses, fingerprints, codes and words")
    func kept() {
        let text = """
            a=fingerprint:sha-256 0A:1B:2C:3D:4E:5F port 9991 answered con_notify with status 200
            INIT was sent 9 times; B is a letter; EHOSTUNREACH; 192.168.123.161; fe80::1
            """
        #expect(Redactor(secrets: ["ab", ""]).redact(text) == text)
    }
}

struct BundleArchiveTests {
    @Test("tar itself reads the archive: names and contents, an empty file and one of several blocks")
    func isRead() async throws {
        let long = String(repeating: "0123456789abcde\n", count: 10_000)
        var archive = BundleArchive(time: WallTime(secondsSince1970: 1_780_000_000))
        archive.add("bundle/report.txt", "Grüße\n")
        archive.add("bundle/empty.txt", "")
        archive.add("bundle/long.txt", long)
        let folder = FileManager.default.temporaryDirectory.appending(path: "bundle-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "a.tar.gz")
        try Data(archive.finished()).write(to: file)
        #expect(try await run(["tar", "-xzf", file.path(), "-C", folder.path()]) == [.ended(.exited(status: 0))])
        func content(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: folder.appending(path: "bundle/\(name)")), as: UTF8.self)
        }
        #expect(try content("report.txt") == "Grüße\n")
        #expect(try content("empty.txt") == "")
        #expect(try content("long.txt") == long)
    }

    private func run(_ command: [String]) async throws -> [ChildProcess.Event] {
        let (stream, continuation) = AsyncStream.makeStream(of: ChildProcess.Event.self)
        let process = try ChildProcess(command: command) { event in
            continuation.yield(event)
            if case .ended = event { continuation.finish() }
        }
        var events: [ChildProcess.Event] = []
        for await event in stream { events.append(event) }
        withExtendedLifetime(process) {}
        return events
    }
}
