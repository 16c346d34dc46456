package import Core

/// Time for a robot's state: the system's, or a test's.
package struct RobotClock: Sendable {
    package let now: @Sendable () -> Instant
    /// Returns after that time, or throws when its task is cancelled.
    package let sleep: @Sendable (Duration) async throws -> Void

    package static let system = RobotClock(now: SystemClock.now) { try await Task.sleep(for: $0) }

    package init(now: @escaping @Sendable () -> Instant, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.now = now
        self.sleep = sleep
    }
}
