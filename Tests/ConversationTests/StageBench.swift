import Core
import MediaPipeline
import PeerConnection
import Synchronization
import Testing

@testable import Conversation

/// A real stage that speaks to a sink which keeps its sound, with a conversation on it.
final class StageBench: Sendable {
    let stage: Stage
    let sink: SoundSink
    let conversation: Conversation
    let metrics = MetricsRegistry()
    private let pump: Task<Void, Never>

    init(_ name: String, _ profile: ConversationProfile, buffered: Bool = true) throws {
        sink = SoundSink()
        // Small and slow pictures: these tests are about sound.
        var configuration = StageConfiguration(source: .testPattern)
        configuration.width = 64
        configuration.height = 64
        configuration.framesPerSecond = 10
        configuration.videoBitRate = 50_000
        stage = try Stage(id: StageID(name), configuration: configuration, sink: sink, metrics: metrics)
        conversation = Conversation(id: name, profile: profile, stage: stage, metrics: ConversationMetrics(metrics))
        stage.start()
        stage.setViewerCount(1)
        pump = Task { [stage, conversation] in
            for await event in stage.events { await conversation.note(event) }
        }
    }

    func close() async {
        await conversation.close()
        stage.stop()
        await pump.value
    }
}

/// The sound that a stage sent, and when it delivered it.
final class SoundSink: MediaFrameSink {
    struct Packet: Sendable {
        let payload: [UInt8]
        let delivered: Instant
    }
    private let packets = Mutex<[Packet]>([])
    let arrivals: AsyncStream<Int>
    private let continuation: AsyncStream<Int>.Continuation

    init() {
        (arrivals, continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    func deliver(_ frame: MediaFrame, stage: StageID) {
        guard frame.kind == .audio else { return }
        let count = packets.withLock { packets in
            packets.append(Packet(payload: frame.payloads.storage, delivered: SystemClock.now()))
            return packets.count
        }
        continuation.yield(count)
    }

    var count: Int { packets.withLock { $0.count } }

    /// Returns once so many packets more have come.
    func wait(for more: Int) async {
        let target = count + more
        for await count in arrivals where count >= target { return }
    }

    /// How loud each packet from `first` on is: root mean square of its samples.
    func levels(from first: Int) throws -> [Double] {
        var decoder = try OpusPacketDecoder()
        let all = packets.withLock { $0 }
        // The decoder needs what came before to sound right.
        let start = max(0, first - 5)
        var levels: [Double] = []
        for (index, packet) in all.enumerated().dropFirst(start) {
            let samples = try decoder.decode(packet.payload)
            if index >= first {
                let sum = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
                levels.append((sum / Double(max(1, samples.count))).squareRoot())
            }
        }
        return levels
    }
}

/// Answers as it is told to.
struct ScriptedAnswerer: Answerer {
    var name: String { "for tests" }
    /// Made for each question: the number of messages, and where the pieces go.
    let write: @Sendable ([DialogueMessage], AsyncThrowingStream<String, any Error>.Continuation) -> Void

    func answer(_ history: [DialogueMessage]) -> AsyncThrowingStream<String, any Error> {
        AsyncThrowingStream { write(history, $0) }
    }

    static func saying(_ text: String) -> ScriptedAnswerer {
        ScriptedAnswerer { _, continuation in
            continuation.yield(text)
            continuation.finish()
        }
    }
}

/// A voice that fails or goes silent as it is told to.
struct ScriptedVoice: Voice {
    var name: String { "for tests" }
    let make: @Sendable (String, AsyncThrowingStream<SpokenPart, any Error>.Continuation) -> Void

    func synthesise(_ sentence: String) -> AsyncThrowingStream<SpokenPart, any Error> {
        AsyncThrowingStream { make(sentence, $0) }
    }
}

/// Understands what it is told to, and counts what it was given.
final class ScriptedRecogniser: Recogniser, RecognitionSession {
    let name = "for tests"
    let samples = Mutex(0)
    let begun = Mutex(0)
    let cancelled = Mutex(0)
    private let result: Result<String, BackendError>

    init(_ result: Result<String, BackendError>) { self.result = result }

    func begin() -> any RecognitionSession {
        begun.withLock { $0 += 1 }
        return self
    }
    func append(_ samples: [Int16]) { self.samples.withLock { $0 += samples.count } }
    func finish() async throws(BackendError) -> String { try result.get() }
    func cancel() { cancelled.withLock { $0 += 1 } }
}

/// Reads one subscription's events until something has come.
struct EventReader {
    private var iterator: AsyncStream<ConversationEvent>.Iterator
    private(set) var all: [ConversationEvent] = []

    init(_ conversation: Conversation) {
        iterator = conversation.subscribe().makeAsyncIterator()
    }

    /// Everything up to the first event that fits; fails the test where the events end before.
    @discardableResult
    mutating func read(until isLast: (ConversationEvent) -> Bool) async -> [ConversationEvent] {
        var found: [ConversationEvent] = []
        while let event = await iterator.next() {
            found.append(event)
            all.append(event)
            if isLast(event) { return found }
        }
        Issue.record("the events ended")
        return found
    }

    mutating func readToEnd() async {
        while let event = await iterator.next() { all.append(event) }
    }
}

extension ConversationEvent {
    var isSpeechStarted: Bool { if case .speechStarted = self { true } else { false } }
    var isSpeechFinished: Bool { if case .speechFinished = self { true } else { false } }
    var isTurn: Bool { if case .turn = self { true } else { false } }
    func isFailure(of part: String) -> Bool { if case .failed(let error) = self { error.part == part } else { false } }
}
