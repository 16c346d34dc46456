import Core
import Foundation
import Networking
import PeerConnection

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Viewers that come to a running server and go again: each asks for a picture over WHEP, watches for a while, leaves in one of
/// the ways that viewers do, and is followed by another.
///
/// Prints a line of figures every few seconds. Ends with its standard input, or when its time is up.
final class Visits {
    struct Plan: Sendable {
        var endpoint: URL
        var count: Int
        /// Mean length of a visit in seconds; the visits last from half of it to one and a half.
        var lifetime: Double
        var perSecond: Double
        /// Nil: until the standard input ends.
        var seconds: Double?
        var usesRelay: Bool
    }

    private struct Figures {
        var visits = 0
        var failed = 0
        var pictures = 0
        var received: UInt64 = 0
        var lost: UInt64 = 0
    }

    private let plan: Plan
    private let loop: EventLoop
    private let context: DTLSContext
    private let arena = ReceiveArena()
    private let http: URLSession
    private let began: Instant
    private var present: [Int: Visitor] = [:]
    private var lastNumber = 0
    private var departures = 0
    private var gone = Figures()
    /// For results that come from other threads.
    private let own: LoopBound<Visits?>

    init(_ plan: Plan, loop: EventLoop, own: LoopBound<Visits?>) throws {
        self.plan = plan
        self.loop = loop
        self.own = own
        began = loop.now
        context = try DTLSContext(certificate: DTLSCertificate())
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 20
        configuration.httpMaximumConnectionsPerHost = 8
        http = URLSession(configuration: configuration)
    }

    func start() {
        for index in 0..<plan.count {
            loop.schedule(at: loop.now + .seconds(Double(index) / plan.perSecond)) { self.begin() }
        }
        repeatReport()
        if let seconds = plan.seconds {
            loop.schedule(at: loop.now + .seconds(seconds)) { self.finish() }
        }
    }

    /// The last figures, and everybody's goodbye.
    func finish() {
        report("result")
        let everybody = present
        present = [:]
        for visitor in everybody.values { visitor.leave(.goodbye) }
        exit(0)
    }

    // MARK: One visit

    private func begin() {
        lastNumber += 1
        let number = lastNumber
        guard plan.usesRelay else { return admit(number, relay: nil) }
        request("GET", "/api/webrtc/config") { visits, answer in
            guard let relay = answer.flatMap({ Self.relay(in: $0.body) }) else {
                return visits.failed(number, "no relay in /api/webrtc/config")
            }
            visits.admit(number, relay: relay)
        }
    }

    private func admit(_ number: Int, relay: Visitor.Relay?) {
        do {
            let visitor = try Visitor(
                loop: loop, context: context, arena: arena, relay: relay,
                onOffer: { [weak self] _, offer in self?.send(offer, of: number) },
                onEnd: { [weak self] _, reason in self?.failed(number, reason) })
            present[number] = visitor
            visitor.start()
        } catch {
            failed(number, "\(error)")
        }
    }

    private func send(_ offer: String, of number: Int) {
        request("POST", plan.endpoint.path, body: offer) { visits, answer in
            guard let visitor = visits.present[number] else { return }
            guard let answer, answer.status == 201 else {
                return visits.failed(number, "the offer was answered \(answer?.status ?? 0): \(answer?.text ?? "")")
            }
            visitor.resource = answer.location
            do {
                try visitor.take(answer: answer.text)
            } catch {
                return visits.failed(number, "\(error)")
            }
            let length = visits.plan.lifetime * Double.random(in: 0.5...1.5)
            visits.loop.schedule(at: visits.loop.now + .seconds(length)) { visits.end(number) }
        }
    }

    private func end(_ number: Int) {
        guard let visitor = present.removeValue(forKey: number) else { return }
        departures += 1
        let departure = Visitor.Departure.allCases[departures % Visitor.Departure.allCases.count]
        count(visitor)
        if departure == .request, let resource = visitor.resource { request("DELETE", resource) { _, _ in } }
        visitor.leave(departure)
        begin()
    }

