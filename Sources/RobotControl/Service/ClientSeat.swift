/// The one place that a client can have: who sits there, and who may take it.
package struct ClientSeat: Sendable {
    package enum SecondClient: String, CaseIterable, Sendable {
        case refuse
        case takeOver = "take_over"
    }

    package enum Outcome: Equatable, Sendable {
        case taken
        /// The one who sat there is to be told and let go.
        case takenFrom(String)
        case refused
    }

    private let rule: SecondClient
    package private(set) var holder: String?

    package init(rule: SecondClient) {
        self.rule = rule
    }

    /// - Parameter asksToTakeOver: the newcomer says so, and has shown a token.
    package mutating func take(_ id: String, asksToTakeOver: Bool) -> Outcome {
        guard let present = holder else {
            holder = id
            return .taken
        }
        guard rule == .takeOver, asksToTakeOver else { return .refused }
        holder = id
        return .takenFrom(present)
    }

    /// False where somebody else sits there by now.
    package mutating func leave(_ id: String) -> Bool {
        guard holder == id else { return false }
        holder = nil
        return true
    }
}
