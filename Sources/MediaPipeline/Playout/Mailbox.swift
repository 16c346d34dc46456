package import Core
internal import Glibc

/// Messages for one thread, which sleeps until one comes or its deadline passes.
@safe package final class Mailbox<Message: Sendable>: @unchecked Sendable {
    // SAFETY: `messages` is touched with `mutex` held only; the mutex and the condition live at fixed addresses until
    // deinit, when nobody can wait on them any more.
    private var messages: [Message] = []
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Deadlines are on the clock that `SystemClock.now` reads.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func post(_ message: Message) {
        unsafe pthread_mutex_lock(mutex)
        messages.append(message)
        unsafe pthread_cond_signal(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Takes all messages in their order; waits for the first one, but only until `deadline` (nil: for ever).
    package func takeAll(until deadline: Instant?) -> [Message] {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe _ = pthread_mutex_unlock(mutex) }
        while messages.isEmpty {
            if let deadline {
                var time = timespec(
                    tv_sec: Int(deadline.nanoseconds / 1_000_000_000),
                    tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
                if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { break }
            } else {
                unsafe pthread_cond_wait(condition, mutex)
            }
        }
        defer { messages.removeAll() }
        return messages
    }
}
