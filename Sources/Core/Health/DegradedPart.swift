/// A part of the server that cannot do its work, as `/health` reports it.
package struct DegradedPart: Hashable, Sendable {
    /// The part's name, `relay`, `voice`, `stage:avatar`.
    package var part: String
    /// What failed, in words an operator understands.
    package var reason: String
    /// The command or the setting that mends it.
    package var remedy: String

    package init(part: String, reason: String, remedy: String) {
        self.part = part
        self.reason = reason
        self.remedy = remedy
    }
}
