import Core
import MediaLoop
import PeerConnection
import TestSupport
import Testing

/// Viewers that reach the loop's own port.
@Suite(.timeLimit(.minutes(15))) struct DirectViewerTests {
    @Test("A viewer connects and gets pictures and sound")
    func media() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        #expect(await joined.hasEntered(.connected))
        bench.deliver(1, isKeyFrame: true)
        bench.deliver(2)
        bench.media.deliver(
            MediaFrame(
                codec: .opus, payloads: PacketizedPayloads(single: [77, 1, 2]), rtpTimestamp: 960,
                presentationTime: SystemClock.now(), epoch: 0, capturedAt: SystemClock.now()), stage: bench.stage)
        #expect(await joined.hasPictures([1, 2]))
        #expect(await joined.seen.wait { $0.sounds == [77] })
        let statistics = try #require(await bench.media.statistics(viewer: joined.id))
        #expect(statistics.state == .connected)
        #expect(statistics.localCandidateType == "host")
        #expect(statistics.packetsSent >= 7)
        await bench.stop()
    }

    @Test("A candidate that is trickled serves as well as one in the offer")
    func trickle() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join(trickles: true)
        #expect(await joined.isConnected())
        await bench.stop()
    }

    @Test("A joiner gets a decodable picture at once: the frames since the last key frame")
    func joiner() async throws {
        let bench = try await LoopBench.start()
        for number in UInt8(1)...4 { bench.deliver(number, isKeyFrame: number == 2) }
        let joined = try await bench.join()
        // No frame is delivered after the viewer connects.
        #expect(await joined.hasPictures([2, 3, 4]))
        #expect(bench.keyFrameRequests.current == 0)
        bench.deliver(5)
        #expect(await joined.hasPictures([2, 3, 4, 5]))
        let stamps = joined.seen.current.timestamps
        #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1 &- $0 < 1 << 31 && $1 != $0 })
        await bench.stop()
    }

    @Test("A joiner is sent nothing that it could not decode, and a key frame is asked for")
    func joinerWithoutKeyFrame() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await bench.keyFrameRequests.wait { $0 == 1 })
        bench.deliver(1)
        bench.deliver(2, isKeyFrame: true)
        #expect(await joined.hasPictures([2]))
        #expect(joined.seen.current.pictures == [2])
        await bench.stop()
    }

    @Test("A lost picture is repaired from what is held, and where that did not help, by a fresh key frame")
    func pictureLoss() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        bench.deliver(2)
        #expect(await joined.hasPictures([1, 2]))
        let before = bench.keyFrameRequests.current
        await joined.viewer.requestKeyFrame()
        #expect(await joined.hasPictures([1, 2, 1, 2]))
        #expect(bench.keyFrameRequests.current == before)
        // Where this test is held up for a second between two requests, the second is a first one again.
        while bench.keyFrameRequests.current == before {
            let known = joined.seen.current.pictures.count
            await joined.viewer.requestKeyFrame()
            while bench.keyFrameRequests.current == before, joined.seen.current.pictures.count == known {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        #expect(bench.keyFrameRequests.current == before + 1)
        await bench.stop()
    }

    @Test("A viewer that says goodbye is gone, and the stage hears of it")
    func goodbye() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        await joined.viewer.leave()
        #expect(await joined.hasEntered(.closed))
        #expect(await bench.viewerCounts.wait { $0 == [1, 0] })
        #expect(await bench.media.summary().viewers == 0)
        #expect(await bench.media.statistics(viewer: joined.id) == nil)
        await bench.stop()
    }

    @Test("A viewer that vanishes without a word is no longer sent to, and forgotten")
    func vanished() async throws {
        let bench = try await LoopBench.start { $0.consentTimeout = .seconds(1) }
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        await joined.viewer.vanish()
        #expect(await joined.hasEntered(.failed))
        #expect(await joined.hasEntered(.closed))
        #expect(await bench.viewerCounts.wait { $0 == [1, 0] })
        await bench.stop()
    }

    @Test("A viewer on the address of one that vanished gets its own pictures")
    func reusedAddress() async throws {
        let bench = try await LoopBench.start()
        let first = try await bench.join()
        #expect(await first.isConnected())
        await first.viewer.vanish()
        let second = try await bench.join(
            try await LoopbackViewer.make(on: bench.viewerLoop, inPlaceOf: first.viewer))
        #expect(await second.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await second.hasPictures([1]))
        #expect(first.seen.current.pictures.isEmpty)
        await bench.stop()
    }

    @Test("Many viewers behind one address are told apart")
    func neighbours() async throws {
        let bench = try await LoopBench.start()
        var all: [LoopBench.Joined] = []
        for _ in 0..<5 { all.append(try await bench.join()) }
        for joined in all { #expect(await joined.isConnected()) }
        bench.deliver(1, isKeyFrame: true)
        for joined in all { #expect(await joined.hasPictures([1])) }
        bench.media.removeViewer(all[0].id, reason: "left")
        #expect(await all[0].seen.wait { $0.isClosed })
        bench.deliver(2)
        for joined in all.dropFirst() { #expect(await joined.hasPictures([1, 2])) }
        #expect(all[0].seen.current.pictures == [1])
        await bench.stop()
    }

    @Test("An ICE restart keeps the viewer and its pictures")
    func restart() async throws {
        let bench = try await LoopBench.start()
        let joined = try await bench.join()
        #expect(await joined.isConnected())
        let answer = try await bench.media.renegotiate(
            viewer: joined.id, offer: await joined.viewer.restartingOffer())
        #expect(answer.id == joined.id)
        let fragment = LoopBench.Joined(viewer: joined.viewer, answer: answer, events: joined.events).serverFragment
        #expect(!fragment.isEmpty && fragment != joined.serverFragment)
        try await joined.viewer.accept(answer)
        // The new generation has its pair once its checks name the new fragment; pictures go on before, during and after.
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        bench.deliver(2)
        #expect(await joined.hasPictures([1, 2]))
        #expect(await bench.media.summary().viewers == 1)
        await bench.stop()
    }

    @Test("In mode all a viewer has both candidates to choose from")
    func both() async throws {
        let bench = try await LoopBench.start(.all)
        let joined = try await bench.join()
        #expect(joined.answer.candidates.count == 2)
        #expect(await joined.isConnected())
        await bench.stop()
    }
}
