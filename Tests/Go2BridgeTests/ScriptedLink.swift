import Core
import Synchronization
import Testing

@testable import Go2Bridge

/// A link of the tests' own: it records orders, and says what a test tells it to.
final class ScriptedLink: RobotLink {
    private struct State {
        var events: (@Sendable (RobotLinkEvent) -> Void)?
        var orders: [RobotOrder] = []
        var isStopped = false
        var answers: (@Sendable (RobotRequest) -> RobotLinkEvent?)?
    }
    private let state = Mutex(State())
    private let arrivals: AsyncStream<Void>
    private let arrived: AsyncStream<Void>.Continuation

    init() {
        (arrivals, arrived) = AsyncStream.makeStream()
    }

    func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void) {
        state.withLock { $0.events = events }
    }

    func stop() async {
        state.withLock { $0.isStopped = true }
    }

    func perform(_ order: RobotOrder) {
        let (answer, events) = state.withLock { state in
            state.orders.append(order)
            guard case .request(let request) = order else { return (nil as RobotLinkEvent?, state.events) }
            return (state.answers?(request), state.events)
        }
        arrived.yield()
        // From within `perform`, as a link on its own thread would not, so that the facade's locks are tried.
        if let answer { events?(answer) }
    }

    func say(_ event: RobotLinkEvent) {
        state.withLock(\.events)?(event)
    }

    /// Every request is answered with that, or not at all.
    func answer(_ answers: @escaping @Sendable (RobotRequest) -> RobotLinkEvent?) {
        state.withLock { $0.answers = answers }
    }

    /// All orders so far, in short: `subscribe rt/x`, `request 1003`, `vid on`.
    var said: [String] { state.withLock { $0.orders.map(\.short) } }

    var requests: [RobotRequest] {
        state.withLock { $0.orders.compactMap { if case .request(let request) = $0 { request } else { nil } } }
    }

    var isStopped: Bool { state.withLock(\.isStopped) }

    /// Returns as soon as an order fits, of those so far too.
    func waitFor(_ short: String) async {
        if said.contains(short) { return }
        for await _ in arrivals where said.contains(short) { return }
    }
}

extension RobotOrder {
    var short: String {
        switch self {
        case .subscribe(let topic): "subscribe \(topic)"
        case .unsubscribe(let topic): "unsubscribe \(topic)"
        case .request(let request): "request \(request.apiID)"
        case .publish(let topic, let data): "publish \(topic) \(data.text)"
        case .camera(let isOn): isOn ? "vid on" : "vid off"
        case .microphone(let isOn): isOn ? "aud on" : "aud off"
        case .sound: "sound"
        case .trafficSaving(let isOn): isOn ? "saving on" : "saving off"
        }
    }
}
