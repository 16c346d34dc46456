internal import Core

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

    // MARK: Sound

    private mutating func play(_ index: Int64, _ time: Instant) {
        let sound = nextSound(time)
        outputs.append(.play(sound, stamp(time, clock.rtpTimestamp(ofPacket: index))))
    }

    private mutating func nextSound(_ time: Instant) -> Sound {
        if configuration.hasSourceSound { return .source }
        finishUtterances()
        guard !utterances.isEmpty, utterances[0].hasSamples else {
            heard = nil
            guard isVoiceChainOpen, fadingLeft > 0 else {
                isVoiceChainOpen = false
                return .silence
            }
            fadingLeft -= 1
            return .samples([Int16](repeating: 0, count: OpusFormat.samplesPerPacket), startsChain: false)
        }
        if !utterances[0].hasStarted { outputs.append(.report(.speechStarted(utterances[0].id))) }
        heard = utterances[0].visemesAtCursor.map {
            HeardPacket(visemes: $0.track, offset: $0.offset, time: time)
        }
        let startsChain = !isVoiceChainOpen
        isVoiceChainOpen = true
        fadingLeft = Self.fadingPackets
        let samples = utterances[0].takePacket()
        finishUtterances()
        return .samples(samples, startsChain: startsChain)
    }

    /// Reports and removes what has been said to its end.
    private mutating func finishUtterances() {
        while let first = utterances.first, first.isFinished {
            outputs.append(.report(.speechFinished(first.id, position: first.position, interrupted: false)))
            utterances.removeFirst()
        }
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
        switch run.picture {
        case .replaying:
            break
        case .live:
            // The motion goes on; only where the loop has a key frame may it take over.
            guard (index + loop.phase) % loop.keyFrameInterval == 0 else { return nil }
            outputs.append(.releaseEncoder)
            epoch &+= 1
        case nil:
            // Nobody saw what came before, so the loop may begin at any of its key frames.
            loop.phase += (loop.keyFrameInterval - (index + loop.phase) % loop.keyFrameInterval)
            loop.phase %= loop.frames
            self.loop = loop
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
        let motionFrame = index + (loop?.phase ?? 0)
        return .live(
            motionTime: Double(motionFrame) / Double(clock.framesPerSecond), mouth: mouth(at: time),
            startsChain: startsChain, forceKeyFrame: forceKeyFrame)
    }

    private func mouth(at time: Instant) -> MouthShape {
        guard let heard else { return .rest }
        return heard.visemes.shape(at: heard.offset + (time - heard.time).seconds)
    }
}
