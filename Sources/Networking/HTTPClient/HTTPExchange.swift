internal import Core
internal import Synchronization

/// What the reader of an answer and the transfer thread share: what has arrived, who waits, how it ended.
final class HTTPExchange: Sendable {
    /// What the reader asks of the thread.
    enum Order: Sendable {
        /// The reader has made room.
        case resume
        case cancel
    }

    private struct State {
        var head: HTTPClientEvent?
        /// What arrived since the reader last took something; pieces are put together.
        var body: [UInt8] = []
        var isPaused = false
        /// Nil while more may come; then no error, or the reason.
        var end: Result<Void, HTTPClientError>?
        var reader: CheckedContinuation<Result<HTTPClientEvent?, HTTPClientError>, Never>?
    }

    /// Bytes that wait for the reader before the service has to.
    static let bufferBytes = 256 << 10

    let number: UInt64
    let request: HTTPClientRequest
    private let state = Mutex(State())
    private let order: @Sendable (UInt64, Order) -> Void

    init(_ number: UInt64, _ request: HTTPClientRequest, order: @escaping @Sendable (UInt64, Order) -> Void) {
        self.number = number
        self.request = request
        self.order = order
    }

    func error(_ code: HTTPClientError.Code, _ reason: String, systemError: Int32 = 0) -> HTTPClientError {
        HTTPClientError(code: code, place: request.description, reason: reason, systemError: systemError)
    }

    // MARK: The thread's side

    func headArrived(status: Int, headers: HTTPClientHeaders) {
        let reader = state.withLock { state -> CheckedContinuation<Result<HTTPClientEvent?, HTTPClientError>, Never>? in
            guard state.end == nil else { return nil }
            if state.reader == nil { state.head = .head(status: status, headers: headers) }
            return state.reader.take()
        }
        reader?.resume(returning: .success(.head(status: status, headers: headers)))
    }

    /// False: the buffer is full, and the same bytes are to be offered again after ``Order/resume``.
    func bodyArrived(_ bytes: [UInt8]) -> Bool {
        let (isTaken, reader) = state.withLock {
            state -> (Bool, CheckedContinuation<Result<HTTPClientEvent?, HTTPClientError>, Never>?) in
            guard state.end == nil else { return (true, nil) }
            guard state.body.count < Self.bufferBytes else {
                state.isPaused = true
                return (false, nil)
            }
            guard let reader = state.reader.take() else {
                state.body += bytes
                return (true, nil)
            }
            return (true, reader)
        }
        reader?.resume(returning: .success(.body(bytes)))
        return isTaken
    }

    /// The first end counts. Buffered bytes of a good answer stay to be read; those of a failed one as well, since what
    /// was said before the failure was said.
    @discardableResult
    func ended(_ end: Result<Void, HTTPClientError>) -> Bool {
        let (isFirst, reader) = state.withLock {
            state -> (Bool, CheckedContinuation<Result<HTTPClientEvent?, HTTPClientError>, Never>?) in
            guard state.end == nil else { return (false, nil) }
            state.end = end
            return (true, state.reader.take())
        }
        reader?.resume(returning: end.map { nil })
        return isFirst
    }

    // MARK: The reader's side

    /// The next event; nil at the end. Cancelling the task calls the request off.
    func next() async -> Result<HTTPClientEvent?, HTTPClientError> {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (answer, resumes) = state.withLock { state in Self.take(&state, or: continuation) }
                if resumes { order(number, .resume) }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// What is there, or the reader waits.
    private static func take(
        _ state: inout State, or reader: CheckedContinuation<Result<HTTPClientEvent?, HTTPClientError>, Never>
    ) -> (answer: Result<HTTPClientEvent?, HTTPClientError>?, resumes: Bool) {
        if let head = state.head.take() { return (.success(head), false) }
        if !state.body.isEmpty {
            let resumes = state.isPaused
            state.isPaused = false
            let body = state.body
            state.body = []
            return (.success(.body(body)), resumes)
        }
        if let end = state.end { return (end.map { nil }, false) }
        state.reader = reader
        return (nil, false)
    }

    /// The reader wants no more.
    func cancel() {
        if ended(.failure(error(.cancelled, "called off"))) { order(number, .cancel) }
        state.withLock { state in
            state.head = nil
            state.body = []
        }
    }
}
