/// Collects one message as it comes: in memory, or in a spool file once it is large.
final class MessageBuffer {
    enum Whole {
        case bytes([UInt8])
        case spooled(SpooledBytes)
    }

    private var bytes: [UInt8] = []
    private var spool: SpoolFile?
    private let spooling: Spooling?
    private(set) var count = 0

    /// - Parameter spooling: nil: everything stays in memory.
    init(spooling: Spooling?) {
        self.spooling = spooling
    }

    var isEmpty: Bool { count == 0 }

    /// False where the spool's disk or budget is full.
    func append(_ more: UnsafeRawBufferPointer) -> Bool {
        count += more.count
        if let spooling, spool == nil, count > spooling.threshold {
            spool = SpoolFile(directory: spooling.directory, budget: spooling.budget)
            let hasMoved = unsafe bytes.withUnsafeBytes { unsafe spool?.append($0) } ?? false
            bytes = []
            guard hasMoved else { return false }
        }
        guard spool != nil else {
            unsafe bytes.append(contentsOf: more)
            return true
        }
        return unsafe spool?.append(more) ?? false
    }

    /// The whole message; afterwards the buffer is empty. Nil where a spool file cannot be read.
    func take() -> Whole? {
        count = 0
        guard let spool = spool.take() else {
            defer { bytes = [] }
            return .bytes(bytes)
        }
        return spool.finish().map { .spooled($0) }
    }
}

/// Where a listener's large messages go.
struct Spooling {
    let directory: String
    let threshold: Int
    let budget: SpoolBudget

    /// Nil where the listener keeps everything in memory.
    init?(_ limits: ListenerConfiguration.Limits) {
        guard let directory = limits.spoolDirectory else { return nil }
        self.directory = directory
        threshold = limits.spoolThresholdBytes
        budget = SpoolBudget(limit: limits.spoolBytes)
    }
}
