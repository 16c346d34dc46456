/// What the lips, teeth and tongue do in one picture.
package struct MouthShape: Equatable, Sendable {
    /// 0: closed; 1: as open as in a surprised "ah".
    package var opening: Double
    /// -1: narrow; 0: at rest; 1: spread as in "ee".
    package var spread: Double
    /// 0: none; 1: puckered as in "oo".
    package var rounding: Double
    /// How much the upper teeth rest on the lower lip, as in "f".
    package var bite: Double
    /// How much of the tongue shows at the teeth, as in "th" or "l".
    package var tongue: Double

    package init(opening: Double, spread: Double = 0, rounding: Double = 0, bite: Double = 0, tongue: Double = 0) {
        self.opening = opening
        self.spread = spread
        self.rounding = rounding
        self.bite = bite
        self.tongue = tongue
    }

    /// Closed, with the hint of a smile that the painter adds.
    package static let rest = MouthShape(opening: 0)

    /// A shape between this one (`share` 0) and `other` (`share` 1).
    package func blended(with other: MouthShape, share: Double) -> MouthShape {
        func mix(_ from: Double, _ to: Double) -> Double { from + (to - from) * share }
        return MouthShape(
            opening: mix(opening, other.opening), spread: mix(spread, other.spread),
            rounding: mix(rounding, other.rounding), bite: mix(bite, other.bite), tongue: mix(tongue, other.tongue))
    }
}
