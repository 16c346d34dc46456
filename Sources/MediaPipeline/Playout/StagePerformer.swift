package import Core
package import PeerConnection

/// Takes the frames of one stage; called on the stage's own thread.
package protocol MediaFrameSink: Sendable {
    func deliver(_ frame: MediaFrame, stage: StageID)
}

/// Carries out what the playout orders: draws, encodes, packetises and delivers. Owned by the stage's thread.
struct StagePerformer: ~Copyable {
    enum Part {
        case picture, sound, voice, loop
    }
    let stage: StageID
    let configuration: StageConfiguration
    let sink: any MediaFrameSink
    let metrics: StageMetrics
    let source: any PictureSource
    var loop: IdleLoop?
    private var encoder: VP8Encoder?
    private var voiceEncoder: OpusPacketEncoder?
    private var sourceSoundEncoder: OpusPacketEncoder?
    private var picture: I420Picture?
    /// What fails at present, part by part: each failure is reported once.
    private var failures: [Part: String] = [:]
    private(set) var reports: [StageEvent] = []

    init(
        stage: StageID, configuration: StageConfiguration, sink: any MediaFrameSink, metrics: StageMetrics,
        source: any PictureSource
    ) {
        self.stage = stage
        self.configuration = configuration
        self.sink = sink
        self.metrics = metrics
        self.source = source
    }

    mutating func perform(_ output: Playout.Output, now: Instant) {
        switch output {
        case .show(.loopFrame(let index), let stamp):
            guard let loop, index < loop.frames.count else { return }
            metrics.loopFrames.increment()
            deliver(.video, loop.frames[index], stamp, now)
        case .show(.live(let motionTime, let mouth, let startsChain, let forceKeyFrame), let stamp):
            let moment = PictureMoment(motionTime: motionTime, mouth: mouth, sourceTime: stamp.sourceTime)
            showLive(moment, startsChain: startsChain, forceKeyFrame: forceKeyFrame, stamp)
        case .play(.silence, let stamp):
            voiceEncoder = nil
            guard let silence = SilentPacket.payloads else { return }
            deliver(.audio, silence, stamp, now)
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
        case .report(let event):
            reports.append(event)
        }
    }

    /// What happened since the last call, in order.
    mutating func takeReports() -> [StageEvent] {
        defer { reports.removeAll() }
        return reports
    }

    private func deliver(_ kind: MediaKind, _ payloads: PacketizedPayloads, _ stamp: Playout.Stamp, _ captured: Instant)
    {
        sink.deliver(
            MediaFrame(
                kind: kind, payloads: payloads, rtpTimestamp: stamp.rtpTimestamp,
                presentationTime: stamp.presentationTime, epoch: stamp.epoch, capturedAt: captured),
            stage: stage)
    }

    // MARK: Picture

    private mutating func showLive(
        _ moment: PictureMoment, startsChain: Bool, forceKeyFrame: Bool, _ stamp: Playout.Stamp
    ) {
        do {
            if startsChain || encoder == nil {
                encoder = try VP8Encoder(
                    VP8Encoder.Configuration(
                        width: configuration.width, height: configuration.height,
                        framesPerSecond: configuration.framesPerSecond, bitRate: configuration.videoBitRate))
            }
        } catch {
            report(failure: error.reason, of: .picture)
            return
        }
        if picture == nil { picture = I420Picture(width: configuration.width, height: configuration.height) }
        draw(moment)
        let start = SystemClock.now()
        do {
            guard let frame = try encode(forceKeyFrame: forceKeyFrame) else { return }
            metrics.encodeSeconds.observe((SystemClock.now() - start).seconds)
            metrics.liveFrames.increment()
            deliver(.video, frame.payloads, stamp, start)
        } catch {
            report(failure: error.reason, of: .picture)
        }
    }

    private mutating func draw(_ moment: PictureMoment) {
        do throws(SourceError) {
            guard picture != nil else { return }
            try source.draw(moment, into: picture!)
            failures[.picture] = nil
        } catch {
            // The last picture stands until the source succeeds again.
            report(failure: error.reason, of: .picture)
        }
    }

    private mutating func encode(forceKeyFrame: Bool) throws(CodecError) -> VP8Encoder.EncodedFrame? {
        guard picture != nil else { return nil }
        return try encoder?.encode(picture!, forceKeyFrame: forceKeyFrame)
    }

    // MARK: Sound

    private mutating func playVoice(_ samples: [Int16], startsChain: Bool, _ stamp: Playout.Stamp, _ now: Instant) {
        do {
            if startsChain || voiceEncoder == nil {
                voiceEncoder = try OpusPacketEncoder(bitRate: configuration.audioBitRate, content: .voice)
            }
            guard let packet = try voiceEncoder?.encode(samples) else { return }
            deliver(.audio, PacketizedPayloads(single: packet), stamp, now)
        } catch {
            report(failure: error.reason, of: .voice)
        }
    }

    private mutating func playSource(_ stamp: Playout.Stamp, _ now: Instant) {
        do {
            if sourceSoundEncoder == nil {
                sourceSoundEncoder = try OpusPacketEncoder(bitRate: configuration.audioBitRate, content: .anySound)
            }
            // The decoder's sound lags by the encoder's look-ahead: feed it that much earlier.
            let lookahead = Int64(sourceSoundEncoder?.lookahead ?? 0)
            let ahead = Duration.nanoseconds(lookahead * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
            let samples = sound(at: stamp.sourceTime + ahead)
            guard let packet = try sourceSoundEncoder?.encode(samples) else { return }
            deliver(.audio, PacketizedPayloads(single: packet), stamp, now)
        } catch {
            report(failure: error.reason, of: .sound)
        }
    }

    /// The source's sound, or silence where it has none.
    private mutating func sound(at time: Duration) -> [Int16] {
        do throws(SourceError) {
            let samples = try source.sound(at: time)
            failures[.sound] = nil
            return samples
        } catch {
            report(failure: error.reason, of: .sound)
            return [Int16](repeating: 0, count: OpusFormat.samplesPerPacket)
        }
    }

    /// A failure that goes on is reported once.
    mutating func report(failure reason: String, of part: Part) {
        guard failures[part] != reason else { return }
        failures[part] = reason
        metrics.failures.increment()
        reports.append(.degraded(reason: reason))
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

/// What all stages of the process count together.
struct StageMetrics: Sendable {
    let loopFrames: Counter
    let liveFrames: Counter
    let skippedFrames: Counter
    let failures: Counter
    let encodeSeconds: Histogram

    init(_ registry: MetricsRegistry) {
        loopFrames = registry.counter(
            "avatar_stage_frames_total", help: "Pictures that stages delivered.", labels: ["kind": "loop"])
        liveFrames = registry.counter(
            "avatar_stage_frames_total", help: "Pictures that stages delivered.", labels: ["kind": "live"])
        skippedFrames = registry.counter(
            "avatar_stage_skipped_frames_total", help: "Pictures left out since the stage's thread came late.")
        failures = registry.counter(
            "avatar_stage_failures_total", help: "Failures of sources, encoders and voices.")
        encodeSeconds = registry.histogram(
            "avatar_stage_encode_seconds", help: "Time to encode one live picture.",
            bounds: [0.001, 0.002, 0.004, 0.008, 0.016, 0.033])
    }
}
