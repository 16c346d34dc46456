import Core
import MediaPipeline
import TestSupport
import Testing

@Suite("The playout")
struct PlayoutTests {
    @Test("does nothing and has no deadline while nobody watches")
    func pausedWithoutViewers() {
        var bench = PlayoutBench()
        #expect(bench.playout.deadline == nil)
        bench.run(milliseconds: 1000)
        #expect(bench.take().isEmpty)
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 100)
        bench.handle(.viewerCountChanged(0))
        #expect(bench.playout.deadline == nil)
    }

    @Test("sends 30 pictures and 50 packets a second, the first of each at once")
    func rates() {
        var bench = PlayoutBench()
        bench.run(milliseconds: 7)
        bench.handle(.viewerCountChanged(1))
        bench.handle(.timeout)
        #expect(bench.outputs.pictures.count == 1)
        bench.run(milliseconds: 999)
        let outputs = bench.take()
        #expect((30...31).contains(outputs.pictures.count))
        #expect((50...51).contains(outputs.sounds.count))
    }

    @Test("starts the idle loop at one of its key frames and follows it without a gap")
    func loop() {
        var bench = PlayoutBench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        bench.run(milliseconds: 10_700)
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 9_000)
        let indices = bench.take().pictures.map { picture, _ in
            if case .loopFrame(let index) = picture { index } else { -1 }
        }
        #expect(indices[0] % 30 == 0)
        #expect(zip(indices, indices.dropFirst()).allSatisfy { $1 == ($0 + 1) % 240 })
    }

    @Test("never repeats a timestamp, however often viewers come and go")
    func risingTimestamps() {
        var bench = PlayoutBench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        for step in 0..<60 {
            bench.handle(.viewerCountChanged(1))
            bench.handle(.timeout)
            bench.run(milliseconds: step * 7 % 90)
            bench.handle(.viewerCountChanged(0))
            bench.run(milliseconds: step * 5 % 40)
        }
        let outputs = bench.take()
        for stamps in [outputs.pictures.map(\.1), outputs.sounds.map(\.1)] {
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1.rtpTimestamp > $0.rtpTimestamp })
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1.presentationTime > $0.presentationTime })
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1.sourceTime >= $0.sourceTime })
        }
    }

    @Test("becomes live for speech with a fresh chain, and goes back to the loop where the motion meets its key frame")
    func speechAndBack() throws {
        var bench = PlayoutBench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 500)
        _ = bench.take()
        let id = UtteranceID("u")
        bench.handle(.utteranceBegan(id))
        bench.run(milliseconds: 100)
        #expect(bench.take().pictures.allSatisfy { if case .loopFrame = $0.0 { true } else { false } })
        bench.handle(.soundArrived(id, SpokenPart.tone(packets: 20)))
        bench.handle(.utteranceEnded(id))
        bench.run(milliseconds: 2_000)
        let outputs = bench.take()
        let shown = outputs.pictures
        let first = try #require(outputs.livePictures.first)
        #expect(first.startsChain && first.forceKeyFrame)
        #expect(outputs.livePictures.dropFirst().allSatisfy { !$0.startsChain && !$0.forceKeyFrame })
        // The mouth opened, and is at rest again in the end.
        let mouths = outputs.livePictures.map(\.mouth.opening)
        #expect(try #require(mouths.max()) > 0.5)
        #expect(mouths.last == 0)
        // Back at a key frame of the loop, in a new epoch, with the encoder let go.
        let returnIndex =
            try #require(
                shown.lastIndex { if case .live = $0.0 { true } else { false } }) + 1
        guard case .loopFrame(let index) = shown[returnIndex].0 else { return }
        #expect(index % 30 == 0)
        #expect(shown[returnIndex].1.epoch == shown[returnIndex - 1].1.epoch + 1)
        #expect(outputs.contains(.releaseEncoder))
        // The motion is the same on both sides of the seam.
        if case .live(let last) = shown[returnIndex - 1].0 {
            #expect(Int((last.motionTime * 30).rounded()) % 240 == (index + 239) % 240)
        }
        // Twenty packets of voice, a few of fading silence, then replayed silence.
        let voiced = outputs.sounds.filter { if case .samples = $0.0 { true } else { false } }
        #expect((21...30).contains(voiced.count))
        #expect(outputs.contains(.report(.speechStarted(id))))
        #expect(
            outputs.contains(.report(.speechFinished(id, position: .milliseconds(400), interrupted: false))))
    }

    @Test("stops speaking at the next packet when interrupted, and ignores what the voice still brings")
    func interrupts() throws {
        var bench = PlayoutBench()
        bench.handle(.viewerCountChanged(1))
        for name in ["first", "second"] {
            bench.handle(.utteranceBegan(UtteranceID(name)))
            bench.handle(.soundArrived(UtteranceID(name), SpokenPart.tone(packets: 100)))
        }
        bench.run(milliseconds: 510)
        _ = bench.take()
        bench.handle(.interrupted)
        let reports = bench.take().filter { if case .report = $0 { true } else { false } }
        guard case .report(.speechFinished(_, let position, true)) = try #require(reports.first) else {
            Issue.record("no report of the interruption")
            return
        }
        #expect((480...540).contains(position.milliseconds))
        #expect(reports.contains(.report(.speechFinished(UtteranceID("second"), position: .zero, interrupted: true))))
        bench.handle(.soundArrived(UtteranceID("first"), SpokenPart.tone(packets: 100)))
        bench.run(milliseconds: 400)
        for (index, (sound, _)) in bench.take().sounds.enumerated() {
            // The first packet's beginning fades, so that there is no click.
            let silent = index == 0 ? 240 : 0
            if case .samples(let samples, _) = sound { #expect(samples[silent...].allSatisfy { $0 == 0 }) }
        }
    }

    @Test("gives a hundred key frame requests one extra key frame a second")
    func coalescesKeyFrames() {
        var bench = PlayoutBench()
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 1_500)
        _ = bench.take()
        for _ in 0..<100 {
            bench.handle(.keyFrameRequested)
            bench.run(milliseconds: 20)
        }
        let forced = bench.take().pictures.filter {
            if case .live(let live) = $0.0 { live.forceKeyFrame } else { false }
        }
        #expect((2...3).contains(forced.count))
        for (first, second) in zip(forced, forced.dropFirst()) {
            #expect(second.1.presentationTime - first.1.presentationTime >= .seconds(1))
        }
    }

    @Test("leaves frames out when its driver comes late, and restarts the loop at a key frame")
    func lateDriver() throws {
        var bench = PlayoutBench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 500)
        _ = bench.take()
        bench.clock.advance(by: .milliseconds(700))
        bench.handle(.timeout)
        let outputs = bench.take()
        #expect(outputs.pictures.count == 1)
        guard case .loopFrame(let index) = try #require(outputs.pictures.first).0 else { return }
        #expect(index % 30 == 0)
        #expect(outputs.sounds.count <= 2)
        #expect(outputs.contains { if case .countSkippedFrames(let count) = $0 { count > 15 } else { false } })
    }

    @Test("reports an utterance that has no sound as finished")
    func emptyUtterance() {
        var bench = PlayoutBench()
        bench.handle(.viewerCountChanged(1))
        bench.handle(.utteranceBegan(UtteranceID("nothing")))
        bench.handle(.utteranceEnded(UtteranceID("nothing")))
        bench.run(milliseconds: 50)
        #expect(
            bench.outputs.contains(
                .report(.speechFinished(UtteranceID("nothing"), position: .zero, interrupted: false))))
    }
}
