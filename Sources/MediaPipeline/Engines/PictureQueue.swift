internal import Glibc

/// At most two pictures between the thread that reads them and the stage that shows them.
@safe final class PictureQueue: @unchecked Sendable {
    // SAFETY: everything below is touched with `mutex` held only; mutex and condition keep their addresses until deinit.
    private var pictures: [[UInt8]] = []
    private var isClosed = false
    private var failure: String?
    private var process: pid_t?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Bytes of one picture.
    let frameSize: Int
    private static let capacity = 2

    init(frameSize: Int) {
        self.frameSize = frameSize
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe _ = pthread_mutex_unlock(mutex) }
        return body()
    }

    /// The next picture if there is one, and why there may be none.
    func take() -> (picture: [UInt8]?, failure: String?) {
        locked {
            guard !pictures.isEmpty else { return (nil, failure) }
            unsafe pthread_cond_signal(condition)
            return (pictures.removeFirst(), nil)
        }
    }

    /// Waits for room; false once the stage has no more use for pictures.
    func put(_ picture: [UInt8]) -> Bool {
        locked {
            while pictures.count >= Self.capacity, !isClosed { unsafe pthread_cond_wait(condition, mutex) }
            guard !isClosed else { return false }
            failure = nil
            pictures.append(picture)
            return true
        }
    }

    /// Remembers the process, so that closing can end it; false if it is closed already.
    func processStarted(_ process: pid_t) -> Bool {
        locked {
            self.process = process
            return !isClosed
        }
    }

    /// The process has been reaped: its number may belong to another one from now on.
    func processEnded(failure reason: String) {
        locked {
            process = nil
            failure = reason
        }
    }

    /// Waits up to `seconds`; false once closed.
    func wait(seconds: Int) -> Bool {
        locked {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            time.tv_sec += seconds
            while !isClosed {
                if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { break }
            }
            return !isClosed
        }
    }

    /// Ends the process and the thread that reads from it.
    func close() {
        locked {
            isClosed = true
            if let process { _ = kill(process, SIGTERM) }
            unsafe pthread_cond_broadcast(condition)
        }
    }
}
