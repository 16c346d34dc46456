internal import Synchronization

/// The lines of evidence of one exchange; each is handed on as it comes.
final class EvidenceLog: Sendable {
    private let kept = Mutex<[String]>([])
    private let witness: @Sendable (String) -> Void

    init(_ witness: @escaping @Sendable (String) -> Void) {
        self.witness = witness
    }

    var lines: [String] { kept.withLock { $0 } }

    func add(_ line: String) {
        kept.withLock { $0.append(line) }
        witness(line)
    }
}
