package import Core

/// All robots of the configuration, by their names.
package final class RobotFleet: Sendable {
    package let robots: [String: Robot]

    package init(_ robots: [Robot]) {
        self.robots = Dictionary(robots.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func start() {
        for robot in robots.values { robot.start() }
    }

    /// Stops every robot that moves and frees its slot; all at once.
    package func stop() async {
        await withTaskGroup(of: Void.self) { group in
            for robot in robots.values { group.addTask { await robot.stop() } }
        }
    }

    /// For `/health`: each robot that is not connected, with its phase and what mends it.
    package var degraded: [DegradedPart] {
        robots.values.compactMap(\.status.degradation).sorted { $0.part < $1.part }
    }
}
