import Core
import MediaLoop
import Networking
import PeerConnection
import TURNClient
import TestSupport
import Testing

/// What strangers and viewers themselves may try.
@Suite(.timeLimit(.minutes(15))) struct HostileViewerTests {
    private func check(naming fragment: String, key: String?) -> [UInt8] {
        STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: .system),
            attributes: [
                .username("\(fragment):stranger"), .priority(0x6E00_01FF), .iceControlling(1), .useCandidate,
            ]
        ).encoded(key: key.map { Array($0.utf8) }, fingerprint: true)
    }

    @Test("A check that names another viewer's fragment without its password moves nothing")
    func forgedCheck() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let before = bench.refused("datagram")
        stranger.send(
            check(naming: joined.serverFragment, key: "a wrong password, long enough"), to: bench.directAddress)
        stranger.send(check(naming: joined.serverFragment, key: nil), to: bench.directAddress)
        await bench.settle()
        #expect(bench.refused("datagram") == before + 2)
        // Had the address become the viewer's, this would be refused by its peer and not for want of one.
        let unknown = bench.refused("source of no viewer")
        stranger.send([0x80, 0xE0] + [UInt8](repeating: 0, count: 40), to: bench.directAddress)
        await bench.settle()
        #expect(bench.refused("source of no viewer") == unknown + 1)
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
    }

    @Test("A viewer that names another's fragment with its own password gets nothing of the other's")
    func forgedCheckByViewer() async throws {
        let bench = try await LoopBench.start()
        let victim = try await bench.join()
        let attacker = try await bench.join()
        for joined in [victim, attacker] { #expect(await joined.isConnected()) }
        let password = attacker.answer.sdp.split(whereSeparator: \.isNewline).first { $0.hasPrefix("a=ice-pwd:") }
        let key = String(try #require(password).dropFirst("a=ice-pwd:".count))
        attacker.viewer.send(check(naming: victim.serverFragment, key: key), to: bench.directAddress)
        await bench.settle()
        bench.media.removeViewer(attacker.id, reason: "test")
        bench.deliver(1, isKeyFrame: true)
        #expect(await victim.hasPictures([1]))
        #expect(attacker.seen.current.pictures.isEmpty)
        await bench.stop()
    }

    @Test("A check of no viewer is counted and not answered")
    func unknownFragment() async throws {
        let bench = try await LoopBench.start()
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        stranger.send(check(naming: "nobody", key: "a wrong password, long enough"), to: bench.directAddress)
        await bench.settle()
        #expect(bench.refused("check of no viewer") == 1)
        #expect(stranger.receive(into: ReceiveArena()) { _, _ in } == 0)
        await bench.stop()
    }

    @Test("Candidates that cannot be meant are counted and not sent to")
    func candidates() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        let before = bench.refused("candidate")
        let lines = [
            "0.0.0.0 5000", "224.0.0.1 5000", "255.255.255.255 5000", "240.1.1.1 5000", "169.254.169.254 80",
            "127.0.0.1 0", "ff02::1 5000", "::ffff:224.0.0.1 5000",
        ]
        for line in lines {
            await bench.media.addRemoteCandidate(
                viewer: joined.id, line: "candidate:1 1 udp 2130706431 \(line) typ host")
        }
        #expect(bench.refused("candidate") == before + UInt64(lines.count))
        for line in ["", "candidate:", "candidate:1 1 udp 1 x y typ host", String(repeating: "x", count: 100_000)] {
            await bench.media.addRemoteCandidate(viewer: joined.id, line: line)
        }
        // A hidden host address is nobody's fault.
        let refused = bench.refused("candidate")
        #expect(
            await bench.media.addRemoteCandidate(
                viewer: joined.id, line: "candidate:1 1 udp 2130706431 a-b-c.local 5000 typ host"))
        #expect(bench.refused("candidate") == refused)
        #expect(await joined.isConnected())
        await bench.stop()
    }

    @Test("Thousands of candidates hold no more than the limit, and the viewer connects all the same")
    func manyCandidates() async throws {
        let bench = try await LoopBench.start()
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop)
        let answer = try await bench.media.addViewer(
            stage: bench.stage, offer: await viewer.offer(includesCandidates: false), remoteAddress: nil,
            includeCandidates: true)
        await bench.offerCandidates(onPorts: 1...3000, of: answer.id)
        #expect(bench.refused("candidate") >= 3000 - 32)
        try await viewer.accept(answer)
        #expect(await viewer.seen.wait { $0.isConnected })
        await bench.stop()
    }

    @Test("A flood of garbage disturbs nobody")
    func garbage() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let random = RandomSource.seeded(5)
        for round in 0..<3000 {
            let bytes = random.bytes(Int(random.uint16() % 1400))
            if !bytes.isEmpty { stranger.send(bytes, to: bench.directAddress) }
            // Among it, garbage from the viewer's own address.
            if round % 10 == 0, !bytes.isEmpty { joined.viewer.send(bytes, to: bench.directAddress) }
        }
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        #expect(!joined.seen.current.isClosed)
        await bench.stop()
    }

    @Test("A viewer of a stage that floods picture loss is answered by at most one catch-up a second")
    func pictureLossFlood() async throws {
        let bench = try await LoopBench.start()
        let start = SystemClock.now()
        bench.deliver(1, isKeyFrame: true)
        let joined = try await bench.join()
        #expect(await joined.hasPictures([1]))
        for _ in 0..<50 { await joined.viewer.requestKeyFrame() }
        #expect(await bench.keyFrameRequests.wait { $0 >= 1 })
        await bench.settle()
        // On a slow machine the flood takes seconds.
        let seconds = (SystemClock.now() - start).components.seconds
        #expect(joined.seen.current.pictures.count <= 3 + Int(seconds))
        await bench.stop()
    }
}
