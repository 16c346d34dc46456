package import Core
internal import Synchronization

/// Which back ends gave no result when they were last asked, for `/health`. One for the process.
///
/// A back end is known by its part and its name: avatars that share one share its condition. There are as many as the
/// configuration names.
package final class BackendConditions: Sendable {
    private struct Backend: Hashable {
        var part: String
        var name: String
    }
    private let failures = Mutex<[Backend: DegradedPart]>([:])

    package var degraded: [DegradedPart] {
        failures.withLock { Array($0.values) }.sorted { ($0.part, $0.reason) < ($1.part, $1.reason) }
    }

    /// What could never be used was told at the start, and what was called off or could not be understood says nothing
    /// about the back end.
    func note(_ error: BackendError, of name: String) {
        switch error.code {
        case .unavailable, .unusableInput, .cancelled: return
        case .unreachable, .timedOut, .refused, .malformedAnswer: break
        }
        let part = DegradedPart(
            part: error.part, reason: "\(name), when it was last asked: \(error.reason)", remedy: error.remedy)
        failures.withLock { $0[Backend(part: error.part, name: name)] = part }
    }

    func noteResult(part: String, of name: String) {
        failures.withLock { _ = $0.removeValue(forKey: Backend(part: part, name: name)) }
    }
}
