internal import CDDS
internal import Glibc
internal import Synchronization

/// Keeps descriptors for Cyclone DDS until it opens a domain.
///
/// It watches its sockets with select(), to which descriptors from 1024 on are a buffer overflow: glibc ends the process. A server with a
/// thousand viewers has no smaller ones left when a robot's cable is plugged in.
final class DescriptorReserve: Sendable {
    /// A domain takes 8, and some more while it opens.
    static let size = 24

    private let held = Mutex<[Int32]>([])

    init() { fill() }

    deinit { release() }

    /// False where there are not enough small descriptors.
    @discardableResult
    func fill() -> Bool {
        held.withLock { held in
            while held.count < Self.size {
                let descriptor = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { return false }
                guard descriptor < CDDS_MAXIMUM_DESCRIPTORS else {
                    Glibc.close(descriptor)
                    return false
                }
                held.append(descriptor)
            }
            return true
        }
    }

    func release() {
        held.withLock { held in
            for descriptor in held { Glibc.close(descriptor) }
            held = []
        }
    }
}
