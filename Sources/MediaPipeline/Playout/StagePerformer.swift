package import Core
package import PeerConnection

/// Takes the frames of one stage; called on the stage's own thread.
package protocol MediaFrameSink: Sendable {
    func deliver(_ frame: MediaFrame, stage: StageID)
}

/// Carries out what the playout orders: draws, encodes, packetises and delivers. Owned by the stage's thread.
struct StagePerformer: ~Copyable {
    enum Part: Int {
        case picture, sound, voice, loop, source
    }
    private struct Failure {
        var reason: String
        var lastSeen: Instant
    }

    /// Samples by which a viewer hears the voice after the packet's time: the look-ahead of its encoder.
    static let voiceDelaySamples: Int = {
        do { return try OpusPacketEncoder(bitRate: 24_000, content: .voice).lookahead } catch { return 0 }
    }()
    /// What failed is well again after so long without another failure.
    private static let recovery: Duration = .seconds(1)

    let stage: StageID
    let configuration: StageConfiguration
    let sink: any MediaFrameSink
    let metrics: StageMetrics
    let source: any PictureSource
    let voiceLevel: VoiceLevel
    var loop: IdleLoop?
    private var encoder: VP8Encoder?
    private var voiceEncoder: OpusPacketEncoder?
    private var sourceSoundEncoder: OpusPacketEncoder?
    /// The source's sound is being heard, not the voice.
    private var isSourceHeard = false
    private var picture: I420Picture?
    /// What fails at present, part by part: each failure is reported once.
    private var failures: [Part: Failure] = [:]
    private var reports: [StageEvent] = []

    init(
        stage: StageID, configuration: StageConfiguration, sink: any MediaFrameSink, metrics: StageMetrics,
        source: any PictureSource, voiceLevel: VoiceLevel = VoiceLevel()
    ) {
        self.stage = stage
        self.configuration = configuration
        self.sink = sink
        self.metrics = metrics
        self.source = source
        self.voiceLevel = voiceLevel
    }

    mutating func perform(_ output: Playout.Output, now: Instant) {
        switch output {
        case .show(.loopFrame(let index), let stamp):
            guard let loop, index < loop.frames.count else { return }
            metrics.loopFrames.increment()
            deliver(.vp8, loop.frames[index], stamp, now)
        case .show(.live(let live), let stamp):
            showLive(live, stamp, now)
        case .play(.silence, let stamp):
            voiceEncoder = nil
            guard let silence = SilentPacket.payloads else { return }
            deliver(.opus, silence, stamp, now)
        case .play(.samples(let samples, let startsChain), let stamp):
            playVoice(samples, startsChain: startsChain, stamp, now)
        case .play(.source, let stamp):
            playSource(stamp, now)
        case .releaseEncoder:
            encoder = nil
            voiceEncoder = nil
            picture = nil
            source.rest()
        case .countSkippedFrames(let count):
            metrics.skippedFrames.increment(by: UInt64(max(0, count)))
        case .countMissingVoice:
            metrics.missingVoice.increment()
        case .countLatePictures:
            metrics.latePictures.increment()
        case .report(let event):
            reports.append(event)
        case .interrupted, .speechCutOff:
            break  // The driver's business.
        }
    }

    /// What happened since the last call, in order.
    mutating func takeReports() -> [StageEvent] {
        defer { reports.removeAll() }
        return reports
    }

    private func deliver(
        _ codec: MediaCodec, _ payloads: PacketizedPayloads, _ stamp: Playout.Stamp, _ captured: Instant
    ) {
        sink.deliver(
            MediaFrame(
                codec: codec, payloads: payloads, rtpTimestamp: stamp.rtpTimestamp,
                presentationTime: stamp.presentationTime, epoch: stamp.epoch, capturedAt: captured),
            stage: stage)
    }

    // MARK: Picture

    private mutating func showLive(_ live: Playout.LivePicture, _ stamp: Playout.Stamp, _ now: Instant) {
        do {
            if live.startsChain || encoder == nil {
                encoder = try VP8Encoder(
                    VP8Encoder.Configuration(
                        width: configuration.width, height: configuration.height,
                        framesPerSecond: configuration.framesPerSecond, bitRate: configuration.videoBitRate))
            }
        } catch {
            report(failure: error.reason, of: .picture, now)
            return
        }
        if picture == nil { picture = I420Picture(width: configuration.width, height: configuration.height) }
        draw(
            PictureMoment(
                motionTime: live.motionTime, mouth: live.mouth, sourceTime: stamp.sourceTime, speech: live.speech), now)
        let start = SystemClock.now()
        do {
            guard let frame = try encode(forceKeyFrame: live.forceKeyFrame) else { return }
            metrics.encodeSeconds.observe((SystemClock.now() - start).seconds)
            metrics.liveFrames.increment()
            deliver(.vp8, frame.payloads, stamp, start)
        } catch {
            report(failure: error.reason, of: .picture, now)
        }
    }

