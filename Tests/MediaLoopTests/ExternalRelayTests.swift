import Core
import Foundation
import MediaLoop
import Networking
import PeerConnection
import TURNClient
import TestSupport
import Testing

/// The operator's TURN server, as Debian ships it.
@Suite(.enabled(if: Coturn.isInstalled), .timeLimit(.minutes(15))) struct ExternalRelayTests {
    private func start(_ coturn: Coturn, usesTCP: Bool = false) async throws -> LoopBench {
        #expect(try await coturn.start())
        let bench = try await LoopBench.start(coturn.connectivity(usesTCP: usesTCP))
        #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
        return bench
    }

    @Test("Many viewers share one allocation")
    func sharedAllocation() async throws {
        let coturn = try Coturn()
        let bench = try await start(coturn)
        var all: [LoopBench.Joined] = []
        for index in 0..<12 { all.append(try await bench.join(trickles: index % 2 == 0)) }
        for joined in all { #expect(await joined.isConnected()) }
        bench.deliver(1, isKeyFrame: true)
        for joined in all { #expect(await joined.hasPictures([1])) }
        // Five relay ports would not do for twelve allocations.
        #expect(Set(all.flatMap { $0.answer.candidates.map { $0.candidate.split(separator: " ")[5] } }).count == 1)
        #expect(await bench.media.summary().allocations == 1)
        let statistics = try #require(await bench.media.statistics(viewer: all[0].id))
        #expect(statistics.localCandidateType == "relay")
        await bench.stop()
        coturn.kill()
    }

    @Test("A viewer that is relayed by the same server connects: both ends are relayed")
    func bothRelayed() async throws {
        let coturn = try Coturn()
        let bench = try await start(coturn)
        let joined = try await bench.join(relay: coturn.relay, trickles: true)
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
        coturn.kill()
    }

    @Test("A viewer that leaves does not take its neighbours' permission along")
    func sharedPermission() async throws {
        let coturn = try Coturn()
        let bench = try await start(coturn)
        let first = try await bench.join(trickles: true)
        #expect(await first.isConnected())
        let second = try await bench.join(trickles: true)
        #expect(await second.isConnected())
        bench.media.removeViewer(first.id, reason: "left")
        #expect(await first.hasEntered(.closed))
        bench.deliver(1, isKeyFrame: true)
        #expect(await second.hasPictures([1]))
        await bench.stop()
        coturn.kill()
    }

    @Test("A candidate is checked only once the relay permits its address")
    func permissionFirst() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        let wire = try await Wire(to: coturn.address)
        let bench = try await LoopBench.start(coturn.connectivity(server: wire.address))
        #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
        await wire.setCut(true)
        let joined = try await bench.join(trickles: true)
        await bench.settle()
        #expect(!joined.seen.current.isConnected)
        await wire.setCut(false)
        #expect(await joined.isConnected())
        await bench.stop()
        await wire.stop()
        coturn.kill()
    }

    @Test("After a crash the same relay port is won back with what was saved")
    func crash() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        let wire = try await Wire(to: coturn.address)
        let connectivity = coturn.connectivity(server: wire.address, keepsState: true)
        let first = try await LoopBench.start(connectivity)
        #expect(await first.awaits { await $0.media.summary().relayState == "allocated" })
        let port = try await relayedPort(first)
        let saved = try Data(contentsOf: URL(fileURLWithPath: coturn.stateFile))
        // What a killed process does for its allocation: nothing.
        await wire.setCut(true)
        await first.stop()
        try saved.write(to: URL(fileURLWithPath: coturn.stateFile))
        await wire.setCut(false)

        let second = try await LoopBench.start(connectivity)
        #expect(await second.awaits { await $0.media.summary().relayState == "allocated" })
        #expect(try await relayedPort(second) == port)
        let joined = try await second.join(trickles: true)
        #expect(await joined.isConnected())
        second.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await second.stop()
        await wire.stop()
        coturn.kill()
    }

    @Test("An orderly stop gives the relay port back")
    func release() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        // Five relay ports, and more lives than that.
        for _ in 0..<7 {
            let bench = try await LoopBench.start(coturn.connectivity(keepsState: true))
            #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
            await bench.stop()
        }
        coturn.kill()
    }

    @Test(
        "When the TURN server dies and comes back, viewers are told of the new candidate and get their pictures again",
        arguments: [false, true])
    func serverRestart(usesTCP: Bool) async throws {
        let coturn = try Coturn()
        let bench = try await start(coturn, usesTCP: usesTCP)
        let joined = try await bench.join(trickles: true)
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        coturn.kill()
        #expect(try await coturn.start())
        let isNews: @Sendable (ViewerEvent) -> Bool = { if case .candidate = $0 { true } else { false } }
        #expect(await joined.events.wait { $0.contains(where: isNews) })
        guard case .candidate(let news)? = joined.events.current.first(where: isNews) else { return }
        await joined.viewer.addCandidate(news.candidate)
        // Frames go on; those before the permission stands are lost.
        var number: UInt8 = 2
        #expect(
            await bench.awaits { bench in
                bench.deliver(number, isKeyFrame: true)
                number = number == 255 ? 2 : number + 1
                return joined.seen.current.pictures.count > 1
            })
        #expect(bench.metrics.counter("avatar_relay_lost_total", help: "").current == 1)
        #expect(bench.media.degraded.isEmpty)
        // Who comes now, comes by the new allocation.
        let later = try await bench.join(trickles: true)
        #expect(await later.isConnected())
        await bench.stop()
        coturn.kill()
    }

    @Test("A wrong password is named in the degraded part, and new viewers are refused with the reason")
    func wrongPassword() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        var connectivity = coturn.connectivity()
        guard case .external(var relay) = connectivity.relay else { return }
        relay.credentials = .fixed(username: Coturn.user, password: "wrong")
        connectivity.relay = .external(relay)
        let bench = try await LoopBench.start(connectivity)
        #expect(await bench.awaits { !$0.media.degraded.isEmpty })
        #expect(bench.media.degraded.first?.part == "relay")
        #expect(await bench.media.summary().relayState == "failed")
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop)
        do throws(ViewerError) {
            _ = try await bench.media.addViewer(
                stage: bench.stage, offer: await viewer.offer(), remoteAddress: nil, includeCandidates: true)
            Issue.record("a viewer without a way to it was accepted")
        } catch {
            #expect(error.code == .relayUnavailable)
        }
        await bench.stop()
        coturn.kill()
    }

    @Test("By TCP, a TURN server that is not there is named at once, and used as soon as it is there")
    func streamReconnects() async throws {
        let coturn = try Coturn()
        let bench = try await LoopBench.start(coturn.connectivity(usesTCP: true))
        #expect(await bench.awaits { !$0.media.degraded.isEmpty })
        #expect(try await coturn.start())
        #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
        #expect(bench.media.degraded.isEmpty)
        let joined = try await bench.join(trickles: true)
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
        coturn.kill()
    }

    @Test("A viewer's impossible candidates do not end the allocation of all, nor fill it with permissions")
    func hostileCandidates() async throws {
        let coturn = try Coturn()
        let bench = try await start(coturn)
        let neighbour = try await bench.join(trickles: true)
        #expect(await neighbour.isConnected())
        let hostile = try await bench.join(trickles: true)
        for address in ["240.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.1.1"] {
            await bench.media.addRemoteCandidate(
                viewer: hostile.id, line: "candidate:1 1 udp 2130706431 \(address) 5000 typ host")
        }
        let before = bench.refused("candidate")
        for last in 2...60 {
            await bench.media.addRemoteCandidate(
                viewer: hostile.id, line: "candidate:1 1 udp 2130706431 127.0.0.\(last) 5000 typ host")
        }
        // Its own address is one of the eight that it may have permitted.
        #expect(bench.refused("candidate") == before + 59 - 7)
        #expect(await hostile.isConnected())
        bench.deliver(1, isKeyFrame: true)
        for joined in [neighbour, hostile] { #expect(await joined.hasPictures([1])) }
        #expect(bench.metrics.counter("avatar_relay_lost_total", help: "").current == 0)
        await bench.stop()
        coturn.kill()
    }

    @Test("Nobody but the TURN server is heard on the allocation's port")
    func forgedIndication() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        var connectivity = coturn.connectivity()
        guard case .external(var relay) = connectivity.relay else { return }
        relay.localPort = FreePorts.take(1).lowerBound
        connectivity.relay = .external(relay)
        let bench = try await LoopBench.start(connectivity)
        #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
        let joined = try await bench.join(trickles: true)
        #expect(await joined.isConnected())
        await bench.settle()
        let before = (bench.refused("datagram"), bench.refused("source of no viewer"))
        let stranger = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let garbage: [UInt8] = [0x80, 0xE0] + [UInt8](repeating: 1, count: 40)
        let indication = STUNMessage.indication(
            .data, transactionID: STUNTransactionID(random: .system),
            attributes: [.xorPeerAddress(joined.viewer.address), .data(garbage)]
        ).encoded()
        stranger.send(indication, to: SocketAddress(.loopbackV4, relay.localPort))
        await bench.settle()
        #expect((bench.refused("datagram"), bench.refused("source of no viewer")) == before)
        await bench.stop()
        coturn.kill()
    }

    @Test("A candidate that the relay denies is counted, and the viewer's others serve")
    func deniedPeer() async throws {
        let coturn = try Coturn("--denied-peer-ip=127.0.0.9")
        let bench = try await start(coturn)
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop)
        let answer = try await bench.media.addViewer(
            stage: bench.stage, offer: await viewer.offer(includesCandidates: false), remoteAddress: nil,
            includeCandidates: false)
        let before = bench.refused("candidate")
        await bench.media.addRemoteCandidate(
            viewer: answer.id, line: "candidate:1 1 udp 2130706431 127.0.0.9 5000 typ host")
        #expect(await bench.awaits { $0.refused("candidate") == before + 1 })
        try await viewer.accept(answer)
        await bench.media.addRemoteCandidate(viewer: answer.id, line: viewer.candidateLine)
        #expect(await viewer.seen.wait { $0.isConnected })
        await bench.stop()
        coturn.kill()
    }

    @Test("A loop whose relay is away can be stopped at any moment", arguments: [false, true])
    func stopWithoutRelay(usesTCP: Bool) async throws {
        let coturn = try Coturn()
        for _ in 0..<5 {
            let bench = try await LoopBench.start(coturn.connectivity(usesTCP: usesTCP))
            if usesTCP { #expect(await bench.awaits { !$0.media.degraded.isEmpty }) }
            #expect(await bench.media.summary().allocations == 0)
            await bench.stop()
        }
    }

    @Test("Candidates whose address the relay never permits are held within bounds")
    func heldCandidates() async throws {
        let coturn = try Coturn()
        #expect(try await coturn.start())
        let wire = try await Wire(to: coturn.address)
        let bench = try await LoopBench.start(coturn.connectivity(server: wire.address))
        #expect(await bench.awaits { await $0.media.summary().relayState == "allocated" })
        await wire.setCut(true)
        let joined = try await bench.join(trickles: true)
        await bench.offerCandidates(onPorts: 1...1000, of: joined.id)
        #expect(bench.refused("candidate") >= 900)
        await wire.setCut(false)
        #expect(await joined.isConnected())
        await bench.stop()
        await wire.stop()
        coturn.kill()
    }

    /// The relay port that a viewer would be told.
    private func relayedPort(_ bench: LoopBench) async throws -> UInt16 {
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop)
        let answer = try await bench.media.addViewer(
            stage: bench.stage, offer: await viewer.offer(), remoteAddress: nil, includeCandidates: true)
        defer { bench.media.removeViewer(answer.id, reason: "asked enough") }
        return try Candidate(sdp: try #require(answer.candidates.first).candidate).address.port
    }
}
