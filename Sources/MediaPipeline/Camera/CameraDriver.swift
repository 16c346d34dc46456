internal import Core
internal import PeerConnection

/// A camera's thread: from packets to frames of the codecs that somebody wants.
struct CameraDriver: ~Copyable {
    /// Where the thread tells what happened.
    struct Listener: Sendable {
        let firstPicture: @Sendable () -> Void
        let statistics: @Sendable (CameraStatistics) -> Void
        /// VP8 cannot be made, and why; told once until it works again.
        let failed: @Sendable (String) -> Void
    }

    /// Ticks of the 90 kHz clock between two pictures that are handed on at once, to be run through.
    private static let catchUpStep: UInt32 = 8

    private let stage: StageID
    private let sink: any MediaFrameSink
    private let metrics: CameraMetrics
    private let inbox: CameraInbox
    private let clock: @Sendable () -> Instant
    private let listener: Listener
    private var reception: CameraReception
    private var sound = CameraSound()
    private var transcoder: CameraTranscoder
    private var group = PictureGroup()
    private var viewers = CameraViewers()
    private var statistics = CameraStatistics()
    /// Told last to the process's counters.
    private var counted = CameraStatistics()
    private var h264Meter = RateMeter()
    private var vp8Meter = RateMeter()
    private var seenEpoch: UInt32 = 0
    private var failure: String?

    init(
        stage: StageID, configuration: CameraStageConfiguration, sink: any MediaFrameSink, metrics: CameraMetrics,
        inbox: CameraInbox, clock: @escaping @Sendable () -> Instant, listener: Listener
    ) {
        self.stage = stage
        self.sink = sink
        self.metrics = metrics
        self.inbox = inbox
        self.clock = clock
        self.listener = listener
        reception = CameraReception(maximumWait: configuration.maximumReordering)
        transcoder = CameraTranscoder(configuration: configuration, metrics: metrics)
    }

    /// Returns when the stage is stopped.
    mutating func run() {
        while true {
            // Between two pictures that wait for the decoder the inbox is looked after: what passes through must not wait for it.
            let entries = inbox.takeAll(until: transcoder.hasWork ? .zero : deadline)
            for entry in entries {
                if case .stop = entry { return }
                handle(entry)
            }
            let now = clock()
            if let due = reception.deadline, due <= now { reception.handleTimeout(now: now) }
            if let due = sound.deadline, due <= now { sound.handleTimeout(now: now) }
            passPictures()
            passSound()
            transcode()
            publish()
        }
    }

    private var deadline: Instant? {
        guard let picture = reception.deadline, let sound = sound.deadline else {
            return reception.deadline ?? sound.deadline
        }
        return min(picture, sound)
    }

    private mutating func handle(_ entry: CameraInbox.Entry) {
        switch entry {
        case .picture(let packet, let arrival):
            reception.handle(packet, arrival: arrival)
        case .sound(let packet, let arrival):
            if viewers.sound > 0 { sound.handle(packet, arrival: arrival) }
        case .lost:
            // What came before still goes out.
            passPictures()
            reception.lose()
            sound.pause()
            group.clear()
        case .viewers(let new, let time):
            passPictures()
            change(to: new, at: time)
        case .keyFrameRequested:
            transcoder.requestKeyFrame()
        case .stop:
            break  // The loop's business.
        }
    }

    private mutating func change(to new: CameraViewers, at now: Instant) {
        let old = viewers
        viewers = new
        if new.vp8 == 0 {
            transcoder.stop()
            vp8Meter = RateMeter()
        } else if !transcoder.isRunning {
            transcoder.start(with: group.recent(at: now))
        }
        if !old.hasPicture, new.hasPicture { catchUp(at: now) }
        if new.sound == 0, old.sound > 0 { sound.pause() }
    }

    // MARK: Pass-through

    private mutating func passPictures() {
        while let picture = reception.pollPicture() {
            if picture.epoch != seenEpoch {
                seenEpoch = picture.epoch
                listener.firstPicture()
            }
            statistics.lastPictureAt = picture.unit.receivedAt
            group.append(picture)
            guard viewers.hasPicture else { continue }
            // Also while all of them watch in VP8: the media loop keeps the group for whoever comes next.
            pass(picture, rtpTimestamp: picture.rtpTimestamp, capturedAt: picture.unit.receivedAt)
            metrics.h264Latency.observe((clock() - picture.unit.receivedAt).seconds)
            transcoder.add(picture)
        }
    }

