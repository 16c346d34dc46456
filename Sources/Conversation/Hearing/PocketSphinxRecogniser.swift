internal import Core
internal import MediaPipeline
internal import Synchronization

/// The built-in recogniser: CMU PocketSphinx with Debian's English model, on a thread of its own.
///
/// It decodes while the person speaks, so that little is left to do at the end. Several turns at once take a decoder each and
/// advance in turns of 100 ms; when all decoders are taken a turn waits with its sound kept.
package final class PocketSphinxRecogniser: Recogniser {
    package static let defaultModelDirectory = "/usr/share/pocketsphinx/model/en-us"
    package static let remedy = "apt install pocketsphinx-en-us"
    /// Turns at once, waiting ones included.
    package static let maximumSessions = 64
    /// Sound that may wait in one turn; more is not heard.
    static let maximumWaitingSamples = 120 * MicrophoneSound.sampleRateHz

    enum Order: Sendable {
        case begin(UInt64)
        case sound(UInt64, [Int16])
        case finish(UInt64, CheckedContinuation<Result<String, BackendError>, Never>)
        case cancel(UInt64)
        case stop
    }

    package let name = "pocketsphinx (built in, English)"
    private let mailbox: Mailbox<Order>
    private let next = Atomic<UInt64>(1)

    /// Reads the model, which takes a third of a second.
    /// - Parameter maximumDecoders: turns that are heard at the same time. A decoder is made when it is first needed and kept.
    package init(
        modelDirectory: String = PocketSphinxRecogniser.defaultModelDirectory, maximumDecoders: Int = 4
    ) throws(BackendError) {
        if let fault = PocketSphinxModel.fault(in: modelDirectory) { throw Self.unavailable(fault) }
        mailbox = Mailbox()
        let outcome = Mailbox<String?>()
        let hasThread = PipelineThread.start(name: "recogniser", niceness: 5) { [mailbox] in
            guard var decoding = PocketSphinxDecoding(modelDirectory, maximumDecoders: max(maximumDecoders, 1)) else {
                return outcome.post("the model in \(modelDirectory) cannot be read")
            }
            outcome.post(nil)
            decoding.run(mailbox)
        }
        guard hasThread else { throw Self.unavailable("the system refuses a thread") }
        if let reason = outcome.takeAll(until: nil).first ?? nil { throw Self.unavailable(reason) }
    }

    deinit {
        mailbox.post(.stop)
    }

    package func begin() -> any RecognitionSession {
        let id = next.wrappingAdd(1, ordering: .relaxed).oldValue
        mailbox.post(.begin(id))
        return PocketSphinxSession(id, self, mailbox)
    }

    static func unavailable(_ reason: String) -> BackendError {
        BackendError(code: .unavailable, part: "hearing", reason: "pocketsphinx: \(reason)", remedy: remedy)
    }
}

/// One turn. Keeps its recogniser alive; when nobody holds it any more the turn is called off.
final class PocketSphinxSession: RecognitionSession {
    private let id: UInt64
    private let recogniser: PocketSphinxRecogniser
    private let mailbox: Mailbox<PocketSphinxRecogniser.Order>
    private let isOver = Atomic<Bool>(false)

    init(_ id: UInt64, _ recogniser: PocketSphinxRecogniser, _ mailbox: Mailbox<PocketSphinxRecogniser.Order>) {
        self.id = id
        self.recogniser = recogniser
        self.mailbox = mailbox
    }

    deinit {
        cancel()
    }

    func append(_ samples: [Int16]) {
        guard !samples.isEmpty, !isOver.load(ordering: .relaxed) else { return }
        mailbox.post(.sound(id, samples))
    }

    func finish() async throws(BackendError) -> String {
        guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { throw Self.cancelled }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { mailbox.post(.finish(id, $0)) }
        } onCancel: {
            mailbox.post(.cancel(id))
        }
        if Task.isCancelled { throw Self.cancelled }
        return try outcome.get()
    }

    func cancel() {
        guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { return }
        mailbox.post(.cancel(id))
    }

    static let cancelled = BackendError(
        code: .cancelled, part: "hearing", reason: "pocketsphinx: the turn was called off", remedy: "")
}
