import Core
import Testing

@testable import RobotControl

struct ZipArchiveTests {
    private func unpack(_ bytes: [UInt8], limits: ZipLimits = ZipLimits()) throws(ArchiveFailure) -> CountingSink {
        var sink = CountingSink()
        try ZipArchive(reading: .memory(bytes), limits: limits).extract(into: &sink)
        return sink
    }

    private func code(_ bytes: [UInt8], limits: ZipLimits = ZipLimits()) -> ArchiveFailure.Code? {
        do throws(ArchiveFailure) {
            _ = try unpack(bytes, limits: limits)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `an archive cut at any byte is refused`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        for name in ["zipfile-streamed-zip64", "descriptor-10", "zip64-end", "macos"] {
            let whole = TemporaryFolder.bytes(fixtures.good(name).path)
            // A large one in steps, but every byte of its directory.
            for length in stride(from: 0, to: whole.count, by: 1) where length % 997 == 0 || whole.count - length < 1500
            {
                #expect(code(Array(whole.prefix(length))) != nil, "\(name) cut at \(length)")
            }
        }
    }

    @Test func `an archive with flipped bits is refused or unpacked, and neither traps`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        let random = RandomSource.seeded(41)
        for name in ["descriptor-11", "java-folder", "zip64-end", "nested-stored-last"] {
            let whole = TemporaryFolder.bytes(fixtures.good(name).path)
            let size = try unpack(whole).bytes
            for _ in 0..<2000 {
                var changed = whole
                for _ in 0...random.uint64() % 3 {
                    changed[Int(random.uint64() % UInt64(changed.count))] ^= 1 << (random.uint64() % 8)
                }
                // What is taken still passes its checksums, so nothing was added.
                if let sink = try? unpack(changed) { #expect(sink.bytes <= size) }
            }
        }
    }

    @Test func `each limit refuses what the same archive without it passes`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        let whole = TemporaryFolder.bytes(fixtures.good("zipfile").path)
        #expect(code(whole) == nil)
        let cases: [(ArchiveFailure.Code, (inout ZipLimits) -> Void)] = [
            (.archiveSize, { $0.archiveBytes = whole.count - 1 }),
            (.totalSize, { $0.totalBytes = 420_000 }),
            (.fileSize, { $0.fileBytes = 299_999 }),
            (.entries, { $0.entries = 3 }),
            (.depth, { $0.depth = 1 }),
            (.nameLength, { $0.nameBytes = 12 }),
            (.ratio, { ($0.ratio, $0.ratioFreeBytes) = (50, 100_000) }),
        ]
        for (expected, change) in cases {
            var limits = ZipLimits()
            change(&limits)
            #expect(code(whole, limits: limits) == expected)
        }
    }

    @Test func `a refusal names the entry without its control characters`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        let path = try #require(fixtures.hostile.first { $0.name == "escape" }).path
        #expect(throws: ArchiveFailure(.controlCharacter, "A name has a control character.", entry: "?[2J")) {
            try ZipArchive(reading: .file(ArchiveFile(path: path)))
        }
        let long = ArchiveFailure(.name, "A path.", entry: String(repeating: "é", count: 5000))
        #expect(long.description == "A path. (\(String(repeating: "é", count: 100))…)")
    }

    @Test func `progress counts to the end`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        let archive = try ZipArchive(reading: .file(ArchiveFile(path: fixtures.good("empty-map").path)))
        var told: [ArchiveProgress] = []
        var sink = CountingSink()
        try archive.extract(into: &sink) { told.append($0) }
        #expect(told.count > 50 && told.count < 300)
        #expect(told.map(\.bytes) == told.map(\.bytes).sorted())
        #expect(told.last == ArchiveProgress(entries: 1, totalEntries: 1, bytes: 1 << 24, totalBytes: 1 << 24))
    }

    @Test func `every code of a refusal is told in the documentation`() throws {
        let root = try ProjectStorage.resolve(#filePath).split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(decoding: TemporaryFolder.bytes("/\(root)/docs/protocols/projects.md"), as: UTF8.self)
        for code in ArchiveFailure.Code.allCases { #expect(page.contains("| `\(code.rawValue)` |"), "\(code)") }
    }
}
