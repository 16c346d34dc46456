internal import Dispatch
internal import Glibc

/// SIGTERM and SIGINT as events.
enum TerminationSignal {
    /// Yields the signal's name each time one arrives. The process no longer dies of them, nor of SIGPIPE.
    static func stream() -> AsyncStream<String> {
        unsafe _ = signal(SIGPIPE, SIG_IGN)
        return AsyncStream { continuation in
            let sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
                unsafe _ = signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number)
                source.setEventHandler { continuation.yield(name) }
                source.resume()
                return source
            }
            continuation.onTermination = { _ in
                for source in sources { source.cancel() }
            }
        }
    }
}
