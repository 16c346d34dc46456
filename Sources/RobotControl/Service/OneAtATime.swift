/// Runs one piece of work after another, in the order in which they were asked for.
package actor OneAtATime {
    private let maximumWaiting: Int
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init(maximumWaiting: Int) {
        self.maximumWaiting = maximumWaiting
    }

    var waitingCount: Int { waiting.count }

    /// Nil where too much waits already.
    func run<Value: Sendable, Failure: Error>(
        _ body: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value? {
        if isBusy {
            guard waiting.count < maximumWaiting else { return nil }
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isBusy = true
        }
        // The place is handed on, never free in between.
        defer { if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() } }
        return try await body()
    }
}