    private mutating func draw(_ moment: PictureMoment, _ now: Instant) {
        do throws(SourceError) {
            guard picture != nil else { return }
            try source.draw(moment, into: picture!)
            clearFailure(of: .picture, now)
        } catch {
            // The last picture stands until the source succeeds again.
            report(failure: error.reason, of: .picture, now)
        }
    }

    private mutating func encode(forceKeyFrame: Bool) throws(CodecError) -> VP8Encoder.EncodedFrame? {
        guard picture != nil else { return nil }
        return try encoder?.encode(picture!, forceKeyFrame: forceKeyFrame)
    }

    // MARK: Sound

    private mutating func playVoice(_ samples: [Int16], startsChain: Bool, _ stamp: Playout.Stamp, _ now: Instant) {
        var samples = samples
        if source.hasSound {
            // The file goes on unheard, so that it need not catch up later; it leaves within the voice's first packet.
            let unheard = sound(at: stamp.sourceTime, now)
            if isSourceHeard { Self.mix(unheard, into: &samples, fadesIn: false) }
            isSourceHeard = false
            sourceSoundEncoder = nil
        }
        do {
            if startsChain || voiceEncoder == nil {
                voiceEncoder = try OpusPacketEncoder(bitRate: configuration.audioBitRate, content: .voice)
            }
            guard let packet = try voiceEncoder?.encode(samples) else { return }
            clearFailure(of: .voice, now)
            deliver(.opus, PacketizedPayloads(single: packet), stamp, now)
            voiceLevel.note(samples, at: stamp.presentationTime)
        } catch {
            report(failure: error.reason, of: .voice, now)
        }
    }

    private mutating func playSource(_ stamp: Playout.Stamp, _ now: Instant) {
        do {
            voiceEncoder = nil
            let startsChain = sourceSoundEncoder == nil
            if startsChain {
                sourceSoundEncoder = try OpusPacketEncoder(bitRate: configuration.audioBitRate, content: .anySound)
            }
            // The decoder's sound lags by the encoder's look-ahead: feed it that much earlier.
            let lookahead = Int64(sourceSoundEncoder?.lookahead ?? 0)
            let ahead = Duration.nanoseconds(lookahead * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
            var samples = sound(at: stamp.sourceTime + ahead, now)
            if startsChain, !isSourceHeard {
                var fadedIn = [Int16](repeating: 0, count: samples.count)
                Self.mix(samples, into: &fadedIn, fadesIn: true)
                samples = fadedIn
            }
            isSourceHeard = true
            guard let packet = try sourceSoundEncoder?.encode(samples) else { return }
            deliver(.opus, PacketizedPayloads(single: packet), stamp, now)
            voiceLevel.note(samples, at: stamp.presentationTime)
        } catch {
            report(failure: error.reason, of: .sound, now)
        }
    }

    /// The source's sound, or silence where it has none.
    private mutating func sound(at time: Duration, _ now: Instant) -> [Int16] {
        do throws(SourceError) {
            let samples = try source.sound(at: time)
            clearFailure(of: .sound, now)
            return samples
        } catch {
            report(failure: error.reason, of: .sound, now)
            return [Int16](repeating: 0, count: OpusFormat.samplesPerPacket)
        }
    }

    /// Adds sound that fades in or out over its length.
    private static func mix(_ sound: [Int16], into samples: inout [Int16], fadesIn: Bool) {
        let count = min(sound.count, samples.count)
        for index in 0..<count {
            let share = fadesIn ? index : count - index
            let sum = Int(samples[index]) + Int(sound[index]) * share / count
            samples[index] = Int16(clamping: sum)
        }
    }

    // MARK: Failures

    /// A failure that goes on is reported once.
    mutating func report(failure reason: String, of part: Part, _ now: Instant) {
        let isKnown = failures[part]?.reason == reason
        failures[part] = Failure(reason: reason, lastSeen: now)
        guard !isKnown else { return }
        metrics.failures.increment()
        reports.append(.degraded(reason: reason))
    }

    /// The part succeeded: it is well again if it did not fail just now.
    private mutating func clearFailure(of part: Part, _ now: Instant) {
        guard let failure = failures[part], now - failure.lastSeen >= Self.recovery else { return }
        clearFailure(of: part)
    }

    /// The part is well again; what else fails is told anew.
    mutating func clearFailure(of part: Part) {
        guard failures.removeValue(forKey: part) != nil else { return }
        let left = failures.min { $0.key.rawValue < $1.key.rawValue }
        reports.append(.degraded(reason: left?.value.reason))
    }
}

/// One packet of silence, encoded once for the whole process.
enum SilentPacket {
    static let payloads: PacketizedPayloads? = {
        do {
            var encoder = try OpusPacketEncoder(bitRate: 24_000)
            var packet: [UInt8] = []
            // The first packets still carry the encoder's start.
            for _ in 0..<25 {
                packet = try encoder.encode([Int16](repeating: 0, count: OpusFormat.samplesPerPacket))
            }
            return PacketizedPayloads(single: packet)
        } catch {
            return nil
        }
    }()
}
