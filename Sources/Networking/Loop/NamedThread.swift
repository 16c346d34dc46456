internal import CLinux
internal import Glibc

/// A thread that runs one piece of work and ends.
package enum NamedThread {
    private final class Work: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// - Parameter name: At most 15 bytes are shown by the kernel.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SocketError) {
        var thread = pthread_t()
        let work = unsafe Unmanaged.passRetained(Work(name, body))
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let work = unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                unsafe clinux_name_thread(String(decoding: work.name.utf8.prefix(15), as: UTF8.self))
                work.body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            unsafe work.release()
            throw SocketError(returned: -code, place: "start thread \(name)")
        }
        pthread_detach(thread)
    }
}
