internal import CCURL
internal import CLinux
internal import Core
internal import Glibc
internal import Synchronization

/// The thread "http": every transfer of one client, on libcurl's multi interface.
// SAFETY: `transfers` is touched by the thread alone; the rest is immutable or locked.
final class HTTPTransferThread: @unchecked Sendable {
    private struct Mailbox {
        var started: [HTTPExchange] = []
        var orders: [(UInt64, HTTPExchange.Order)] = []
        var isStopping = false
        /// Nil before the start and after the end.
        var multi: MultiHandle?
        var whenStopped: [CheckedContinuation<Void, Never>] = []
    }

    private let configuration: HTTPClient.Configuration
    private let random: RandomSource
    private let clock: @Sendable () -> Instant
    private let metrics: Mutex<HTTPClientMetrics>
    private let mailbox = Mutex(Mailbox())
    private let lastNumber = Atomic<UInt64>(0)
    private var transfers: [UInt64: HTTPTransfer] = [:]

    init(
        _ configuration: HTTPClient.Configuration, _ registry: MetricsRegistry, random: RandomSource,
        clock: @escaping @Sendable () -> Instant
    ) {
        self.configuration = configuration
        self.random = random
        self.clock = clock
        metrics = Mutex(HTTPClientMetrics(registry))
    }

    // MARK: From any thread

    func report(to registry: MetricsRegistry) {
        let new = HTTPClientMetrics(registry)
        metrics.withLock { $0 = new }
    }

    /// The exchange is on its way, or has ended with the reason why not.
    func begin(_ request: HTTPClientRequest) -> HTTPExchange {
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let exchange = HTTPExchange(number, request) { [weak self] number, order in self?.post(order, of: number) }
        let metrics = metrics.withLock { $0 }
        metrics.requests.increment()
        if let fault = request.fault {
            exchange.ended(.failure(exchange.error(.invalidRequest, fault)))
            metrics.ended(.invalidRequest)
            return exchange
        }
        let isTaken = mailbox.withLock { mailbox in
            guard !mailbox.isStopping, startIfNeeded(&mailbox) else { return false }
            mailbox.started.append(exchange)
            mailbox.multi?.wakeUp()
            return true
        }
        if !isTaken {
            exchange.ended(.failure(exchange.error(.stopped, "the client does not run")))
            metrics.ended(.stopped)
        }
        return exchange
    }

    private func post(_ order: HTTPExchange.Order, of number: UInt64) {
        mailbox.withLock { mailbox in
            mailbox.orders.append((number, order))
            mailbox.multi?.wakeUp()
        }
    }

    /// Ends every transfer and the thread; returns when both are gone.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isOver = mailbox.withLock { mailbox in
                mailbox.isStopping = true
                guard let multi = mailbox.multi else { return true }
                mailbox.whenStopped.append(continuation)
                multi.wakeUp()
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// The same without waiting, for a client that nobody holds any more.
    func stopSoon() {
        mailbox.withLock { mailbox in
            mailbox.isStopping = true
            mailbox.multi?.wakeUp()
        }
    }

    /// The thread starts with the first request: a server that asks no service has none.
    private func startIfNeeded(_ mailbox: inout Mailbox) -> Bool {
        if mailbox.multi != nil { return true }
        guard let multi = MultiHandle(configuration) else { return false }
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let code = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<HTTPTransferThread>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        guard code == 0 else {
            unsafe Unmanaged<HTTPTransferThread>.fromOpaque(context).release()
            return false
        }
        pthread_detach(thread)
        mailbox.multi = multi
        return true
    }

    // MARK: The thread

    private func run() {
        unsafe clinux_name_thread("http")
        Self.blockBrokenPipeSignal()
        // Set before the lock of the start was let go of.
        guard let multi = mailbox.withLock({ $0.multi }) else { return }
        var isRunning = true
        while isRunning {
            let now = clock()
            let metrics = metrics.withLock { $0 }
            isRunning = takeOrders(multi, metrics, now)
            startDue(multi, metrics, now)
            isRunning = multi.perform() && isRunning
            endDone(multi, metrics)
            endExpired(multi, metrics, clock())
            metrics.active.set(Double(transfers.count))
            if isRunning { multi.wait(timeToWait()) }
        }
        finish(multi)
    }

