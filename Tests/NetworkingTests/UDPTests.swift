import Core
import Networking
import Synchronization
import Testing

/// One datagram as a test remembers it.
private struct Seen: Equatable, Sendable {
    var bytes: [UInt8]
    var source: SocketAddress
}

@Suite struct UDPTests {
    static let anyPort = SocketAddress(.loopbackV4, 0)

    /// Collects on a loop until `count` datagrams came.
    private func collect(_ count: Int, on socket: UDPSocket, while send: () -> Void) async throws -> [Seen] {
        let loop = try EventLoop(name: "udp-test")
        try loop.start()
        let (stream, continuation) = AsyncStream<Seen>.makeStream()
        let started = await loop.perform {
            (try? socket.startReceiving(on: loop, into: ReceiveArena()) { bytes, source in
                continuation.yield(Seen(bytes: Array(bytes), source: source))
            }) != nil
        }
        #expect(started == true)
        send()
        var seen: [Seen] = []
        for await datagram in stream {
            seen.append(datagram)
            if seen.count == count { break }
        }
        await loop.stop()
        return seen
    }

    @Test("A datagram arrives with its source")
    func single() async throws {
        let (a, b) = (try UDPSocket(binding: Self.anyPort), try UDPSocket(binding: Self.anyPort))
        let seen = try await collect(1, on: b) { a.send([1, 2, 3], to: b.localAddress) }
        #expect(seen == [Seen(bytes: [1, 2, 3], source: a.localAddress)])
    }

    @Test("A dual-stack socket shows IPv4 peers as IPv4 and can answer them")
    func dualStack() async throws {
        let (a, b) = (try UDPSocket(binding: Self.anyPort), try UDPSocket(binding: SocketAddress(.anyV6, 0)))
        let target = SocketAddress(.loopbackV4, b.localAddress.port)
        let seen = try await collect(1, on: b) { a.send([9], to: target) }
        #expect(seen.first?.source == a.localAddress)
        let back = try await collect(1, on: a) { b.send([8], to: a.localAddress) }
        #expect(back == [Seen(bytes: [8], source: target)])
    }

    @Test("A batch cuts messages into datagrams, joins neighbours and keeps the order")
    func batch() async throws {
        let (a, b) = (try UDPSocket(binding: Self.anyPort), try UDPSocket(binding: Self.anyPort))
        let batch = SendBatch(capacity: 1 << 18, entries: 16)
        var sizes: [Int] = []
        func write(_ count: Int, segment: Int) {
            let room = batch.free
            for index in 0..<count {
                room[index] = UInt8(truncatingIfNeeded: sizes.count + (segment > 0 ? index / segment : 0))
            }
            batch.commit(count, segmentSize: segment, to: b.localAddress)
            var rest = count
            while rest > 0 {
                let size = segment > 0 ? min(segment, rest) : rest
                sizes.append(size)
                rest -= size
            }
        }
        write(3500, segment: 1000)  // ends with a short one: nothing may join
        write(100, segment: 0)
        write(100, segment: 0)  // joins
        write(200, segment: 100)  // joins
        write(70 * 600, segment: 600)  // more than 64 segments: two messages
        batch.flush(through: a)
        #expect(batch.isEmpty)
        let seen = try await collect(sizes.count, on: b) {}
        #expect(seen.map(\.bytes.count) == sizes)
        #expect(
            seen.enumerated().allSatisfy { index, datagram in
                datagram.bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: index) }
            })
        #expect(a.counters.datagramsSent == UInt64(sizes.count))
        #expect(a.counters.systemCalls == 1)
    }

    @Test("An unroutable destination loses its own datagrams only")
    func unroutable() async throws {
        let (a, b) = (try UDPSocket(binding: Self.anyPort), try UDPSocket(binding: Self.anyPort))
        let batch = SendBatch()
        let bytes: [UInt8] = [1, 2, 3, 4]
        bytes.withUnsafeBytes { bytes in
            #expect(batch.append(bytes, to: b.localAddress))
            // From a socket on 127.0.0.1 nothing leaves the machine.
            #expect(batch.append(bytes, to: SocketAddress(.v4(0x0808_0808), 9)))
            #expect(batch.append(bytes, to: b.localAddress))
        }
        batch.flush(through: a)
        let seen = try await collect(2, on: b) {}
        #expect(seen.count == 2)
        #expect(a.counters.datagramsRefused == 1)
    }

    @Test("Datagrams longer than the arena's slots are dropped and counted")
    func truncated() async throws {
        let (a, b) = (try UDPSocket(binding: Self.anyPort), try UDPSocket(binding: Self.anyPort))
        let seen = try await collect(1, on: b) {
            a.send([UInt8](repeating: 7, count: 3000), to: b.localAddress)
            a.send([5], to: b.localAddress)
        }
        #expect(seen.map(\.bytes) == [[5]])
        #expect(b.counters.datagramsTruncated == 1)
    }

    @Test("A port that is taken is refused, and its holder named")
    func taken() throws {
        let first = try UDPSocket(binding: Self.anyPort)
        let error = #expect(throws: SocketError.self) { try UDPSocket(binding: first.localAddress) }
        #expect(error?.code == .addressInUse)
        #expect(error?.holder == "this process")
        #expect(PortOwner.describe(first.localAddress.port, .tcp) == nil)
    }
}
