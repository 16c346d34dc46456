internal import Glibc

/// A detached operating-system thread with a name.
package enum PipelineThread {
    private final class Body: Sendable {
        let name: String
        let niceness: Int32
        let run: @Sendable () -> Void

        init(name: String, niceness: Int32, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.run = run
        }
    }

    /// Runs `body` on a thread of its own; false where the system refuses one.
    /// A positive `niceness` lets the stages' threads go first.
    @discardableResult
    package static func start(name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void) -> Bool {
        let box = unsafe Unmanaged.passRetained(Body(name: name, niceness: niceness, run: body))
        let status = unsafe withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { buffer in
            guard let attributes = buffer.baseAddress else { return ENOMEM }
            unsafe pthread_attr_init(attributes)
            defer { unsafe _ = pthread_attr_destroy(attributes) }
            unsafe pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
            // Encoders keep large arrays on the stack; 1 MiB was found ample and costs nothing until it is touched.
            unsafe pthread_attr_setstacksize(attributes, 1 << 20)
            var thread = pthread_t()
            return unsafe pthread_create(
                &thread, attributes,
                { argument in
                    unsafe PipelineThread.enter(argument)
                    return nil
                }, box.toOpaque())
        }
        guard status == 0 else {
            unsafe box.release()
            return false
        }
        return true
    }

    private static func enter(_ argument: UnsafeMutableRawPointer?) {
        guard let argument = unsafe argument else { return }
        let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        setName(body.name)
        // On Linux the niceness of "process 0" is the calling thread's own.
        if body.niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, body.niceness) }
        body.run()
    }

    /// Names the calling thread for `top` and debuggers; the kernel keeps 15 bytes.
    private static func setName(_ name: String) {
        let file = unsafe open("/proc/thread-self/comm", O_WRONLY)
        guard file >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        unsafe bytes.withUnsafeBytes { unsafe _ = write(file, $0.baseAddress, $0.count) }
        close(file)
    }
}