    private func failed(_ number: Int, _ reason: String) {
        emit("failed \(number) \(reason)")
        gone.failed += 1
        if let visitor = present.removeValue(forKey: number) {
            count(visitor)
            visitor.leave(.vanishing)
        }
        // The place is taken by the next viewer, in no haste.
        loop.schedule(at: loop.now + .seconds(1)) { self.begin() }
    }

    private func count(_ visitor: Visitor) {
        gone.visits += 1
        add(visitor, to: &gone)
    }

    private func add(_ visitor: Visitor, to figures: inout Figures) {
        figures.pictures += visitor.pictureAfter == nil ? 0 : 1
        figures.received += visitor.packetsReceived
        figures.lost += visitor.packetsAbandoned
    }

    // MARK: Figures

    private func repeatReport() {
        loop.schedule(at: loop.now + .seconds(2)) {
            self.report("now")
            self.repeatReport()
        }
    }

    private func report(_ word: String) {
        var figures = gone
        for visitor in present.values { add(visitor, to: &figures) }
        let connected = present.values.filter(\.isConnected)
        let seen = present.values.filter { $0.pictureAfter != nil }
        let ports = Set(connected.compactMap(\.remotePort))
        emit(
            "\(word) seconds=\(Int((loop.now - began).seconds)) watching=\(connected.count) seeing=\(seen.count)"
                + " visits=\(figures.visits) pictures=\(figures.pictures) failed=\(figures.failed)"
                + " received=\(figures.received) lost=\(figures.lost)"
                + " ports=\(ports.sorted().map(String.init).joined(separator: ","))")
    }

    // MARK: HTTP

    private struct Answer: Sendable {
        var status: Int
        var location: String?
        var body: Data
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// `then` runs on the loop; nil where nobody answered.
    private func request(
        _ method: String, _ path: String, body: String? = nil, then: @escaping @Sendable (Visits, Answer?) -> Void
    ) {
        guard let url = URL(string: path, relativeTo: plan.endpoint) else { return then(self, nil) }
        var request = URLRequest(url: url.absoluteURL)
        request.httpMethod = method
        if let body {
            request.setValue("application/sdp", forHTTPHeaderField: "Content-Type")
            request.httpBody = Data(body.utf8)
        }
        let (loop, own) = (loop, own)
        http.dataTask(with: request) { data, response, _ in
            let answer = (response as? HTTPURLResponse).map { response in
                Answer(
                    status: response.statusCode, location: response.value(forHTTPHeaderField: "Location"),
                    body: data ?? Data())
            }
            loop.submit {
                guard let visits = own.withValue({ $0 }) else { return }
                then(visits, answer)
            }
        }.resume()
    }

    /// The first TURN server over UDP that the server tells browsers of.
    private static func relay(in body: Data) -> Visitor.Relay? {
        struct Configuration: Decodable {
            struct Server: Decodable {
                var urls: [String]
                var username: String?
                var credential: String?
            }
            var iceServers: [Server]
        }
        guard let configuration = try? JSONDecoder().decode(Configuration.self, from: body) else { return nil }
        for server in configuration.iceServers {
            for url in server.urls where url.hasPrefix("turn:") && !url.contains("transport=tcp") {
                let parts = url.dropFirst("turn:".count).prefix { $0 != "?" }.split(separator: ":")
                guard parts.count == 2, let ip = IPAddress(parts[0]), let port = UInt16(parts[1]),
                    let username = server.username, let password = server.credential
                else { continue }
                return Visitor.Relay(server: SocketAddress(ip, port), username: username, password: password)
            }
        }
        return nil
    }
}

/// Runs visits until their time is up or the standard input ends.
func runVisits(_ plan: Visits.Plan) throws -> Never {
    let loop = try EventLoop(name: "visits")
    let visits = LoopBound<Visits?>(nil, on: loop)
    try loop.start()
    loop.submit {
        do {
            let made = try Visits(plan, loop: loop, own: visits)
            visits.withValue { $0 = made }
            made.start()
        } catch {
            emit("failed 0 \(error)")
            exit(1)
        }
    }
    while readLine() != nil {}
    loop.submit { visits.withValue { $0 }?.finish() }
    while true { pause() }
}
