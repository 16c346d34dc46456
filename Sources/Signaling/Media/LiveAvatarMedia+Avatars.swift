internal import Core
internal import MediaPipeline

/// What engines show, and videos that somebody wants to be shown.
extension LiveAvatarMedia {
    package var engines: [String] { Array(engineHosts.keys) }

    package func engineArrivals() -> AsyncStream<String> { arrivals.watch() }

    package func status(ofEngine engine: String, avatar: String) -> AvatarStatus {
        guard let host = engineHosts[engine] else { return .failed(reason: "engine \(engine) is not configured") }
        if host.avatars.contains(where: { $0.id == avatar }) { return .ready }
        // Whoever has not said hello may still have it.
        guard host.avatar(avatar) != nil else {
            let known = host.avatars.map(\.id).joined(separator: ", ")
            return .failed(reason: "engine \(engine) has no avatar \(avatar); it has \(known.isEmpty ? "none" : known)")
        }
        return .preparing(progress: 0, reason: host.degraded.first?.reason ?? "engine \(engine) is not connected")
    }

    package func prepare(
        engine: String, avatar: String, videoPath: String, appliesBlur: Bool
    ) -> AsyncStream<AvatarStatus> {
        let (stream, continuation) = AsyncStream<AvatarStatus>.makeStream(bufferingPolicy: .bufferingNewest(16))
        guard let host = engineHosts[engine] else {
            continuation.yield(.failed(reason: "engine \(engine) is not configured"))
            continuation.finish()
            return stream
        }
        // Watched before it is looked for, so that a hello in between is not missed.
        let hellos = arrivals.watch()
        let reading = Task {
            if let missing = host.degraded.first {
                continuation.yield(.preparing(progress: 0, reason: missing.reason))
                for await name in hellos where name == engine { break }
                if Task.isCancelled { return continuation.finish() }
            }
            for await step in host.prepare(avatar: avatar, videoPath: videoPath, appliesBlur: appliesBlur) {
                switch step {
                case .progress(let progress): continuation.yield(.preparing(progress: progress, reason: nil))
                case .ready: continuation.yield(.ready)
                case .refused(let reason): continuation.yield(.failed(reason: reason))
                }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in reading.cancel() }
        return stream
    }

    package func problem(withVideo path: String) -> String? { VideoFile.problem(at: path) }

    func engineAvatar(_ engine: String, _ avatar: String) throws(StageFailure) -> EngineAvatar {
        guard let host = engineHosts[engine] else {
            throw StageFailure(
                reason: "engine \(engine) is not configured, or did not start",
                remedy: "see /health, and engines.\(engine)")
        }
        guard let found = host.avatar(avatar) else {
            let known = host.avatars.map(\.id).joined(separator: ", ")
            throw StageFailure(
                reason: "engine \(engine) has no avatar \(avatar)",
                remedy: "name one of its own: \(known.isEmpty ? "it has none" : known)")
        }
        return found
    }
}
