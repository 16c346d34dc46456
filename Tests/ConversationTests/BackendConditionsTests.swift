import Testing

@testable import Conversation

@Suite("The condition of back ends")
struct BackendConditionsTests {
    private func error(_ code: BackendError.Code, part: String = "voice") -> BackendError {
        BackendError(code: code, part: part, reason: "no answer", remedy: "start it")
    }

    @Test(
        "is told until the back end works again",
        arguments: [.unreachable, .timedOut, .refused, .malformedAnswer] as [BackendError.Code])
    func failure(code: BackendError.Code) {
        let conditions = BackendConditions()
        conditions.note(error(code), of: "alloy")
        conditions.noteResult(part: "answering", of: "alloy")
        conditions.noteResult(part: "voice", of: "echo")
        #expect(conditions.degraded.map(\.part) == ["voice"])
        #expect(conditions.degraded.map(\.remedy) == ["start it"])
        #expect(conditions.degraded.first?.reason.hasPrefix("alloy") == true)
        conditions.noteResult(part: "voice", of: "alloy")
        #expect(conditions.degraded.isEmpty)
    }

    @Test("is the same after any number of failures")
    func repetition() {
        let conditions = BackendConditions()
        for _ in 0..<1000 { conditions.note(error(.timedOut), of: "alloy") }
        #expect(conditions.degraded.count == 1)
    }

    @Test(
        "is not judged by what says nothing about it",
        arguments: [.unavailable, .unusableInput, .cancelled] as [BackendError.Code])
    func others(code: BackendError.Code) {
        let conditions = BackendConditions()
        conditions.note(error(code), of: "alloy")
        #expect(conditions.degraded.isEmpty)
    }
}
