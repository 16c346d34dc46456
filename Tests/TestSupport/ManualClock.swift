import Core

/// A clock that a test moves by hand.
public struct ManualClock {
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)

    public init() {}

    public mutating func advance(by duration: Duration) {
        now += duration
    }
}