    /// Gives the media loop the pictures since the last key frame, restamped to lie right before the newest: it forgot them, or
    /// never had them, since nobody watched.
    private func catchUp(at now: Instant) {
        let pictures = group.recent(at: now)
        guard let last = pictures.last else { return }
        for (index, picture) in pictures.enumerated() {
            let distance = UInt32(truncatingIfNeeded: pictures.count - 1 - index) &* Self.catchUpStep
            var restamped = picture
            restamped.presentationTime = last.presentationTime
            deliver(restamped, rtpTimestamp: last.rtpTimestamp &- distance, capturedAt: now)
        }
    }

    private mutating func pass(_ picture: CameraPicture, rtpTimestamp: UInt32, capturedAt: Instant) {
        let (packets, bytes) = deliver(picture, rtpTimestamp: rtpTimestamp, capturedAt: capturedAt)
        metrics.h264Pictures.increment()
        if h264Meter.count(packets: packets, bytes: bytes, at: capturedAt) { statistics.h264Rate = h264Meter.rate }
    }

    @discardableResult
    private func deliver(
        _ picture: CameraPicture, rtpTimestamp: UInt32, capturedAt: Instant
    ) -> (packets: Int, bytes: Int) {
        let parts = H264Packetizer.payloads(of: picture.unit)
        var (packets, bytes) = (0, 0)
        for (index, payloads) in parts.enumerated() {
            packets += payloads.count
            bytes += payloads.storage.count
            sink.deliver(
                MediaFrame(
                    codec: .h264, payloads: payloads, rtpTimestamp: rtpTimestamp,
                    presentationTime: picture.presentationTime, epoch: picture.epoch, capturedAt: capturedAt,
                    endsPicture: index == parts.count - 1), stage: stage)
        }
        return (packets, bytes)
    }

    private mutating func passSound() {
        while let packet = sound.pollPacket() {
            metrics.soundPackets.increment()
            sink.deliver(
                MediaFrame(
                    codec: .opus, payloads: PacketizedPayloads(single: packet.payload),
                    rtpTimestamp: packet.rtpTimestamp, presentationTime: packet.presentationTime, epoch: seenEpoch,
                    capturedAt: packet.arrival), stage: stage)
        }
    }

    // MARK: VP8

    /// One picture at most.
    private mutating func transcode() {
        guard transcoder.hasWork else { return }
        do throws(CodecError) {
            guard let output = try transcoder.work(now: clock()) else { return }
            failure = nil
            let picture = output.picture
            let payloads = output.frame.payloads
            let now = clock()
            sink.deliver(
                MediaFrame(
                    codec: .vp8, payloads: payloads, rtpTimestamp: picture.rtpTimestamp,
                    presentationTime: picture.presentationTime, epoch: picture.epoch,
                    capturedAt: output.isCatchUp ? now : picture.unit.receivedAt), stage: stage)
            metrics.vp8Pictures.increment()
            if !output.isCatchUp { metrics.vp8Latency.observe((now - picture.unit.receivedAt).seconds) }
            let isNew = vp8Meter.count(packets: payloads.count, bytes: payloads.storage.count, at: now)
            if isNew { statistics.vp8Rate = vp8Meter.rate }
        } catch {
            if failure != error.reason { listener.failed(error.reason) }
            failure = error.reason
        }
    }

    // MARK: Figures

    private mutating func publish() {
        statistics.reception = reception.counts
        statistics.reception.droppedPackets = inbox.droppedPackets
        statistics.sound = sound.counts
        statistics.transcoding = transcoder.counts
        if !transcoder.isRunning { statistics.vp8Rate = StreamRate() }
        if let size = transcoder.pictureSize { (statistics.width, statistics.height) = (size.width, size.height) }
        guard statistics != counted else { return }
        metrics.count(from: counted.reception, to: statistics.reception)
        counted = statistics
        listener.statistics(statistics)
    }
}
