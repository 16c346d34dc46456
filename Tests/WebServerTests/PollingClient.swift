import Core

@testable import WebServer

/// A client of an Engine.IO server that polls, by calling the routes themselves: no socket is opened.
final class PollingClient {
    struct Answer: Equatable, Sendable {
        var status: Int
        var body: String
    }

    /// The routes alone would not keep it.
    private let server: AnyObject
    private let router: Router
    private let path: String
    private(set) var id = ""
    /// What the session began with.
    private(set) var opening = Answer(status: 0, body: "")
    private var received: [String] = []

    init(_ server: EngineIOServer, path: String = "/engine.io/") async {
        var router = Router()
        server.add(to: &router)
        (self.server, self.router, self.path) = (server, router, path)
        await open()
    }

    init(_ server: SocketIOServer) async {
        var router = Router()
        server.add(to: &router)
        (self.server, self.router, path) = (server, router, "/socket.io/")
        await open()
    }

    /// Another client of the same server.
    init(_ other: PollingClient) async {
        (server, router, path) = (other.server, other.router, other.path)
        await open()
    }

    private func open() async {
        opening = await request(.get, ["EIO": "4", "transport": "polling"])
        guard opening.body.first == "0", let json = JSONValue(parsing: Array(opening.body.utf8.dropFirst())),
            case .string(let id)? = json["sid"]
        else { return }
        self.id = id
    }

    func request(_ method: HTTPMethod, _ query: [String: String], _ body: HTTPRequest? = nil) async -> Answer {
        await sending(method, query, body)()
    }

    /// A request that any task may send.
    func sending(
        _ method: HTTPMethod, _ query: [String: String], _ body: HTTPRequest? = nil
    ) -> @Sendable () async -> Answer {
        guard case .endpoint(let endpoint, _) = router.match(method, path) else {
            return { Answer(status: 404, body: "") }
        }
        var request = body ?? HTTPRequest(method: method, path: path)
        request.query = query
        return { [request] in
            let response = await endpoint.handler(request)
            guard case .bytes(let bytes) = response.body else { return Answer(status: response.status.code, body: "?") }
            return Answer(status: response.status.code, body: String(decoding: bytes, as: UTF8.self))
        }
    }

    private var query: [String: String] { ["EIO": "4", "transport": "polling", "sid": id] }

    func get() async -> Answer { await request(.get, query) }

    @discardableResult
    func post(_ body: String) async -> Answer {
        await request(.post, query, HTTPRequest(method: .post, path: path, body: Array(body.utf8)))
    }

    func post(_ body: SpooledBytes) async -> Answer {
        var request = HTTPRequest(method: .post, path: path)
        request.spooledBody = body
        return await self.request(.post, query, request)
    }

    /// The next packet, waited for; the status of the answer where there is none.
    func next() async -> String {
        while received.isEmpty {
            let answer = await get()
            guard answer.status == 200 else { return "\(answer.status)" }
            received = answer.body.split(separator: "\u{1E}", omittingEmptySubsequences: false).map(String.init)
        }
        return received.removeFirst()
    }
}
