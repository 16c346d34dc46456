internal import CDDS
package import Core
internal import Glibc
internal import MediaPipeline
internal import Synchronization

/// What runs on a participant's thread. All its methods are called there and return at once.
package protocol DDSClient: AnyObject {
    /// The domain can be spoken in now.
    func opened(_ session: DDSSession)
    /// The domain cannot be spoken in, for the moment: most often the interface is not there.
    func failed(_ error: DDSError)
    /// A sample of one of the client's readers, as CDR.
    func received(_ bytes: [UInt8], topic: String, session: DDSSession)
    /// Every 100 ms at most, and after whatever came.
    func turned(now: Instant, session: DDSSession?)
}

/// Our part of a DDS domain, on a thread of its own; robots and ROS 2 bridges of one domain share it.
///
/// The library's threads receive; they wake this one by a waitset. Work comes by the mailbox. Where the domain cannot be
/// opened, since its interface is not there yet, that is tried again every two seconds.
package final class DDSParticipant: Sendable {
    private struct Mailbox: Sendable {
        var work: [@Sendable (DDSMembers) -> Void] = []
        var bell: Int32 = 0
        var isStarted = false
        var isStopping = false
        var isOver = false
        var whenStopped: [CheckedContinuation<Void, Never>] = []
    }

    static let turn: Duration = .milliseconds(100)
    private static let retryInterval: Duration = .seconds(2)

    package let settings: DDSSettings
    private let mailbox = Mutex(Mailbox())
    private let reserve = DescriptorReserve()

    package init(_ settings: DDSSettings) {
        self.settings = settings
    }

    /// Starts the thread, once; false where the system refuses one.
    @discardableResult
    package func start() -> Bool {
        let isFirst = mailbox.withLock { mailbox in
            defer { mailbox.isStarted = true }
            return !mailbox.isStarted
        }
        guard isFirst else { return true }
        let isRunning = PipelineThread.start(name: "dds-\(settings.domain)") { [self] in run() }
        if !isRunning { finish() }
        return isRunning
    }

    /// Leaves the domain; returns once the thread has let go of everything.
    package func stop() async {
        await withCheckedContinuation { continuation in
            let isOver = mailbox.withLock { mailbox in
                if mailbox.isOver || !mailbox.isStarted { return true }
                mailbox.isStopping = true
                mailbox.whenStopped.append(continuation)
                if mailbox.bell > 0 { cdds_wake(mailbox.bell) }
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// Runs `work` on the thread. False where that has ended: the work is dropped.
    @discardableResult
    package func submit(_ work: @escaping @Sendable (DDSMembers) -> Void) -> Bool {
        mailbox.withLock { mailbox in
            guard !mailbox.isOver, !mailbox.isStopping else { return false }
            mailbox.work.append(work)
            if mailbox.bell > 0, mailbox.work.count == 1 { cdds_wake(mailbox.bell) }
            return true
        }
    }

    // MARK: - The thread

    private func run() {
        let members = DDSMembers()
        var nextAttempt = Instant.zero
        while true {
            let (work, isStopping) = mailbox.withLock { mailbox in
                defer { mailbox.work = [] }
                return (mailbox.work, mailbox.isStopping)
            }
            for one in work { one(members) }
            if isStopping { break }
            let now = SystemClock.now()
            if members.session == nil, now >= nextAttempt {
                nextAttempt = now + Self.retryInterval
                open(members)
            }
            members.turn(now: now)
            if let session = members.session {
                session.wait(Self.turn)
            } else {
                _ = usleep(100_000)
            }
        }
        mailbox.withLock { $0.bell = 0 }
        members.close()
        finish()
    }

    private func open(_ members: DDSMembers) {
        do throws(DDSError) {
            let session = try DDSSession(settings, reserve: reserve)
            mailbox.withLock { $0.bell = session.bell }
            members.opened(session)
        } catch {
            members.failed(error)
        }
    }

    private func finish() {
        let waiting = mailbox.withLock { mailbox in
            mailbox.isOver = true
            mailbox.work = []
            defer { mailbox.whenStopped = [] }
            return mailbox.whenStopped
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Who takes part through one participant; only on its thread.
package final class DDSMembers {
    private static let lastNumber = Mutex(0)
    private(set) var session: DDSSession?
    private var clients: [Int: any DDSClient] = [:]
    private var failure: DDSError?

    /// A number for a client, never given twice.
    package static func nextNumber() -> Int {
        lastNumber.withLock { last in
            last += 1
            return last
        }
    }

    func opened(_ session: DDSSession) {
        self.session = session
        failure = nil
        for client in clients.values { client.opened(session) }
    }

    func failed(_ error: DDSError) {
        failure = error
        for client in clients.values { client.failed(error) }
    }

    package func add(_ client: any DDSClient, id: Int) {
        clients[id] = client
        if let session {
            client.opened(session)
        } else if let failure {
            client.failed(failure)
        }
    }

    package func client(_ id: Int) -> (any DDSClient)? { clients[id] }

    package func remove(_ id: Int) {
        guard let client = clients.removeValue(forKey: id) else { return }
        session?.close(of: client)
    }

    func turn(now: Instant) {
        session?.deliver()
        for client in clients.values { client.turned(now: now, session: session) }
    }

    func close() {
        clients = [:]
        session?.close()
        session = nil
    }
}
