package import Core

/// What happens as the media clock moves on.
extension Playout {
    mutating func advance(to now: Instant) {
        guard case .running(var run) = state else { return }
        skipWhatIsTooLate(&run, now)
        while true {
            let frameTime = clock.time(ofFrame: run.nextFrame)
            let packetTime = clock.time(ofPacket: run.nextPacket)
            guard min(frameTime, packetTime) <= now else { break }
            // Sound first, so that a frame due at the same time shows the mouth that belongs to it.
            if packetTime <= frameTime {
                play(run.nextPacket, packetTime)
                lastPacket = run.nextPacket
                run.nextPacket += 1
            } else {
                show(run.nextFrame, frameTime, &run)
                lastFrame = run.nextFrame
                run.nextFrame += 1
            }
        }
        state = .running(run)
    }

    private mutating func skipWhatIsTooLate(_ run: inout Run, _ now: Instant) {
        let oldest = now - Self.maximumLateness
        if clock.time(ofFrame: run.nextFrame) < oldest {
            let next = max(run.nextFrame, clock.frame(dueAt: now))
            outputs.append(.countSkippedFrames(Int(clamping: next - run.nextFrame)))
            run.nextFrame = next
            // A loop with a hole in it cannot be decoded: start it anew at a key frame.
            if run.picture == .replaying { run.picture = nil }
        }
        if clock.time(ofPacket: run.nextPacket) < oldest {
            run.nextPacket = max(run.nextPacket, clock.packet(dueAt: now))
        }
    }

    private func stamp(_ time: Instant, _ rtpTimestamp: UInt32) -> Stamp {
        Stamp(
            presentationTime: time, rtpTimestamp: rtpTimestamp, epoch: epoch,
            sourceTime: max(.zero, time - clock.origin - pausedTime))
    }

    private mutating func play(_ index: Int64, _ time: Instant) {
        let isCutOff = cutOff != nil
        let sound = nextSound(time)
        outputs.append(.play(sound, stamp(time, clock.rtpTimestamp(ofPacket: index))))
        if isCutOff { outputs.append(.speechCutOff) }
    }

    // MARK: Picture

    private mutating func show(_ index: Int64, _ time: Instant, _ run: inout Run) {
        let picture: Picture
        if let frame = loopFrame(for: index, &run) {
            picture = .loopFrame(frame)
        } else {
            picture = livePicture(index, time, &run)
        }
        outputs.append(.show(picture, stamp(time, clock.rtpTimestamp(ofFrame: index))))
    }

    /// The loop's frame for this tick, or nil where the picture has to be live.
    private mutating func loopFrame(for index: Int64, _ run: inout Run) -> Int? {
        guard var loop, !isSpeaking, heard == nil else { return nil }
        let position = (index + loop.phase) % loop.frames
        switch run.picture {
        case .replaying:
            break
        case .live:
            // The motion goes on; only where the loop has a key frame may it take over.
            guard position % loop.keyFrameInterval == 0 else { return nil }
            outputs.append(.releaseEncoder)
            epoch &+= 1
        case nil:
            // Nobody saw what came before, so the loop may begin at any of its key frames.
            let past = position % loop.keyFrameInterval
            if past > 0 {
                loop.phase += min(loop.keyFrameInterval - past, loop.frames - position)
                loop.phase %= loop.frames
                self.loop = loop
            }
            epoch &+= 1
        }
        run.picture = .replaying
        // The loop's own key frames serve every request within a second.
        isKeyFrameWanted = false
        return Int((index + loop.phase) % loop.frames)
    }

    private mutating func livePicture(_ index: Int64, _ time: Instant, _ run: inout Run) -> Picture {
        let startsChain = run.picture != .live
        var forceKeyFrame = startsChain
        if startsChain {
            epoch &+= 1
        } else if isKeyFrameWanted, lastKeyFrame.map({ time - $0 >= Self.keyFrameRequestInterval }) ?? true {
            forceKeyFrame = true
        }
        if forceKeyFrame {
            lastKeyFrame = time
            isKeyFrameWanted = false
        }
        run.picture = .live
        return .live(
            LivePicture(
                motionTime: motionTime(ofFrame: index), mouth: mouth(at: time), speech: position(at: time),
                startsChain: startsChain, forceKeyFrame: forceKeyFrame))
    }

    private func motionTime(ofFrame index: Int64) -> Double {
        Double(index + (loop?.phase ?? 0)) / Double(clock.framesPerSecond)
    }

    /// Where the idle motion will be at `instant` if nothing comes between, in seconds on its clock.
    package func motionTime(at instant: Instant) -> Double {
        motionTime(ofFrame: clock.frame(dueAt: instant))
    }

    private func mouth(at time: Instant) -> MouthShape {
        guard let heard, let visemes = heard.visemes else { return .rest }
        let delay = Double(configuration.voiceDelaySamples) / Double(OpusFormat.sampleRateHz)
        return visemes.track.shape(at: visemes.offset + (time - heard.time).seconds - delay)
    }

    /// The sample that is heard at `time`.
    private func position(at time: Instant) -> SpeechPosition? {
        guard var position = heard?.position, let heard else { return nil }
        let passed = (time - heard.time).nanoseconds * Int64(OpusFormat.sampleRateHz) / 1_000_000_000
        position.sample += min(passed, Int64(heard.sampleCount))
        position.sample = max(0, position.sample - Int64(configuration.voiceDelaySamples))
        return position
    }

    mutating func takeLoop(frames: Int, keyFrameInterval: Int) {
        guard frames > 0, keyFrameInterval > 0 else { return }
        loop = Loop(frames: Int64(frames), keyFrameInterval: Int64(keyFrameInterval), phase: loop?.phase ?? 0)
        // Another loop's frames cannot follow this one's.
        if case .running(var run) = state, run.picture == .replaying {
            run.picture = nil
            state = .running(run)
        }
    }
}
