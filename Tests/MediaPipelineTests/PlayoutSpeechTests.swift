import Core
import MediaPipeline
import TestSupport
import Testing

@Suite("The playout's speech")
struct PlayoutSpeechTests {
    private let id = UtteranceID("u")

    /// A playout with one viewer, whose first second is over.
    private func bench(
        _ configuration: Playout.Configuration = Playout.Configuration(framesPerSecond: 30)
    ) -> PlayoutBench {
        var bench = PlayoutBench(configuration)
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 1_000)
        _ = bench.take()
        return bench
    }

    @Test("names under each picture the sample that is heard with it")
    func positions() throws {
        for delay in [0, 312] {
            var bench = bench(Playout.Configuration(framesPerSecond: 25, voiceDelaySamples: delay))
            // Two parts whose border lies inside a packet.
            bench.say(id, [.steady(samples: 10_000), .steady(samples: 20_000)])
            bench.run(milliseconds: 1_000)
            let outputs = bench.take()
            let begin = try #require(outputs.voice.first).time
            var count = 0
            for (picture, stamp) in outputs.pictures {
                guard case .live(let live) = picture, let speech = live.speech else { continue }
                let passed = (stamp.presentationTime - begin).nanoseconds * 48_000 / 1_000_000_000
                #expect(speech == SpeechPosition(utterance: id, sample: max(0, passed - Int64(delay))))
                count += 1
            }
            #expect((15...16).contains(count))
            // Every sample went out once, in its place.
            let samples = outputs.voice.flatMap(\.samples)
            #expect(samples[..<30_000].allSatisfy { $0 == 1000 } && samples[30_000...].allSatisfy { $0 == 0 })
        }
    }

    @Test("fills gaps of a voice that comes late with silence, counts them, and goes on where it was")
    func missingVoice() throws {
        var bench = bench()
        bench.say(id, [.steady(samples: 2_400)], isComplete: false)
        bench.run(milliseconds: 200)
        let gap = bench.take()
        // Half a packet and the whole ones after it.
        let missing = gap.count { $0 == .countMissingVoice }
        #expect((7...9).contains(missing))
        #expect(gap.events.first == .speechStarted(id) && !gap.events.contains { $0 == .activityChanged(.idle) })
        let held = try #require(gap.livePictures.last)
        #expect(held.speech == SpeechPosition(utterance: id, sample: 2_400) && held.mouth == .rest)
        bench.handle(.soundArrived(id, .steady(samples: 960, value: 500)))
        bench.handle(.utteranceEnded(id))
        bench.run(milliseconds: 100)
        let rest = bench.take()
        #expect(rest.voice.first?.samples == [Int16](repeating: 500, count: 960))
        #expect(rest.events.contains(.speechFinished(id, position: .milliseconds(70), interrupted: false)))
        #expect(!rest.contains(.countMissingVoice))
    }

    @Test("gives up an utterance whose voice never comes, and says the one behind it")
    func givesUp() {
        var bench = bench()
        let next = UtteranceID("next")
        // Less than a packet, and then nothing for ever: it never begins.
        bench.say(id, [.steady(samples: 100)], isComplete: false)
        bench.say(next, [.tone(packets: 5)])
        bench.run(milliseconds: 59_000)
        #expect(bench.take().events.isEmpty)
        bench.run(milliseconds: 1_500)
        #expect(
            bench.take().events.prefix(2)
                == [.speechFinished(id, position: .zero, interrupted: true), .speechStarted(next)])
    }

    @Test("waits for the first picture, but not for ever")
    func pictureWait() {
        let configuration = Playout.Configuration(framesPerSecond: 30, pictureWait: .milliseconds(500))
        // Pictures that come while the stage waits.
        var bench = bench(configuration)
        bench.say(id, [.tone(packets: 10)])
        bench.run(milliseconds: 300)
        #expect(bench.take().voice.isEmpty)
        bench.handle(.picturesBecameReady(id))
        bench.run(milliseconds: 21)
        #expect(bench.outputs.events.first == .speechStarted(id) && !bench.outputs.contains(.countLatePictures))
        // Pictures that are there already.
        bench = self.bench(configuration)
        bench.say(id, [])
        bench.handle(.utteranceBegan(id))
        bench.handle(.picturesBecameReady(id))
        bench.handle(.soundArrived(id, .tone(packets: 10)))
        bench.run(milliseconds: 21)
        #expect(bench.take().events.contains(.speechStarted(id)))
        // Pictures that never come, for two utterances in turn: each waits as long.
        bench = self.bench(configuration)
        let next = UtteranceID("next")
        bench.say(id, [.tone(packets: 5)])
        bench.say(next, [.tone(packets: 5)])
        bench.run(milliseconds: 499)
        #expect(bench.take().voice.isEmpty)
        bench.run(milliseconds: 41)
        #expect(bench.outputs.contains(.countLatePictures))
        bench.run(milliseconds: 300)
        #expect(bench.take().events.contains(.speechFinished(id, position: .milliseconds(100), interrupted: false)))
        bench.run(milliseconds: 250)
        #expect(bench.take().events.isEmpty)
        bench.run(milliseconds: 60)
        #expect(bench.take().events == [.speechStarted(next), .activityChanged(.speaking)])
    }

    @Test("lets a waiting time pass only while somebody watches")
    func pausedWait() {
        var bench = bench(Playout.Configuration(framesPerSecond: 30, pictureWait: .milliseconds(500)))
        bench.say(id, [.tone(packets: 5)])
        bench.run(milliseconds: 100)
        bench.handle(.viewerCountChanged(0))
        bench.run(milliseconds: 5_000)
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 450)
        #expect(bench.take().voice.isEmpty)
        bench.run(milliseconds: 100)
        #expect(bench.take().events.first == .speechStarted(id))
    }

    @Test("tells what the avatar does in the order in which it does it")
    func activities() {
        var bench = bench()
        bench.handle(.activityChanged(.listening))
        bench.handle(.activityChanged(.listening))
        bench.handle(.activityChanged(.thinking))
        bench.say(id, [.tone(packets: 5)])
        bench.say(UtteranceID("next"), [.tone(packets: 5)])
        bench.run(milliseconds: 400)
        // Between two utterances that follow each other it does not fall idle.
        #expect(bench.outputs.activities == [.listening, .thinking, .speaking, .idle])
        let order = bench.take().events.suffix(2)
        #expect(
            Array(order) == [
                .speechFinished(UtteranceID("next"), position: .milliseconds(100), interrupted: false),
                .activityChanged(.idle),
            ])
        // Somebody breaks in: listening shows once the voice is silent.
        bench.say(id, [.tone(packets: 50)])
        bench.run(milliseconds: 100)
        bench.handle(.activityChanged(.listening))
        #expect(bench.outputs.activities == [.speaking])
        bench.handle(.interrupted)
        #expect(bench.take().activities == [.speaking, .listening])
        // Speaking cannot be set.
        bench.handle(.activityChanged(.speaking))
        #expect(bench.take().activities == [.idle])
        // Nobody watches: what it says waits.
        bench.say(id, [.tone(packets: 50)])
        bench.run(milliseconds: 100)
        bench.handle(.viewerCountChanged(0))
        bench.handle(.viewerCountChanged(1))
        bench.run(milliseconds: 100)
        #expect(bench.take().activities == [.speaking, .idle, .speaking])
    }

    @Test("cuts a voice off a thousand times within one packet, at the sample that it tells")
    func interruptions() throws {
        let random = RandomSource.seeded(17)
        var bench = bench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        for round in 0..<1_000 {
            let first = UtteranceID("first \(round)")
            let second = UtteranceID("second \(round)")
            let parts = (0..<3).map { _ in SpokenPart.steady(samples: 1 + Int(random.uint32() % 9_000)) }
            let isComplete = random.uint32() % 2 == 0
            bench.say(first, parts, isComplete: isComplete)
            bench.say(second, [.tone(packets: 3)])
            bench.run(milliseconds: Int(random.uint32() % 300))
            let before = bench.take()
            bench.handle(.interrupted)
            let answer = bench.take()
            let cutOff = answer.compactMap { if case .interrupted(let list) = $0 { list } else { nil } }
            let list = try #require(cutOff.first)
            #expect(cutOff.count == 1 && answer.voice.isEmpty)
            // Exactly what went out is told, over all utterances of the round.
            let finished = before.events.compactMap { event -> Duration? in
                if case .speechFinished(_, let position, false) = event { position } else { nil }
            }
            let told = finished.reduce(Duration.zero, +) + list.reduce(Duration.zero) { $0 + $1.position }
            let sent = before.voice.reduce(0) { $0 + $1.samples.count { $0 == 1000 } }
            #expect(abs(told.nanoseconds - Int64(sent) * 1_000_000_000 / 48_000) <= Int64(list.count + finished.count))
            for one in list {
                #expect(
                    answer.events.contains(
                        .speechFinished(one.utterance, position: one.position, interrupted: true)))
            }
            // A fade of 5 ms at the beginning of the next packet, then nothing.
            bench.handle(.soundArrived(second, .tone(packets: 3)))
            bench.run(milliseconds: 60)
            let after = bench.take()
            let samples = after.voice.flatMap(\.samples)
            #expect(samples.dropFirst(240).allSatisfy { $0 == 0 })
            #expect(zip(samples, samples.dropFirst()).allSatisfy { $0 >= $1 })
            #expect(after.livePictures.allSatisfy { $0.speech == nil && $0.mouth == .rest })
            let isHeard = list.contains { $0.position > .zero }
            #expect((answer + after).count { $0 == .speechCutOff } == (isHeard ? 1 : 0))
        }
    }

    @Test("tells when the last of an interrupted voice is out, also where nobody watches any more")
    func cutOffIsTold() {
        var bench = bench()
        bench.say(id, [.tone(packets: 50)])
        bench.run(milliseconds: 105)
        bench.handle(.interrupted)
        #expect(!bench.take().contains(.speechCutOff))
        bench.run(milliseconds: 20)
        #expect(bench.take().count { $0 == .speechCutOff } == 1)
        bench.say(id, [.tone(packets: 50)])
        bench.run(milliseconds: 105)
        bench.handle(.interrupted)
        bench.handle(.viewerCountChanged(0))
        #expect(bench.take().count { $0 == .speechCutOff } == 1)
        // Nothing was heard: there is nothing to cut off.
        bench.say(id, [.tone(packets: 50)])
        bench.handle(.interrupted)
        #expect(bench.outputs.contains(.interrupted([Interruption(utterance: id, position: .zero)])))
        #expect(!bench.take().contains(.speechCutOff))
        bench.handle(.interrupted)
        #expect(bench.take() == [.interrupted([])])
    }

    @Test("speaks over a source's own sound, which goes on when the voice ends")
    func sourceSound() {
        var bench = bench(Playout.Configuration(framesPerSecond: 30, hasSourceSound: true))
        bench.say(id, [.tone(packets: 10)])
        bench.run(milliseconds: 400)
        let kinds = bench.take().sounds.map { if case .source = $0.0 { "source" } else { "voice" } }
        #expect(kinds.count { $0 == "voice" } == 10 && kinds.last == "source")
        #expect(zip(kinds, kinds.dropFirst()).count { $0 != $1 } <= 2)
        bench.say(id, [.tone(packets: 10)])
        bench.run(milliseconds: 50)
        bench.handle(.interrupted)
        bench.run(milliseconds: 50)
        guard case .source? = bench.take().sounds.last?.0 else {
            Issue.record("the source is not heard again")
            return
        }
    }

    @Test(
        "hands over to a loop of any length at its key frames, in a new epoch",
        arguments: [(251, 25), (75, 75), (7, 25), (240, 30)])
    func oddLoops(frames: Int, interval: Int) throws {
        var bench = bench(Playout.Configuration(framesPerSecond: 25))
        bench.handle(.loopBecameReady(frames: frames, keyFrameInterval: interval))
        bench.run(milliseconds: 12_000)
        let start = bench.take()
        #expect(try #require(start.loopFrames.first) % interval == 0)
        #expect(zip(start.loopFrames, start.loopFrames.dropFirst()).allSatisfy { $1 == ($0 + 1) % frames })
        bench.run(milliseconds: 100)
        bench.say(id, [.tone(packets: 20)])
        bench.run(milliseconds: 13_000)
        let outputs = bench.take()
        let shown = outputs.pictures
        let live = shown.indices.filter { if case .live = shown[$0].0 { true } else { false } }
        let (first, last) = (try #require(live.first), try #require(live.last))
        try #require(first > 0 && last - first + 1 == live.count && last + 1 < shown.count)
        #expect(shown[first].1.epoch == shown[first - 1].1.epoch + 1)
        #expect(shown[last + 1].1.epoch == shown[last].1.epoch + 1)
        // The motion goes on without a jump on both sides.
        guard case .loopFrame(let back) = shown[last + 1].0, case .loopFrame(let before) = shown[first - 1].0,
            case .live(let begin) = shown[first].0, case .live(let end) = shown[last].0
        else { return }
        #expect(back % interval == 0)
        #expect(Int((begin.motionTime * 25).rounded()) % frames == (before + 1) % frames)
        #expect((Int((end.motionTime * 25).rounded()) + 1) % frames == back)
    }

    @Test("lets a later loop take the place of an earlier one from a key frame on")
    func replacedLoop() throws {
        var bench = bench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        bench.run(milliseconds: 2_500)
        let epoch = try #require(bench.take().pictures.last).1.epoch
        bench.handle(.loopBecameReady(frames: 90, keyFrameInterval: 15))
        bench.run(milliseconds: 500)
        let outputs = bench.take()
        #expect(try #require(outputs.loopFrames.first) % 15 == 0 && outputs.loopFrames.allSatisfy { $0 < 90 })
        #expect(outputs.pictures.first?.1.epoch == epoch + 1)
        // No loop at all, and none that cannot be: the stage goes on with the one it has.
        bench.handle(.loopBecameReady(frames: 0, keyFrameInterval: 15))
        bench.handle(.loopBecameReady(frames: 10, keyFrameInterval: 0))
        bench.run(milliseconds: 500)
        #expect(bench.take().pictures.allSatisfy { $0.1.epoch == epoch + 1 })
    }

    @Test("keeps picture and sound to one clock however viewers and utterances come and go")
    func longRun() throws {
        var bench = bench()
        bench.handle(.loopBecameReady(frames: 240, keyFrameInterval: 30))
        let random = RandomSource.seeded(23)
        for round in 0..<60 {
            bench.say(UtteranceID("\(round)"), [.steady(samples: 1 + Int(random.uint32() % 50_000))])
            if round % 7 == 3 { bench.clock.advance(by: .seconds(60)) }
            if round % 5 == 2 {
                bench.handle(.viewerCountChanged(0))
                bench.handle(.viewerCountChanged(1))
            }
            bench.run(milliseconds: 1_700)
        }
        let outputs = bench.take()
        let origin = bench.playout.clock.origin
        for (_, stamp) in outputs.pictures {
            let expected = (stamp.presentationTime - origin).nanoseconds * 90_000 / 1_000_000_000
            #expect(abs(Int64(stamp.rtpTimestamp) - expected) <= 1)
        }
        for (_, stamp) in outputs.sounds {
            let expected = (stamp.presentationTime - origin).nanoseconds * 48_000 / 1_000_000_000
            #expect(Int64(stamp.rtpTimestamp) == expected)
        }
        let starts = outputs.events.count { if case .speechStarted = $0 { true } else { false } }
        let ends = outputs.events.count { if case .speechFinished(_, _, false) = $0 { true } else { false } }
        #expect(starts == 60 && ends == 60)
    }
}
