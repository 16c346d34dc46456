import Core
import MediaPipeline
import Synchronization

/// A source of grey pictures that keeps what its stage tells it, and sends the stage what a test wants.
final class ScriptedSource: PictureSource {
    struct Record: Sendable {
        var heard: [UtteranceID: [Int16]] = [:]
        var calls: [String] = []
        var positions: [SpeechPosition] = []
        var events: (@Sendable (SourceEvent) -> Void)?
        var failure: String?
        var speaksItself = false
    }

    /// What the test and the source, which lives on the stage's thread, have in common.
    final class Script: Sendable {
        let record = Mutex(Record())
        let calls: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation

        init() {
            (calls, continuation) = AsyncStream.makeStream()
        }

        func note(_ call: String) {
            record.withLock { $0.calls.append(call) }
            continuation.yield(call)
        }

        func send(_ event: SourceEvent) {
            record.withLock { $0.events }?(event)
        }

        /// Waits until the source was told this.
        func wait(for call: String) async {
            for await one in calls where one == call { return }
        }
    }

    let script: Script
    let pictureWait: Duration?
    var speaksItself: Bool { script.record.withLock { $0.speaksItself } }

    init(_ script: Script, pictureWait: Duration? = nil) {
        self.script = script
        self.pictureWait = pictureWait
    }

    func connect(_ events: @escaping @Sendable (SourceEvent) -> Void) {
        script.record.withLock { $0.events = events }
        script.note("connect")
    }

    func utteranceBegan(_ utterance: UtteranceID, motionTime: Double) { script.note("began \(utterance)") }

    func heard(_ samples: [Int16], of utterance: UtteranceID) {
        script.record.withLock { $0.heard[utterance, default: []] += samples }
    }

    func utteranceEnded(_ utterance: UtteranceID) { script.note("ended \(utterance)") }

    func clear() { script.note("clear") }

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        let failure = script.record.withLock { record in
            if let speech = moment.speech { record.positions.append(speech) }
            return record.failure
        }
        if let failure { throw SourceError(reason: failure) }
    }
}
