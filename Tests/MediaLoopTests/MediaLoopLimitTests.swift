import Core
import MediaLoop
import Networking
import TestSupport
import Testing

/// Who is refused, and what the end of a stage or of the loop leaves behind.
@Suite(.timeLimit(.minutes(15))) struct MediaLoopLimitTests {
    private func refusal(_ bench: LoopBench, stage: StageID? = nil, remoteAddress: IPAddress? = nil) async throws
        -> ViewerError.Code?
    {
        let offer = try await LoopbackViewer.make(on: bench.viewerLoop).offer()
        do throws(ViewerError) {
            _ = try await bench.media.addViewer(
                stage: stage ?? bench.stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: true)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("The viewer after the last is refused, until one leaves")
    func maximumViewers() async throws {
        let bench = try await LoopBench.start { $0.maximumViewers = 2 }
        let first = try await bench.join()
        _ = try await bench.join()
        #expect(try await refusal(bench) == .limitReached)
        bench.media.removeViewer(first.id, reason: "left")
        #expect(try await refusal(bench) == nil)
        await bench.stop()
    }

    @Test("One address cannot take every place")
    func perAddress() async throws {
        let bench = try await LoopBench.start { $0.maximumViewersPerAddress = 1 }
        let (one, other) = (IPAddress.v4(0x0A00_0001), IPAddress.v4(0x0A00_0002))
        #expect(try await refusal(bench, remoteAddress: one) == nil)
        #expect(try await refusal(bench, remoteAddress: one) == .limitReached)
        #expect(try await refusal(bench, remoteAddress: other) == nil)
        await bench.stop()
    }

    @Test("A viewer that never connects gives its place back, and hears which phase it was in")
    func connectTimeout() async throws {
        let bench = try await LoopBench.start {
            $0.connectTimeout = .milliseconds(200)
            $0.maximumViewers = 1
        }
        let offer = try await LoopbackViewer.make(on: bench.viewerLoop).offer(includesCandidates: false)
        let answer = try await bench.media.addViewer(
            stage: bench.stage, offer: offer, remoteAddress: nil, includeCandidates: true)
        var failed: ConnectionPhase?
        for await event in answer.events {
            if case .phaseFailed(let phase, _) = event { failed = phase }
        }
        #expect(failed == .ice)
        #expect(try await refusal(bench) == nil)
        await bench.stop()
    }

    @Test("A loop that drains refuses the new and keeps the old")
    func draining() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        bench.media.drain()
        #expect(try await refusal(bench) == .draining)
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        await bench.stop()
    }

    @Test("A stage that is not there, and an offer that is none, are refused")
    func refusals() async throws {
        let bench = try await LoopBench.start()
        #expect(try await refusal(bench, stage: StageID("elsewhere")) == .stageUnknown)
        for offer in ["", "v=0", String(repeating: "a=x\r\n", count: 100_000)] {
            await #expect(throws: ViewerError.self) {
                try await bench.media.addViewer(
                    stage: bench.stage, offer: offer, remoteAddress: nil, includeCandidates: true)
            }
        }
        await #expect(throws: ViewerError.self) {
            try await bench.media.renegotiate(viewer: ViewerID(99), offer: "v=0")
        }
        #expect(await bench.media.summary().viewers == 0)
        await bench.stop()
    }

    @Test("A stage that is removed takes its viewers with it, and no others")
    func removeStage() async throws {
        let bench = try await LoopBench.start()
        let first = try await bench.join()
        #expect(await first.isConnected())
        bench.addStage(StageID("other"))
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop)
        let answer = try await bench.media.addViewer(
            stage: StageID("other"), offer: await viewer.offer(), remoteAddress: nil, includeCandidates: true)
        try await viewer.accept(answer)
        #expect(await viewer.seen.wait { $0.isConnected })
        bench.media.removeStage(StageID("other"))
        #expect(await viewer.seen.wait { $0.isClosed })
        for await event in answer.events { if case .stateChanged(.closed) = event { break } }
        #expect(await bench.media.summary().viewers == 1)
        #expect(await bench.media.summary().stages == 1)
        bench.deliver(1, isKeyFrame: true)
        #expect(await first.hasPictures([1]))
        await bench.stop()
    }

    @Test("Stopping says goodbye, frees the ports, and leaves nothing running")
    func stop() async throws {
        let bench = try await LoopBench.start(.all)
        let direct = try await bench.join()
        let relayed = try await bench.join(relay: bench.relay())
        let streaming = try await bench.join(relay: bench.relay(usesTCP: true))
        let all = [direct, relayed, streaming]
        for joined in all { #expect(await joined.isConnected()) }
        await bench.media.stop()
        for joined in all { #expect(await joined.hasEntered(.closed)) }
        for joined in all { #expect(await joined.seen.wait { $0.isClosed }) }
        for port in bench.connectivity.portRange {
            #expect(throws: Never.self) { try UDPSocket(binding: SocketAddress(.loopbackV4, port)) }
        }
        bench.deliver(1, isKeyFrame: true)
        #expect(try await refusal(bench) == .draining)
        #expect(await bench.media.summary().viewers == 0)
        await bench.media.stop()
        await bench.stop()
    }

    @Test("Stopping in the middle of everything is no different")
    func stopWhileConnecting() async throws {
        for _ in 0..<10 {
            let bench = try await LoopBench.start(.all)
            _ = try await bench.join()
            let relayed = try await LoopbackViewer.make(on: bench.viewerLoop, relay: bench.relay())
            _ = try await bench.join(relayed)
            _ = try await LoopbackViewer.make(on: bench.viewerLoop, relay: bench.relay(usesTCP: true))
            bench.deliver(1, isKeyFrame: true)
            await bench.stop()
        }
    }

    @Test("A loop that never started can be stopped, and a port in use is named")
    func portInUse() async throws {
        let ports = FreePorts.take(4)
        let holder = try UDPSocket(binding: SocketAddress(.loopbackV4, ports.lowerBound + 1))
        var connectivity = ConnectivityConfiguration(
            relay: .embedded(.init(sharedSecret: LoopBench.secret)), publicAddress: .loopbackV4)
        connectivity.mode = .direct
        connectivity.portRange = ports
        connectivity.bindAddress = .loopbackV4
        let media = try MediaLoop(
            configuration: MediaLoopConfiguration(connectivity: connectivity), metrics: MetricsRegistry())
        do throws(MediaLoopError) {
            try await media.start()
            Issue.record("two sockets hold one port")
        } catch {
            #expect(error.code == .portUnavailable)
            #expect(error.reason.contains("\(holder.localAddress.port)"))
        }
        await media.stop()
    }
}
