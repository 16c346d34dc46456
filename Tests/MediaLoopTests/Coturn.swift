import Core
import Foundation
import Glibc
import MediaLoop
import Networking
import TestSupport

/// Debian's coturn on loopback with ports of its own, ended by its process id.
final class Coturn: Sendable {
    static let user = "viewer"
    static let password = "viewer-pass"

    let port: UInt16
    let relayPorts: ClosedRange<UInt16>
    private let folder: URL
    private let options: [String]
    /// Its process id; 0 while it does not run.
    private let process = Watched<pid_t>(0)
    /// Everything that it has written so far.
    private let log = Watched("")

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: "/usr/bin/turnserver") }

    var address: SocketAddress { SocketAddress(.loopbackV4, port) }
    /// Where a loop under test keeps its allocation.
    var stateFile: String { folder.appendingPathComponent("allocation.json").path }

    /// - Parameter options: beyond those that every test needs.
    init(_ options: String...) throws {
        self.options = options
        let ports = FreePorts.take(6)
        port = ports.lowerBound
        relayPorts = (ports.lowerBound + 1)...ports.upperBound
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("coturn-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Returns once it listens. False where the test ran out of time.
    func start() async throws -> Bool {
        let output = try EventLoop(name: "coturn-output")
        try output.start()
        var pipe: [Int32] = [-1, -1]
        guard Glibc.pipe(&pipe) == 0 else { return false }
        let (reading, writing) = (pipe[0], pipe[1])
        // Another suite's coturn must not hold this one's output open.
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        log.update { $0 = "" }
        _ = await output.perform { [log] in
            try? output.register(reading, for: .readable) { _ in
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = read(reading, &buffer, buffer.count)
                guard count > 0 else {
                    output.deregister(reading)
                    close(reading)
                    Task { await output.stop() }
                    return
                }
                log.update { $0 += String(decoding: buffer[..<count], as: UTF8.self) }
            }
        }
        let id = spawn(writing: writing)
        close(writing)
        process.update { $0 = id }
        return await log.wait { $0.contains("IPv4. UDP listener opened on") }
    }

    private func spawn(writing: Int32) -> pid_t {
        let arguments =
            [
                "turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port=\(port)",
                "--min-port=\(relayPorts.lowerBound)", "--max-port=\(relayPorts.upperBound)", "--realm=test",
                "--lt-cred-mech",
                "--user=\(Self.user):\(Self.password)", "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls",
                "--relay-threads=1", "--verbose", "--log-file=stdout", "--userdb=\(folder.path)/db",
                "--pidfile=\(folder.path)/pid",
            ] + options
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writing, 1)
        posix_spawn_file_actions_adddup2(&actions, writing, 2)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var id: pid_t = 0
        return posix_spawn(&id, "/usr/bin/turnserver", &actions, nil, &pointers, nil) == 0 ? id : 0
    }

    /// Ends it without giving it a chance to say goodbye.
    func kill() {
        let id = process.current
        guard id > 0 else { return }
        process.update { $0 = 0 }
        _ = Glibc.kill(id, SIGKILL)
        var status: Int32 = 0
        waitpid(id, &status, 0)
    }

    /// - Parameter server: where the loop reaches it; itself unless something lies in between.
    func connectivity(
        server: SocketAddress? = nil, keepsState: Bool = false, usesTCP: Bool = false
    ) -> ConnectivityConfiguration {
        var relay = ConnectivityConfiguration.ExternalRelay(
            urls: ["turn:127.0.0.1:\(port)"], serverAddress: server ?? address,
            credentials: .fixed(username: Self.user, password: Self.password))
        relay.localPort = 0
        relay.usesTCP = usesTCP
        relay.stateFile = keepsState ? stateFile : nil
        var connectivity = ConnectivityConfiguration(relay: .external(relay), publicAddress: .loopbackV4)
        connectivity.mode = .relay
        connectivity.portRange = relayPorts
        return connectivity
    }

    var relay: LoopbackViewer.Relay {
        LoopbackViewer.Relay(server: address, username: Self.user, password: Self.password)
    }
}

/// A wire between a loop and its TURN server that can be cut: to the server, its end always has the same address.
// SAFETY: `isCut` and `client` are touched on the loop's thread alone.
final class Wire: @unchecked Sendable {
    private let loop: EventLoop
    private let front: UDPSocket
    private let back: UDPSocket
    private var isCut = false
    private var client: SocketAddress?

    var address: SocketAddress { front.localAddress }

    init(to server: SocketAddress) async throws {
        loop = try EventLoop(name: "wire")
        try loop.start()
        front = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        back = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        _ = await loop.perform { [self] in
            let arena = ReceiveArena()
            try? front.startReceiving(on: loop, into: arena) { [self] bytes, source in
                client = source
                if !isCut { back.send(UnsafeRawBufferPointer(bytes), to: server) }
            }
            try? back.startReceiving(on: loop, into: arena) { [self] bytes, source in
                if let client, !isCut { front.send(UnsafeRawBufferPointer(bytes), to: client) }
            }
        }
    }

    func stop() async {
        await loop.stop()
    }

    func setCut(_ isCut: Bool) async {
        _ = await loop.perform { [self] in self.isCut = isCut }
    }
}
