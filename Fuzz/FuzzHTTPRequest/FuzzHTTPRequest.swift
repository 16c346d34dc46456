import Core
import Glibc

@testable import WebServer

/// Any bytes on a connection of a real server, in two pieces: whatever it answers is HTTP, and the next connection is served.
///
/// The first byte says where the cut is. What libwebsockets hands on is ours from there: head, route, body, file, frame.
@c(LLVMFuzzerTestOneInput)
package func fuzzHTTPRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    checkPaths(String(decoding: input, as: UTF8.self))
    guard let port, let first = input.first, let connection = connect(to: port) else { return 0 }
    defer { close(connection) }
    let cut = 1 + Int(first) * (input.count - 1) / 255
    for piece in [input[1..<cut], input[cut...]] where !piece.isEmpty {
        _ = piece.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
    shutdown(connection, Int32(SHUT_WR))
    var answer = [UInt8](repeating: 0, count: 4096)
    let received = answer.withUnsafeMutableBytes { recv(connection, $0.baseAddress, $0.count, 0) }
    if received > 0 {
        precondition(answer.starts(with: Array("HTTP/1.".utf8).prefix(received)), "an answer that is no HTTP")
    }
    return 0
}

/// What stands between a path and a file.
private func checkPaths(_ text: String) {
    if let path = StaticFiles.safePath(text) {
        precondition(!path.split(separator: "/").contains(".."), "a path leads out of its folder")
        _ = MediaTypes.type(of: path)
    }
    _ = StaticFiles.matches(text, "\"1-2\"")
    for pattern in patterns {
        guard let parameters = pattern.match(RoutePattern.split(text)) else { continue }
        precondition(parameters["id"].map { !$0.isEmpty && !$0.contains("/") } ?? true, "a parameter of no segment")
    }
    let request = HTTPRequest(
        method: .get, path: "/", headers: ["Authorization": text, "Content-Type": text])
    precondition(request.bearerToken.map { !$0.contains(" ") } ?? true, "a token with a space")
    _ = request.mediaType
}

private let patterns = [RoutePattern("/v1/things/{id}"), RoutePattern("/files/{path...}"), RoutePattern("/{id}/end")]

private let server: WebServer? = {
    var router = Router()
    router.add(.get, "/v1/things/{id}") { .text(.ok, ($0.parameters["id"] ?? "") + ($0.query["a"] ?? "")) }
    router.add(.post, "/v1/things", bodyLimit: 1024) { HTTPResponse(.ok, contentType: "a/b", $0.body) }
    router.add(.get, "/files/{path...}", StaticFiles(root: "/usr/share/doc").respond)
    router.webSocket("/ws") { connection, _, incoming in
        for await message in incoming {
            if case .binary(let bytes) = message { connection.send(binary: bytes) }
        }
    }
    var limits = ListenerConfiguration.Limits()
    limits.headerTimeout = .seconds(1)
    limits.bodyTimeout = .seconds(1)
    limits.requestsPerSecondPerAddress = 1_000_000
    let listener = ListenerConfiguration(
        name: "fuzz", address: SocketAddress(.loopbackV4, 0), router: router, limits: limits,
        cors: CORSPolicy(origins: .any))
    let server = WebServer(listeners: [listener], metrics: MetricsRegistry())
    return (try? server.start()) == nil ? nil : server
}()

private let port = server?.port(of: "fuzz")

/// A connection that waits for nothing long, and leaves no port behind: it is reset when it is closed.
private func connect(to port: UInt16) -> Int32? {
    let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard connection >= 0 else { return nil }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var patience = timeval(tv_sec: 0, tv_usec: 20_000)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var reset = linger(l_onoff: 1, l_linger: 0)
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    let error = errno
    guard result != 0 else { return connection }
    // The fuzzer's own alarm may interrupt a call.
    precondition(error == EINTR, "the server takes no connection any more: \(error)")
    close(connection)
    return nil
}
