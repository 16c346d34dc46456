import Core
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import RobotControl

struct ProjectStoreTests {
    private let folder = TemporaryFolder()

    private var root: String { "\(folder.path)/projects" }

    private func makeStore(_ change: (inout ProjectStore.Settings) -> Void = { _ in }) throws -> ProjectStore {
        var settings = ProjectStore.Settings(directory: root)
        change(&settings)
        return try ProjectStore(settings)
    }

    private func zip(_ name: String) async throws -> String { try await ZipFixtures.shared.value.good(name).path }

    /// What `current` points to.
    private var current: [String: [UInt8]] {
        let path = (try? ProjectStorage.resolve("\(root)/current")) ?? "nothing"
        return TemporaryFolder.content(of: path)
    }

    @Test func `every good zip comes out file by file`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        #expect(fixtures.good.count >= 18)
        let store = try makeStore()
        for name in fixtures.good {
            let (path, content) = fixtures.good(name)
            let staged = try await store.stage(archiveAt: path)
            let expected = content.filter { !$0.key.hasSuffix("/") }
            #expect(
                TemporaryFolder.content(of: staged.folder.path).filter { !$0.key.hasSuffix("/") } == expected, "\(name)"
            )
            #expect(staged.version.files == expected.count)
            #expect(staged.version.bytes == expected.values.reduce(0) { $0 + $1.count })
            await store.discard(staged)
        }
        #expect(TemporaryFolder.content(of: root) == ["staging/": [], "versions/": [], "default/": [], ".lock": []])
    }

    @Test func `every hostile zip is refused with its code, and nothing is left behind`() async throws {
        let fixtures = try await ZipFixtures.shared.value
        #expect(fixtures.hostile.count >= 100)
        let store = try makeStore()
        try await store.commit(store.stage(archiveAt: zip("zipfile")))
        let before = TemporaryFolder.content(of: root)
        let currentBefore = current
        let outside = TemporaryFolder.content(of: folder.path).count
        for hostile in fixtures.hostile {
            do throws(ProjectFailure) {
                _ = try await store.stage(archiveAt: hostile.path)
                Issue.record("\(hostile.name) was taken")
            } catch {
                #expect(error.code == hostile.code, "\(hostile.name): \(error)")
                #expect(error.reason.utf8.count < 500)
            }
            #expect(TemporaryFolder.content(of: root).keys == before.keys, "\(hostile.name)")
        }
        #expect(TemporaryFolder.content(of: root) == before)
        #expect(current == currentBefore)
        #expect(TemporaryFolder.content(of: folder.path).count == outside)
    }

    @Test func `modes are ours, whatever the zip and the umask say`() async throws {
        let archive = "\(folder.path)/modes.zip"
        try await runProgram(
            "python3", "-c",
            """
            import sys, zipfile
            with zipfile.ZipFile(sys.argv[1], "w") as archive:
                for name, mode in (("run", 0o100777), ("main.py", 0o100000), ("x/", 0o042770), ("x/y", 0o100600)):
                    info = zipfile.ZipInfo(name); info.external_attr = mode << 16
                    archive.writestr(info, b"")
            """, archive)
        let former = umask(0o077)
        defer { umask(former) }
        let staged = try await makeStore().stage(archiveAt: archive)
        let modes = ["run", "main.py", "x", "x/y"].map { name in
            var status = stat()
            lstat("\(staged.folder.path)/\(name)", &status)
            return status.st_mode & 0o7777
        }
        #expect(modes == [0o755, 0o644, 0o755, 0o644])
    }

    @Test func `a staged project replaces the current one only when it is committed`() async throws {
        let store = try makeStore()
        let origin = ProjectOrigin(fileName: "dog\u{1B}.zip", author: "anna")
        let first = try await store.commit(store.stage(archiveAt: zip("zipfile"), origin: origin))
        #expect(first.number == 1 && first.source == "update" && first.fileName == "dog?.zip" && first.author == "anna")
        #expect(first.sha256 == MessageDigest.sha256.hash(TemporaryFolder.bytes(try await zip("zipfile"))).hexadecimal)
        let staged = try await store.stage(archiveAt: zip("nested"))
        #expect(await store.current() == first)
        #expect(current["robot/legs.py"] != nil && current["inner.zip"] == nil)
        let second = try await store.commit(staged)
        #expect(await store.current() == second)
        #expect(current["inner.zip"] != nil)
        #expect(await store.history() == [second, first])
        #expect(await store.version(1) == first)
        #expect(second.folder == staged.folder)
    }

    @Test func `a rollback is a version of its own and is remembered with all others`() async throws {
        var store: ProjectStore? = try makeStore()
        try await store?.commit(try #require(store).stage(archiveAt: zip("zipfile")))
        try await store?.commit(try #require(store).stage(archiveAt: zip("nested")))
        let staged = try await #require(store).stage(rollbackTo: 1, origin: ProjectOrigin(author: "ben"))
        #expect(await store?.current()?.number == 2)
        try await store?.commit(staged)
        #expect(current.keys.contains("robot/legs.py"))
        let history = await store?.history()
        #expect(history?.map(\.source) == ["rollback of 1", "update", "update"])
        #expect(history?.first?.sha256 == history?.last?.sha256)
        await #expect(throws: ProjectFailure(code: "unknown_version", reason: "There is no version 9.")) {
            try await #require(store).stage(rollbackTo: 9)
        }
        store = nil
        let next = try makeStore()
        #expect(await next.history() == history)
        #expect(await next.current()?.number == 3)
    }

    @Test func `a project is committed once, and not after it was discarded`() async throws {
        let store = try makeStore()
        let staged = try await store.stage(archiveAt: zip("comment"))
        let other = try await store.stage(archiveAt: zip("nested"))
        await store.discard(other)
        try await store.commit(staged)
        for project in [staged, other] {
            let failure = await #expect(throws: ProjectFailure.self) { try await store.commit(project) }
            #expect(failure?.code == "unknown_version")
        }
        // A version is not forgotten by mistake.
        await store.discard(staged)
        #expect(await store.history() == [staged.version])
        #expect(current.keys.contains("main.py"))
    }

    @Test func `an upload is staged from base64 and its file removed`() async throws {
        let store = try makeStore()
        let bytes = TemporaryFolder.bytes(try await zip("zipfile"))
        for isGood in [true, false] {
            let upload = try store.makeUpload(.base64)
            try upload.append(Array(Base64.encode(isGood ? bytes : Array(bytes.dropLast(9))).utf8))
            let staged = try? await store.stage(upload)
            #expect((staged != nil) == isGood)
            #expect(TemporaryFolder.content(of: "\(root)/staging").isEmpty)
            #expect(throws: ProjectFailure.self) { try upload.append([0x51]) }
        }
    }

    @Test func `old versions are pruned by number and by size, the current one never`() async throws {
        let store = try makeStore { ($0.maximumVersions, $0.maximumBytes) = (3, 1_000_000) }
        for _ in 0..<5 { try await store.commit(store.stage(archiveAt: zip("comment"))) }
        #expect(await store.history().map(\.number) == [5, 4, 3])
        // 420 kB each: two of them fit.
        for _ in 0..<3 { try await store.commit(store.stage(archiveAt: zip("zipfile"))) }
        #expect(await store.history().map(\.number) == [8, 7])
        try await store.commit(store.stage(archiveAt: zip("empty-map")))
        #expect(await store.history().map(\.number) == [9])
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/versions").count == 2)
    }

    @Test func `what a crash leaves half done is gone at the next start`() async throws {
        var store: ProjectStore? = try makeStore()
        let first = try await store?.commit(try #require(store).stage(archiveAt: zip("zipfile")))
        // Unpacked, and never committed.
        let staged = try await #require(store).stage(archiveAt: zip("nested"))
        // An upload that never ended, a record whose folder is gone.
        let upload = try store?.makeUpload(.plain)
        try upload?.append([1, 2, 3])
        folder.write("projects/staging/0007-x/main.py", [])
        folder.write("projects/versions/0009-x.json", "{}".utf8)
        store = nil
        let next = try makeStore()
        #expect(await next.history() == [first])
        #expect(!FileManager.default.fileExists(atPath: staged.folder.path))
        #expect(TemporaryFolder.content(of: "\(root)/staging").isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/versions").count == 2)
        #expect(try await next.commit(next.stage(archiveAt: zip("comment"))).number > 1)
        _ = upload
    }

    @Test func `the default project fills an empty current and stays as it is`() async throws {
        folder.write("projects/default/main.py", "x = 1".utf8)
        var store: ProjectStore? = try makeStore()
        #expect(await store?.current()?.source == "default")
        #expect(await store?.current()?.files == 1)
        #expect(current == ["main.py": Array("x = 1".utf8)])
        try await store?.commit(try #require(store).stage(archiveAt: zip("nested")))
        #expect(TemporaryFolder.content(of: "\(root)/default") == ["main.py": Array("x = 1".utf8)])
        store = nil
        // An update survives the restart; a link that is removed asks for the default project again.
        store = try makeStore()
        #expect(await store?.current()?.number == 2)
        store = nil
        unlink("\(root)/current")
        store = try makeStore()
        #expect(await store?.current()?.number == 3)
        #expect(current == ["main.py": Array("x = 1".utf8)])
    }

    @Test func `our own project is taken where there is no default`() async throws {
        folder.write("ours/main.py", "ours".utf8)
        let store = try makeStore { $0.builtInProject = "\(folder.path)/ours" }
        #expect(current == ["main.py": Array("ours".utf8)])
        #expect(await store.history().count == 1)
    }

    @Test func `a folder that an operator made current becomes a version`() async throws {
        folder.write("projects/current/main.py", "theirs".utf8)
        let store = try makeStore()
        #expect(await store.current()?.source == "adopted")
        #expect(current == ["main.py": Array("theirs".utf8)])
        #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: "\(root)/current")) != nil)
    }

    @Test func `a link that an operator made current is copied`() async throws {
        folder.write("elsewhere/main.py", "theirs".utf8)
        folder.write("projects/default/main.py", [])
        symlink("\(folder.path)/elsewhere", "\(root)/current")
        let store = try makeStore()
        #expect(await store.current()?.source == "adopted")
        #expect(current == ["main.py": Array("theirs".utf8)])
        #expect(TemporaryFolder.content(of: "\(folder.path)/elsewhere") == ["main.py": Array("theirs".utf8)])
    }

    @Test func `a current version whose record is lost stays current`() async throws {
        var store: ProjectStore? = try makeStore()
        let first = try await #require(store).commit(#require(store).stage(archiveAt: zip("nested")))
        store = nil
        unlink("\(root)/versions/\(first.name).json")
        let next = try makeStore()
        #expect(await next.current()?.number == 1)
        #expect(await next.current()?.files == 2)
        #expect(current["inner.zip"] != nil)
    }

    @Test func `a version whose record is damaged is kept and not listed`() async throws {
        var store: ProjectStore? = try makeStore()
        let first = try await #require(store).commit(#require(store).stage(archiveAt: zip("nested")))
        try await store?.commit(#require(store).stage(archiveAt: zip("comment")))
        store = nil
        for record in ["", "{}", "[", String(repeating: " ", count: 70_000)] {
            folder.write("projects/versions/\(first.name).json", record.utf8)
            #expect(await (try makeStore()).history().map(\.number) == [2])
            #expect(FileManager.default.fileExists(atPath: first.folder.path))
        }
    }

    @Test func `a second server does not touch the folder`() async throws {
        let store = try makeStore()
        let staged = try await store.stage(archiveAt: zip("nested"))
        let failure = #expect(throws: ProjectFailure.self) { try makeStore() }
        #expect(failure?.code == "storage_in_use")
        #expect(try await store.commit(staged).number == 1)
    }

    @Test func `unpacking keeps no thread of the task pool`() async throws {
        let names = Mutex<Set<String>>([])
        _ = try await makeStore().stage(archiveAt: zip("zipfile")) { _ in
            let name = String(decoding: TemporaryFolder.bytes("/proc/thread-self/comm"), as: UTF8.self)
            names.withLock { _ = $0.insert(name) }
        }
        #expect(names.withLock { $0 } == ["project\n"])
    }

    @Test func `an upload that is given up leaves nothing`() async throws {
        let store = try makeStore()
        let path = try await zip("empty-map")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.stage(archiveAt: path)
        }
        let failure = await #expect(throws: ProjectFailure.self) { try await task.value }
        #expect(failure?.code == "cancelled")
        #expect(TemporaryFolder.content(of: root) == ["staging/": [], "versions/": [], "default/": [], ".lock": []])
    }

    /// Whether this process may mount a small disk.
    private static let canMount: Bool = {
        let folder = TemporaryFolder()
        return mount("tmpfs", folder.path, "tmpfs", 0, "size=4k") == 0 && umount(folder.path) == 0
    }()

    @Test(.enabled(if: canMount)) func `a full disk is told and leaves nothing behind`() async throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try #require(mount("tmpfs", root, "tmpfs", 0, "size=200k") == 0)
        defer { umount2(root, Int32(MNT_DETACH)) }
        let store = try makeStore()
        let first = try await store.commit(store.stage(archiveAt: zip("comment")))
        let before = TemporaryFolder.content(of: root)
        let failure = await #expect(throws: ProjectFailure.self) { try await store.stage(archiveAt: zip("zipfile")) }
        #expect(failure?.code == "disk_full")
        let upload = try store.makeUpload(.plain)
        let uploadFailure = #expect(throws: ProjectFailure.self) {
            try upload.append([UInt8](repeating: 7, count: 300_000))
        }
        #expect(uploadFailure?.code == "disk_full")
        #expect(TemporaryFolder.content(of: root) == before)
        #expect(await store.current() == first)
    }
}
