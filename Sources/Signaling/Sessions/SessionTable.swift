package import Core

/// All sessions: a plain value with a hand-fed clock, so that limits and the timeout can be tested.
package struct SessionTable: Sendable {
    package let maximum: Int
    package let timeout: Duration
    private let random: RandomSource
    private var sessions: [SessionID: Session] = [:]

    package init(maximum: Int, timeout: Duration, random: RandomSource) {
        self.maximum = maximum
        self.timeout = timeout
        self.random = random
    }

    package var count: Int { sessions.count }

    /// Oldest first.
    package var all: [Session] {
        sessions.values.sorted { ($0.createdAt, $0.id.value) < ($1.createdAt, $1.id.value) }
    }

    /// Nil where ``maximum`` sessions exist already.
    package mutating func create(_ request: SessionRequest, now: Instant, wallTime: WallTime) -> Session? {
        guard sessions.count < maximum else { return nil }
        let session = Session(
            id: SessionID(random.uuid()), token: random.token(bits: 256), tutorID: request.tutorID,
            studentID: request.studentID, knowledgeBaseID: request.knowledgeBaseID, createdAt: wallTime,
            lastActivity: wallTime, lastActive: now)
        sessions[session.id] = session
        return session
    }

    package subscript(id id: SessionID) -> Session? { sessions[id] }

    /// The session, if the token is its own. The comparison takes as long for a wrong token as for a right one.
    package func authenticate(_ id: SessionID, token: String) -> Session? {
        guard let session = sessions[id], constantTimeEquals(Array(session.token.utf8), Array(token.utf8)) else {
            return nil
        }
        return session
    }

    /// Notes that the session is in use.
    package mutating func touch(_ id: SessionID, now: Instant, wallTime: WallTime) {
        sessions[id]?.lastActive = now
        sessions[id]?.lastActivity = wallTime
    }

    /// False where there was none.
    @discardableResult
    package mutating func remove(_ id: SessionID) -> Bool {
        sessions.removeValue(forKey: id) != nil
    }

    /// The sessions that nobody used for ``timeout``; they stay until they are removed.
    package func expired(now: Instant) -> [SessionID] {
        sessions.values.filter { now - $0.lastActive >= timeout }.map(\.id)
    }
}

extension RandomSource {
    /// A random UUID in text ([RFC 9562 §5.4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)).
    package func uuid() -> String {
        var octets = bytes(16)
        octets[6] = octets[6] & 0x0F | 0x40
        octets[8] = octets[8] & 0x3F | 0x80
        let digits = octets.hexadecimal
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
    }
}
