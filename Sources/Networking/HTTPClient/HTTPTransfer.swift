internal import CCURL
internal import Core

/// One request on the transfer thread, over all of its attempts.
final class HTTPTransfer {
    /// What an attempt came to.
    enum Outcome {
        case finished
        case failed(HTTPClientError.Code, String)
        /// A status for which the request is to be made again; the body was not read.
        case repeats(after: Duration)
    }

    let exchange: HTTPExchange
    let began: Instant
    private let configuration: HTTPClient.Configuration
    private let metrics: HTTPClientMetrics
    private let retryPolicy: RetryPolicy
    private let random: RandomSource

    private(set) var attempts = 0
    /// The `errno` of the last attempt's connection; 0: none.
    private(set) var systemError: Int32 = 0
    /// When the next attempt is due, while none is under way.
    private(set) var nextAttempt: Instant?
    private var easy: EasyHandle?
    private var deadlines: TransferDeadlines
    private var head = ResponseHead()
    private var receivedBytes = 0
    private var wasHandedOn = false
    /// What a callback found wrong; libcurl then only says that writing failed.
    private var outcome: Outcome?
    /// The clock as of this turn of the thread.
    private var now: Instant

    init(
        _ exchange: HTTPExchange, _ configuration: HTTPClient.Configuration, _ metrics: HTTPClientMetrics,
        random: RandomSource, now: Instant
    ) {
        self.exchange = exchange
        self.configuration = configuration
        self.metrics = metrics
        self.random = random
        self.now = now
        began = now
        retryPolicy = RetryPolicy(retries: exchange.request.retries, isRepeatable: exchange.request.isRepeatable)
        deadlines = TransferDeadlines(exchange.request, began: now, now: now)
        nextAttempt = now
    }

    /// Of the attempt that is under way.
    var identity: UInt? { easy?.identity }

    var deadline: Instant {
        nextAttempt.map { min($0, began + exchange.request.totalTimeout) } ?? deadlines.deadline
    }

    func turn(_ now: Instant) {
        self.now = now
    }

    // MARK: Attempts

    /// Makes the next attempt. False where libcurl has no room for it.
    func start(in multi: MultiHandle) -> Bool {
        nextAttempt = nil
        attempts += 1
        head = ResponseHead()
        receivedBytes = 0
        outcome = nil
        systemError = 0
        deadlines = TransferDeadlines(exchange.request, began: began, now: now)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard
            let made = unsafe EasyHandle.make(
                exchange.request, configuration, onHeader: Self.onHeader, onBody: Self.onBody, context: context),
            multi.add(made)
        else { return false }
        easy = consume made
        metrics.sentBytes.increment(by: UInt64(exchange.request.body.count))
        if attempts > 1 { metrics.retries.increment() }
        return true
    }

    /// Takes the attempt out of `multi`; its connection is closed unless it ended well.
    func leave(_ multi: MultiHandle) {
        guard let easy = easy.take() else { return }
        multi.remove(easy)
    }

    /// What libcurl's result means.
    func outcome(of result: CURLcode) -> Outcome {
        if let outcome { return outcome }
        guard result != CURLE_OK else {
            return head.isComplete ? .finished : .failed(.malformedAnswer, "the answer has no head")
        }
        guard let failure = easy?.failure(result) else { return .failed(.system, "the transfer is gone") }
        systemError = failure.systemError
        return .failed(failure.code, failure.reason)
    }

    /// Plans another attempt where that is safe and worth it.
    func plansAnother(after outcome: Outcome) -> Bool {
        let pause: Duration?
        switch outcome {
        case .finished: pause = nil
        case .repeats(let after): pause = after
        case .failed(let code, _):
            pause = wasHandedOn ? nil : retryPolicy.pause(after: .error(code), attempt: attempts, random: random)
        }
        guard let pause, now + pause < began + exchange.request.totalTimeout else { return false }
        nextAttempt = now + pause
        return true
    }

    /// What the clock says against the attempt.
    func expiry() -> HTTPClientError.Phase? {
        if nextAttempt != nil { return now >= began + exchange.request.totalTimeout ? .total : nil }
        return deadlines.expired(now)
    }

    /// The reader has made room.
    func resume() {
        deadlines.resumed(now)
        easy?.resume()
    }

    // MARK: Callbacks of libcurl, on the thread, while it performs

    private static let onHeader: EasyHandle.Callback = { bytes, size, count, context in
        unsafe HTTPTransfer.called(bytes, size, count, context) { $0.headerArrived($1) }
    }

    private static let onBody: EasyHandle.Callback = { bytes, size, count, context in
        unsafe HTTPTransfer.called(bytes, size, count, context) { $0.bodyArrived($1) }
    }

    /// What libcurl takes as "go on": the number of bytes; anything else but the pause ends the attempt.
    private enum Verdict {
        case goOn, pause, end
    }

    private static func called(
        _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ body: (HTTPTransfer, [UInt8]) -> Verdict
    ) -> Int {
        let length = size * count
        guard let context = unsafe context, let bytes = unsafe bytes else { return length }
        let transfer = unsafe Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
        let copy = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: length))
        switch body(transfer, copy) {
        case .goOn: return length
        case .pause: return CCURL_PAUSE
        // Any other number than the length ends the transfer.
        case .end: return length == 0 ? 1 : 0
        }
    }

    private func headerArrived(_ line: [UInt8]) -> Verdict {
        deadlines.byteArrived(now)
        let isComplete: Bool
        do {
            isComplete = try head.append(line)
        } catch {
            return end(
                error == .tooLarge
                    ? .failed(.tooLarge, "the answer's head is larger than \(ResponseHead.maximumBytes) bytes")
                    : .failed(.malformedAnswer, "the answer's head is no HTTP"))
        }
        guard isComplete else { return .goOn }
        let failure = RetryPolicy.Failure.status(head.status, retryAfter: head.headers.retryAfter)
        if let pause = retryPolicy.pause(after: failure, attempt: attempts, random: random),
            now + pause < began + exchange.request.totalTimeout
        {
            return end(.repeats(after: pause))
        }
        if let length = head.contentLength, length > exchange.request.maximumResponseBytes { return tooLarge() }
        metrics.answered(head.status)
        metrics.firstByte.observe((now - began).seconds)
        wasHandedOn = true
        exchange.headArrived(status: head.status, headers: head.headers)
        return .goOn
    }

    private func bodyArrived(_ bytes: [UInt8]) -> Verdict {
        deadlines.byteArrived(now)
        guard receivedBytes + bytes.count <= exchange.request.maximumResponseBytes else { return tooLarge() }
        guard exchange.bodyArrived(bytes) else {
            metrics.pauses.increment()
            deadlines.paused()
            return .pause
        }
        receivedBytes += bytes.count
        metrics.receivedBytes.increment(by: UInt64(bytes.count))
        return .goOn
    }

    private func tooLarge() -> Verdict {
        end(.failed(.tooLarge, "the answer is larger than \(exchange.request.maximumResponseBytes) bytes"))
    }

    private func end(_ outcome: Outcome) -> Verdict {
        self.outcome = outcome
        return .end
    }
}
