internal import Core
internal import Synchronization

// A stream's termination handler runs under the runtime's lock on the task that reads it: nothing is done there but to take
// the state's lock, for a moment, and what follows from it is left to a task.
extension Robot {
    // MARK: - Status

    /// The status now, and again with every change of it; a slow listener gets the newest.
    package func statusChanges() -> AsyncStream<RobotStatus> {
        let (stream, continuation) = AsyncStream<RobotStatus>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = act { state, now in
            state.lastStream += 1
            state.statusStreams[state.lastStream] = continuation
            let status = state.core.status(now: now)
            state.tellings.append { continuation.yield(status) }
            return state.lastStream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in state.statusStreams[id] = nil }
        }
        return stream
    }

    // MARK: - Topics

    /// Every topic that came or is subscribed to, in alphabetical order.
    package var topics: [TopicSummary] {
        let now = clock.now()
        return state.withLock { $0.core.topics.summaries(now: now) }
    }

    /// The latest value, or nil where none ever came.
    package func topic(_ name: String) -> TopicValue? {
        let now = clock.now()
        return state.withLock { $0.core.topics.value(of: name, now: now) }
    }

    /// The latest value; of a topic that nobody subscribes to, the next one, if it comes within `patience`.
    package func value(of topic: String, patience: Duration) async throws(RobotRequestError) -> TopicValue? {
        if let known = self.topic(topic), known.summary.isSubscribed { return known }
        let updates = try subscribe([topic])
        let sleep = clock.sleep
        let came = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in updates { return true }
                return false
            }
            group.addTask {
                try? await sleep(patience)
                return false
            }
            let came = await group.next() ?? false
            group.cancelAll()
            return came
        }
        return came ? self.topic(topic) : nil
    }

    /// New values of topics, from now on, until the stream is let go of.
    ///
    /// The robot is asked for a topic while somebody listens to it. Of a listener who falls behind by more than 64 values the
    /// newest are kept.
    package func subscribe(_ topics: Set<String>) throws(RobotRequestError) -> AsyncStream<TopicUpdate> {
        let (stream, continuation) = AsyncStream<TopicUpdate>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let id = try act { (state, now) throws(RobotRequestError) in
            try state.core.subscribe(topics, now: now)
            state.lastStream += 1
            state.topicStreams[state.lastStream] = (topics, continuation)
            return state.lastStream
        }
        continuation.onTermination = { [weak self] _ in
            Task {
                self?.act { state, _ in
                    guard state.topicStreams.removeValue(forKey: id) != nil else { return }
                    state.core.unsubscribe(topics)
                }
            }
        }
        return stream
    }

    // MARK: - LiDAR

    /// LiDAR frames as points, from now on, until the stream is let go of; a slow listener gets the newest two.
    ///
    /// The LiDAR is on, and the robot's saving of traffic off, only while somebody listens. A frame is decoded once for all.
    package func voxels() throws(RobotRequestError) -> AsyncStream<VoxelCloud> {
        let (stream, continuation) = AsyncStream<VoxelCloud>.makeStream(bufferingPolicy: .bufferingNewest(2))
        let id = try act { (state, now) throws(RobotRequestError) in
            try state.core.addVoxelListener(now: now)
            state.lastStream += 1
            state.voxelStreams[state.lastStream] = continuation
            return state.lastStream
        }
        continuation.onTermination = { [weak self] _ in
            Task {
                self?.act { state, now in
                    guard state.voxelStreams.removeValue(forKey: id) != nil else { return }
                    state.core.removeVoxelListener(now: now)
                }
            }
        }
        return stream
    }

    func decode(_ message: VoxelMessage) {
        let began = SystemClock.now()
        do throws(LiDARError) {
            let cloud = try VoxelCloud(message: message.header, payload: message.payload, limits: configuration.lidar)
            metrics.voxelTime.observe((SystemClock.now() - began).seconds)
            metrics.voxelFrames.increment()
            for stream in state.withLock({ Array($0.voxelStreams.values) }) { stream.yield(cloud) }
        } catch {
            metrics.refusedVoxelFrames.increment()
        }
    }
}
