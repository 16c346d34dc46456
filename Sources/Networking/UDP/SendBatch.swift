internal import CLinux
package import Core
internal import Glibc
internal import Synchronization

/// Many datagrams in one buffer, sent with as few system calls as can be: `sendmmsg`, each message cut by the kernel
/// into equal datagrams (UDP_SEGMENT). Nothing is allocated after ``init(capacity:entries:)``.
///
/// Use: write datagrams back to back into ``free``, then ``commit(_:segmentSize:to:)``; once for each viewer and frame,
/// and ``flush(through:)`` at the end of the turn. Belongs to one loop.
@safe package final class SendBatch {
    private struct Entry {
        var offset: Int
        var count: Int
        var segmentSize: Int
        var destination: SocketAddress
    }

    /// `UDP_MAX_SEGMENTS` of the kernels before 6.9.
    package static let maximumSegments = 64
    /// What fits the IPv4 length field beside the headers; the kernel refuses more in one message.
    package static let maximumMessageBytes = 65_507

    package let capacity: Int
    private let buffer: UnsafeMutableRawBufferPointer
    private let messages: OpaquePointer
    private let maximumEntries: Int
    private var entries: [Entry] = []
    private var used = 0

    /// - Parameters:
    ///   - capacity: bytes of datagrams between two flushes.
    ///   - entries: messages between two flushes.
    package init(capacity: Int = 1 << 20, entries: Int = 1024) {
        precondition(capacity >= 65_536 && entries > 0 && entries <= 1 << 20)
        self.capacity = capacity
        maximumEntries = entries
        unsafe buffer = .allocate(byteCount: capacity, alignment: 64)
        unsafe messages = clinux_send_batch_make(Int32(entries))
        self.entries.reserveCapacity(entries)
    }

    deinit {
        unsafe clinux_send_batch_free(messages)
        unsafe buffer.deallocate()
    }

    package var isEmpty: Bool { entries.isEmpty }
    package var byteCount: Int { used }

    /// The unused rest of the buffer; empty where no entry is left. Valid until the next commit or flush.
    package var free: UnsafeMutableRawBufferPointer {
        guard entries.count < maximumEntries else { return unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[used...])
    }

    /// Whether `bytes` more, cut into datagrams of at least 64 bytes, are sure to fit; flush where not.
    package func hasRoom(for bytes: Int) -> Bool {
        capacity - used >= bytes
            && maximumEntries - entries.count > 1 + bytes / Self.maximumMessageBytes
                + bytes / (64 * Self.maximumSegments)
    }

    /// Takes the first `count` bytes of ``free`` as datagrams of `segmentSize` bytes, the last one may be shorter.
    ///
    /// With `segmentSize` 0 they are one datagram. Neighbours with the same destination and size become one message: one
    /// packet to many viewers behind one TURN server costs one system call.
    package func commit(_ count: Int, segmentSize: Int = 0, to destination: SocketAddress) {
        guard count > 0 else { return }
        let size = segmentSize > 0 && segmentSize < count ? segmentSize : count
        precondition(count <= capacity - used && size <= Self.maximumMessageBytes, "committed more than is free")
        var offset = used
        var rest = count
        used += count
        if let last = entries.last, joins(last, size: size, destination: destination) {
            let segments = (last.count + last.segmentSize - 1) / last.segmentSize
            let room = min(Self.maximumSegments - segments, (Self.maximumMessageBytes - last.count) / last.segmentSize)
            let taken = min(rest, room * last.segmentSize)
            entries[entries.count - 1].count += taken
            offset += taken
            rest -= taken
        }
        let largest = size * min(Self.maximumSegments, Self.maximumMessageBytes / size)
        while rest > 0 {
            precondition(entries.count < maximumEntries, "more messages than the batch was made for")
            let taken = min(rest, largest)
            entries.append(Entry(offset: offset, count: taken, segmentSize: size, destination: destination))
            offset += taken
            rest -= taken
        }
    }

    /// Copies one datagram into the batch. False where it is full: flush and try again.
    package func append(_ bytes: UnsafeRawBufferPointer, to destination: SocketAddress) -> Bool {
        let room = unsafe free
        guard bytes.count > 0, bytes.count <= Self.maximumMessageBytes, bytes.count <= room.count else { return false }
        unsafe room.copyMemory(from: bytes)
        commit(bytes.count, to: destination)
        return true
    }

    /// Whether datagrams of `size` may follow `last` in its message: all but the last of a message are equal.
    private func joins(_ last: Entry, size: Int, destination: SocketAddress) -> Bool {
        size == last.segmentSize && last.count % last.segmentSize == 0 && last.destination == destination
    }

    /// Sends everything and empties the batch. What the kernel does not take is dropped and counted by the socket.
    package func flush(through socket: UDPSocket) {
        guard !entries.isEmpty else { return }
        defer {
            entries.removeAll(keepingCapacity: true)
            used = 0
        }
        guard socket.segments.load(ordering: .relaxed) else {
            for entry in entries { sendSegments(of: entry, socket) }
            return
        }
        prepare(socket)
        var first = 0
        while first < entries.count {
            let count = min(entries.count - first, 1024)  // UIO_MAXIOV
            let result = unsafe clinux_send_batch_send(messages, socket.descriptor, Int32(first), Int32(count))
            socket.calls.wrappingAdd(1, ordering: .relaxed)
            if result > 0 {
                var datagrams = 0
                for index in first..<first + Int(result) { datagrams += segments(of: entries[index]) }
                socket.sent.wrappingAdd(UInt64(datagrams), ordering: .relaxed)
                first += Int(result)
            } else if !passOver(entries[first], errno: -result, socket) {
                // The send buffer is full: what is left would come too late anyway.
                let lost = entries[first...].reduce(0) { $0 + segments(of: $1) }
                socket.dropped.wrappingAdd(UInt64(lost), ordering: .relaxed)
                return
            } else {
                first += 1
            }
        }
    }

    private func segments(of entry: Entry) -> Int {
        (entry.count + entry.segmentSize - 1) / entry.segmentSize
    }

    private func prepare(_ socket: UDPSocket) {
        let isIPv6 = socket.isIPv6
        guard let base = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        for (index, entry) in entries.enumerated() {
            unsafe clinux_send_batch_set(
                messages, Int32(index), base + entry.offset, Int32(entry.count),
                entry.segmentSize < entry.count ? Int32(entry.segmentSize) : 0, entry.destination.endpoint, isIPv6)
        }
    }

    /// Deals with a message that the kernel refused. False where the send buffer is full and trying on is useless.
    private func passOver(_ entry: Entry, errno code: Int32, _ socket: UDPSocket) -> Bool {
        if code == EAGAIN || code == ENOBUFS { return false }
        if entry.segmentSize < entry.count, code == EIO || code == EINVAL || code == EMSGSIZE {
            // EIO: the interface cannot checksum segments. EINVAL, EMSGSIZE: a segment is longer than the path's MTU.
            if code == EIO { socket.segments.store(false, ordering: .relaxed) }
            sendSegments(of: entry, socket)
        } else {
            socket.refused.wrappingAdd(UInt64(segments(of: entry)), ordering: .relaxed)
        }
        return true
    }

    private func sendSegments(of entry: Entry, _ socket: UDPSocket) {
        var offset = entry.offset
        let end = entry.offset + entry.count
        while offset < end {
            let count = min(entry.segmentSize, end - offset)
            unsafe socket.send(UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count]), to: entry.destination)
            offset += count
        }
    }
}
