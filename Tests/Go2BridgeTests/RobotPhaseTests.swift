import Testing

@testable import Go2Bridge

@Suite("Robot phases")
struct RobotPhaseTests {
    @Test("A connection goes from discovery to media")
    func phasesAreInOrder() {
        #expect(RobotPhase.allCases.first == .discovery)
        #expect(RobotPhase.allCases.last == .media)
    }
}
