internal import Core
internal import Go2Bridge
internal import Synchronization

/// Keeps what a diagnosis says and logs, and prints it as it comes.
final class DiagnosisRecord: Sendable {
    private struct Kept {
        var lines: [String] = []
        var log: [String] = []
    }

    /// Lines of the log in a bundle, at most: the last ones.
    private static let maximumLog = 20_000

    private let text: DiagnosisText
    private let isPrinting: Bool
    private let kept = Mutex(Kept())

    init(isPrinting: Bool) {
        self.isPrinting = isPrinting
        text = DiagnosisText(began: SystemClock.now())
    }

    var lines: [String] { kept.withLock { $0.lines } }
    var log: [String] { kept.withLock { $0.log } }

    func add(_ event: DiagnosisEvent) {
        add(text.lines(of: event, now: SystemClock.now()))
    }

    func add(_ lines: [String]) {
        kept.withLock { $0.lines += lines }
        if isPrinting { for line in lines { FileContent.print(line) } }
    }

    /// From now on the log's lines are kept here instead of being written.
    func takeLog() {
        var settings = LogOutput.Settings()
        settings.level = .debug
        settings.usesJSON = false
        settings.showsAddresses = true
        settings.sink = { [self] line in
            kept.withLock { kept in
                if kept.log.count >= Self.maximumLog { kept.log.removeFirst(Self.maximumLog / 4) }
                kept.log.append(line)
            }
        }
        LogOutput.configure(settings)
    }
}
