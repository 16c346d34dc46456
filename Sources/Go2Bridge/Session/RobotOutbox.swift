internal import PeerConnection

/// What waits to be said to a robot while its channel takes no more.
///
/// Bounded, and nothing that waits is stale: a stop overtakes all and takes velocities back, of velocities and switches the
/// newest waits, and what nobody waits for any more is not said. Subscriptions and stops are never refused for want of room.
struct RobotOutbox: Sendable {
    enum Kind: Sendable, Equatable {
        /// Refused where too much waits.
        case ordinary
        /// Makes the robot move: the newest counts, and a stop takes it back.
        case motion
        case stop
        /// A subscription or switch of that name: the newest counts. An undone one is lost without harm, one that is
        /// `wanted` is not.
        case wish(String, isWanted: Bool)
    }

    private struct Entry: Sendable {
        var message: DataChannelMessage
        var kind: Kind
        /// The request's number on the wire, where it is one.
        var requestID: Int32?

        var isLimited: Bool {
            switch kind {
            case .ordinary, .motion, .wish(_, isWanted: false): true
            case .stop, .wish(_, isWanted: true): false
            }
        }

        /// The wish's name.
        var wish: String? { if case .wish(let name, _) = kind { name } else { nil } }
    }

    /// Stops that wait at most, and likewise everything else but wanted wishes: of those there are as many as topics.
    let limit: Int
    private var entries: [Entry] = []

    init(limit: Int) {
        self.limit = limit
    }

    /// The next message, which stays until ``removeFirst()``.
    var first: DataChannelMessage? { entries.first?.message }

    mutating func removeFirst() {
        if !entries.isEmpty { entries.removeFirst() }
    }

    mutating func removeAll() {
        entries.removeAll()
    }

    /// False where too much waits already.
    mutating func add(_ message: DataChannelMessage, _ kind: Kind, requestID: Int32? = nil) -> Bool {
        let entry = Entry(message: message, kind: kind, requestID: requestID)
        switch kind {
        case .stop:
            entries.removeAll { $0.kind == .motion }
            guard entries.count(where: { $0.kind == .stop }) < limit else { return false }
            entries.insert(entry, at: 0)
            return true
        case .motion: entries.removeAll { $0.kind == .motion }
        case .wish(let name, let isWanted):
            entries.removeAll { $0.wish == name }
            if isWanted {
                entries.append(entry)
                return true
            }
        case .ordinary: break
        }
        guard entries.count(where: \.isLimited) < limit else { return false }
        entries.append(entry)
        return true
    }

    /// Nobody waits for that request any more: it is not made late. A stop still is.
    mutating func withdraw(requestID: Int32) {
        entries.removeAll { $0.requestID == requestID && $0.kind != .stop }
    }
}
