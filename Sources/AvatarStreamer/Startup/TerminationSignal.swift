internal import Dispatch
internal import Glibc

/// SIGTERM and SIGINT as events.
enum TerminationSignal {
    // SAFETY: Dispatch sources may be cancelled from any thread; nothing else is done with them once they run.
    private final class Sources: @unchecked Sendable {
        private let sources: [any DispatchSourceSignal]

        init(_ sources: [any DispatchSourceSignal]) {
            self.sources = sources
        }

        func cancel() {
            for source in sources { source.cancel() }
        }
    }

    /// Yields the signal's name each time one arrives. The process no longer dies of them, nor of SIGPIPE.
    static func stream() -> AsyncStream<String> {
        signal(SIGPIPE, SIG_IGN)
        return AsyncStream { continuation in
            let sources = Sources(
                [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
                    signal(number, SIG_IGN)
                    let source = DispatchSource.makeSignalSource(signal: number)
                    source.setEventHandler { continuation.yield(name) }
                    source.resume()
                    return source
                })
            continuation.onTermination = { _ in sources.cancel() }
        }
    }
}
