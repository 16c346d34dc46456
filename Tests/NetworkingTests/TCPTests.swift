import Core
import Networking
import Testing

@Suite struct TCPTests {
    @Test("An echo server answers, also more than the socket buffers hold, and sees the close")
    func echo() async throws {
        let loop = try EventLoop(name: "tcp-test")
        try loop.start()
        let listener = try TCPListener(binding: SocketAddress(.loopbackV4, 0))
        let (events, report) = AsyncStream<Int>.makeStream()
        let (closes, closed) = AsyncStream<TCPConnection.CloseReason>.makeStream()
        let total = 200_000
        _ = await loop.perform {
            try? listener.start(on: loop) { connection in
                try? connection.start(
                    onBytes: { bytes in #expect(connection.send(UnsafeRawBufferPointer(bytes))) },
                    onClose: { closed.yield($0) })
            }
            guard let client = try? TCPConnection.connect(to: listener.localAddress, on: loop) else { return }
            try? client.start(onBytes: { report.yield($0.count) }, onClose: { _ in })
            #expect(client.send([UInt8](repeating: 1, count: total)))
            #expect(!client.send([UInt8](repeating: 1, count: 1 << 20)), "over the queue's limit")
            let box = LoopBound<TCPConnection>(client, on: loop)
            Task {
                var count = 0
                for await bytes in events {
                    count += bytes
                    if count == total { break }
                }
                loop.submit { box.withValue { $0.close() } }
            }
        }
        var reasons = closes.makeAsyncIterator()
        #expect(await reasons.next() == .peerClosed)
        #expect(await loop.perform { listener.connectionCount } == 0)
        await loop.stop()
    }

    @Test("Connections over the limit of an address are closed at once and counted")
    func limit() async throws {
        let loop = try EventLoop(name: "tcp-test")
        try loop.start()
        var limits = TCPListener.Limits()
        limits.connectionsPerAddress = 2
        let listener = try TCPListener(binding: SocketAddress(.loopbackV4, 0), limits: limits)
        let (closes, closed) = AsyncStream<TCPConnection.CloseReason>.makeStream()
        _ = await loop.perform {
            try? listener.start(on: loop) { try? $0.start(onBytes: { _ in }, onClose: { _ in }) }
            for _ in 0..<3 {
                let client = try? TCPConnection.connect(to: listener.localAddress, on: loop)
                try? client?.start(onBytes: { _ in }, onClose: { closed.yield($0) })
            }
        }
        var reasons = closes.makeAsyncIterator()
        #expect(await reasons.next() == .peerClosed)
        let counters = await loop.perform { listener.counters }
        #expect(counters?.accepted == 2)
        #expect(counters?.refusedByAddress == 1)
        await loop.stop()
    }

    @Test("A refused connection reports its reason")
    func refused() async throws {
        let loop = try EventLoop(name: "tcp-test")
        try loop.start()
        let unused = try UDPSocket(binding: SocketAddress(.loopbackV4, 0)).localAddress
        let (closes, closed) = AsyncStream<TCPConnection.CloseReason>.makeStream()
        _ = await loop.perform {
            let client = try? TCPConnection.connect(to: unused, on: loop)
            try? client?.start(onBytes: { _ in }, onClose: { closed.yield($0) })
        }
        var reasons = closes.makeAsyncIterator()
        #expect(await reasons.next() == .failed(errno: 111))
        await loop.stop()
    }
}
