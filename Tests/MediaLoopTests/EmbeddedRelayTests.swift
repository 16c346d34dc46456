import Core
import MediaLoop
import Networking
import TURNClient
import TestSupport
import Testing

/// Viewers behind the relay in this process.
@Suite(.timeLimit(.minutes(15))) struct EmbeddedRelayTests {
    @Test("A relay-only viewer connects through the TURN port and gets pictures", arguments: [false, true])
    func relayed(usesTCP: Bool) async throws {
        let bench = try await LoopBench.start(.relay)
        for number in UInt8(1)...3 { bench.deliver(number, isKeyFrame: number == 1) }
        let joined = try await bench.join(relay: bench.relay(usesTCP: usesTCP))
        #expect(joined.answer.candidates.map { $0.candidate.contains("typ relay") } == [true])
        #expect(await joined.hasPictures([1, 2, 3]))
        bench.deliver(4)
        #expect(await joined.hasPictures([1, 2, 3, 4]))
        let statistics = try #require(await bench.media.statistics(viewer: joined.id))
        #expect(statistics.localCandidateType == "relay")
        #expect(statistics.remoteCandidateType == "relay")
        #expect(await bench.media.summary().relayState == "listening")
        await bench.stop()
    }

    @Test("A viewer that is not relay-only reaches the same candidate without the relay")
    func direct() async throws {
        let bench = try await LoopBench.start(.relay)
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        #expect(await bench.media.summary().allocations == 0)
        await bench.stop()
    }

    @Test("Relayed viewers of one address are told apart")
    func neighbours() async throws {
        let bench = try await LoopBench.start(.relay)
        let first = try await bench.join(relay: bench.relay(name: "one"))
        let second = try await bench.join(relay: bench.relay(usesTCP: true, name: "two"))
        let third = try await bench.join()
        for joined in [first, second, third] { #expect(await joined.isConnected()) }
        #expect(await bench.media.summary().allocations == 2)
        bench.deliver(1, isKeyFrame: true)
        for joined in [first, second, third] { #expect(await joined.hasPictures([1])) }
        await first.viewer.leave()
        #expect(await first.hasEntered(.closed))
        bench.deliver(2)
        for joined in [second, third] { #expect(await joined.hasPictures([1, 2])) }
        await bench.stop()
    }

    @Test("A viewer's allocation ends with the viewer", arguments: [false, true])
    func allocationEnds(usesTCP: Bool) async throws {
        let bench = try await LoopBench.start(.relay)
        let joined = try await bench.join(relay: bench.relay(usesTCP: usesTCP))
        #expect(await joined.isConnected())
        #expect(await bench.media.summary().allocations == 1)
        bench.media.removeViewer(joined.id, reason: "kicked")
        // The goodbye is still on its way through the allocation when that ends.
        #expect(await joined.seen.wait { $0.isClosed })
        #expect(await bench.awaits { await $0.media.summary().allocations == 0 })
        await bench.stop()
    }

    @Test("A relayed viewer that vanishes holds no allocation once its consent has run out")
    func vanished() async throws {
        let bench = try await LoopBench.start(.relay) { $0.consentTimeout = .seconds(1) }
        let joined = try await bench.join(relay: bench.relay())
        #expect(await joined.isConnected())
        await joined.viewer.vanish()
        #expect(await joined.hasEntered(.closed))
        #expect(await bench.media.summary().allocations == 0)
        await bench.stop()
    }

    @Test("A credential that is wrong, or has expired, gets no allocation")
    func credentials() async throws {
        let bench = try await LoopBench.start(.relay)
        var wrong = bench.relay()
        wrong.password += "x"
        let expired = bench.connectivity.browserConfiguration(
            now: WallTime(secondsSince1970: 1_500_000_000), name: "late"
        ).iceServers.first
        var late = bench.relay()
        late.username = try #require(expired?.username)
        late.password = try #require(expired?.credential)
        for relay in [wrong, late] {
            let viewer = try await LoopbackViewer.make(on: bench.viewerLoop, relay: relay)
            #expect(await viewer.seen.wait { $0.failure != nil })
        }
        #expect(await bench.media.summary().allocations == 0)
        await bench.stop()
    }

    @Test("Nobody on the wire passes for a relayed viewer")
    func forgedSource() async throws {
        let bench = try await LoopBench.start(.relay)
        let joined = try await bench.join(relay: bench.relay())
        #expect(await joined.isConnected())
        let relayed = try #require(joined.seen.current.relayedAddress)
        // No socket of ours is behind a relayed address, so anybody on this host can have its port.
        let forger = try UDPSocket(binding: relayed)
        let before = (bench.refused("datagram"), bench.refused("source of no viewer"))
        let media: [UInt8] = [0x80, 0xE0] + [UInt8](repeating: 7, count: 60)
        let check = STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: .system),
            attributes: [.username("\(joined.serverFragment):forger"), .priority(1)]
        ).encoded(key: Array("wrong".utf8), fingerprint: true)
        for bytes in [media, check] { forger.send(bytes, to: bench.mediaAddress) }
        await bench.settle()
        #expect((bench.refused("datagram"), bench.refused("source of no viewer")) == before)
        // The same bytes from any other address are seen, and refused: the forger's were not even looked at.
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        for bytes in [media, check] { stranger.send(bytes, to: bench.mediaAddress) }
        await bench.settle()
        #expect((bench.refused("datagram"), bench.refused("source of no viewer")) == (before.0 + 1, before.1 + 1))
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
    }

    @Test("A viewer whose allocation is gone is not sent to")
    func lostAllocation() async throws {
        let bench = try await LoopBench.start(.relay)
        let joined = try await bench.join(relay: bench.relay(usesTCP: true))
        #expect(await joined.isConnected())
        let relayed = try #require(joined.seen.current.relayedAddress)
        let passerBy = try UDPSocket(binding: relayed)
        // Closes the connection, and the relay ends the allocation.
        await joined.viewer.vanish()
        #expect(await bench.awaits { await $0.media.summary().allocations == 0 })
        let arena = ReceiveArena()
        bench.deliver(1, isKeyFrame: true)
        await bench.settle()
        #expect(passerBy.receive(into: arena) { _, _ in } == 0)
        await bench.stop()
    }

    @Test("Garbage on the TURN port, by UDP and TCP, disturbs nobody")
    func garbage() async throws {
        let bench = try await LoopBench.start(.relay)
        let joined = try await bench.join(relay: bench.relay(usesTCP: true))
        #expect(await joined.isConnected())
        let front = SocketAddress(.loopbackV4, bench.connectivity.portRange.lowerBound)
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let random = RandomSource.seeded(11)
        for round in 0..<2000 {
            var bytes = random.bytes(Int(random.uint16() % 200) + 1)
            if round % 3 == 0 { bytes[0] = 0x40 | bytes[0] & 0x0F }
            if round % 3 == 1 { bytes[0] = 0 }
            stranger.send(bytes, to: front)
        }
        let closed = Watched(0)
        _ = await bench.viewerLoop.perform { [loop = bench.viewerLoop] in
            for first: UInt8 in [0x00, 0x40, 0x16, 0xFF] {
                guard let connection = try? TCPConnection.connect(to: front, on: loop) else { continue }
                try? connection.start { _ in
                } onClose: { _ in
                    closed.update { $0 += 1 }
                }
                connection.send([first, first, 0xFF, 0xFF] + [UInt8](repeating: first, count: 5000))
            }
        }
        // What is no TURN is closed at once.
        #expect(await closed.wait { $0 == 4 })
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
    }
}
