import Core
import Glibc
import Testing

@testable import WebServer

@Suite(.timeLimit(.minutes(15))) struct StaticFilesTests {
    /// A folder of its own, with an index, a large file, a hidden one and a folder below.
    private func makeRoot() -> String {
        var template = Array("/tmp/static-files-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        mkdtemp(&template)
        let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        mkdir(root + "/js", 0o755)
        write(root + "/index.html", Array("<p>hello".utf8))
        write(root + "/js/app.js", [UInt8](repeating: 0x2F, count: 300_000))
        write(root + "/.secret", [1])
        return root
    }

    private func write(_ path: String, _ bytes: [UInt8]) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    @Test("Files come with type and tag, unchanged ones as 304, and what lies outside as 404")
    func serve() async throws {
        let root = makeRoot()
        let fixture = try ServerFixture { router in
            router.add(.get, "/{path...}", StaticFiles(root: root).respond)
            router.add(.get, "/api") { _ in .text(.ok, "api") }
        }
        let index = try await fixture.fetch("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(index.text == "<p>hello")
        #expect(index.header("content-type") == "text/html; charset=utf-8")
        let tag = try #require(index.header("etag"))
        let again = try await fixture.fetch("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \(tag)\r\n\r\n")
        #expect(again.status == 304)
        let script = try await fixture.fetch("GET /js/app.js HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(script.body == [UInt8](repeating: 0x2F, count: 300_000))
        #expect(try await fixture.fetch("GET /api HTTP/1.1\r\nHost: x\r\n\r\n").text == "api")
        for path in [
            "/../etc/passwd", "/js/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/.secret", "/js", "/js/",
            "/nothing",
            "/..%2f..%2fetc/passwd", "//etc/passwd",
        ] {
            let response = try await fixture.fetch("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 404, "\(path)")
        }
        await fixture.server.stop()
    }

    @Test(
        "A path that leads elsewhere is none",
        arguments: ["..", "a/../b", "/etc", "a//b", ".git/config", "a/.b", "a\0b", "a\\..\\b", "."])
    func unsafe(path: String) {
        #expect(StaticFiles.safePath(path) == nil)
    }

    @Test(
        "Tags are compared as If-None-Match wants",
        arguments: [("*", true), ("\"x\", W/\"t\"", true), ("\"u\"", false)])
    func tags(field: String, isMatch: Bool) {
        #expect(StaticFiles.matches(field, "\"t\"") == isMatch)
    }
}