    /// TLS writes to sockets without MSG_NOSIGNAL: a peer that has gone must not end the process.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// False once the client is to stop.
    private func takeOrders(_ multi: MultiHandle, _ metrics: HTTPClientMetrics, _ now: Instant) -> Bool {
        let (started, orders, isStopping) = mailbox.withLock { mailbox in
            defer {
                mailbox.started = []
                mailbox.orders = []
            }
            return (mailbox.started, mailbox.orders, mailbox.isStopping)
        }
        for transfer in transfers.values { transfer.turn(now) }
        for exchange in started {
            if transfers.count >= configuration.maximumRequests {
                let reason = "\(configuration.maximumRequests) requests are under way already"
                exchange.ended(.failure(exchange.error(.system, reason)))
                metrics.ended(.system)
                continue
            }
            transfers[exchange.number] = HTTPTransfer(exchange, configuration, metrics, random: random, now: now)
        }
        for (number, order) in orders {
            guard let transfer = transfers[number] else { continue }
            switch order {
            case .resume:
                transfer.resume()
            case .cancel:
                transfer.leave(multi)
                transfers[number] = nil
                metrics.ended(.cancelled)
            }
        }
        return !isStopping
    }

    private func startDue(_ multi: MultiHandle, _ metrics: HTTPClientMetrics, _ now: Instant) {
        for transfer in Array(transfers.values) {
            guard let due = transfer.nextAttempt, due <= now else { continue }
            if !transfer.start(in: multi) { end(transfer, metrics, .system, "libcurl takes no further transfer") }
        }
    }

    private func endDone(_ multi: MultiHandle, _ metrics: HTTPClientMetrics) {
        while let (identity, result) = multi.nextDone() {
            guard let transfer = transfers.values.first(where: { $0.identity == identity }) else { continue }
            let outcome = transfer.outcome(of: result)
            transfer.leave(multi)
            if transfer.plansAnother(after: outcome) { continue }
            switch outcome {
            case .finished:
                transfers[transfer.exchange.number] = nil
                transfer.exchange.ended(.success(()))
            case .failed(let code, let reason): end(transfer, metrics, code, reason)
            case .repeats: end(transfer, metrics, .timedOut(.total), "no time is left for another attempt")
            }
        }
    }

    private func endExpired(_ multi: MultiHandle, _ metrics: HTTPClientMetrics, _ now: Instant) {
        for transfer in Array(transfers.values) where transfer.deadline <= now {
            transfer.turn(now)
            guard let phase = transfer.expiry() else { continue }
            let request = transfer.exchange.request
            let code = HTTPClientError.Code.timedOut(phase)
            let reason =
                switch phase {
                case .connect: "no connection within \(request.connectTimeout)"
                case .firstByte: "no answer within \(request.firstByteTimeout)"
                case .idle: "the answer stopped for \(request.idleTimeout)"
                case .total: "the answer was not complete within \(request.totalTimeout)"
                }
            transfer.leave(multi)
            if !transfer.plansAnother(after: .failed(code, reason)) { end(transfer, metrics, code, reason) }
        }
    }

    private func end(
        _ transfer: HTTPTransfer, _ metrics: HTTPClientMetrics, _ code: HTTPClientError.Code, _ reason: String
    ) {
        transfers[transfer.exchange.number] = nil
        transfer.exchange.ended(
            .failure(transfer.exchange.error(code, reason, systemError: transfer.systemError)))
        metrics.ended(code)
    }

    /// Milliseconds until something of ours is due, a minute at most; libcurl minds its own timers.
    private func timeToWait() -> Int32 {
        guard let deadline = transfers.values.map(\.deadline).min() else { return 60_000 }
        let milliseconds = (deadline - clock()).nanoseconds / 1_000_000
        return Int32(min(max(milliseconds + 1, 0), 60_000))
    }

    private func finish(_ multi: MultiHandle) {
        // From here on nobody wakes the handle, so that it can go.
        let (started, waiting) = mailbox.withLock { mailbox in
            defer {
                mailbox.multi = nil
                mailbox.isStopping = true
                mailbox.started = []
                mailbox.orders = []
                mailbox.whenStopped = []
            }
            return (mailbox.started, mailbox.whenStopped)
        }
        for exchange in started + transfers.values.map(\.exchange) {
            exchange.ended(.failure(exchange.error(.stopped, "the client was stopped")))
        }
        for transfer in transfers.values { transfer.leave(multi) }
        transfers = [:]
        for continuation in waiting { continuation.resume() }
    }
}
