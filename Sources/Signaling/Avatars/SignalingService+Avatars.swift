internal import Core

/// Registering avatars: what must be looked at first, and what is done in the background after.
extension SignalingService {
    /// Registers a video of this machine, or an engine's own avatar.
    func registerAvatar(_ request: AvatarRequest, videoPath: String?) async throws(RequestError) -> AvatarLibrary.Entry
    {
        try checkEngine(request)
        var path = ""
        if let videoPath {
            path = try await avatars.allowedVideo(videoPath)
            try await checkVideo(path, name: "video_path")
        }
        let entry = try await avatars.register(request, path: path)
        prepare(entry)
        return entry
    }

    /// Keeps an uploaded video, once it is known to be one.
    func storeAvatar(_ request: AvatarRequest, _ upload: AvatarRequest.Upload) async throws(RequestError)
        -> AvatarLibrary.Entry
    {
        try checkEngine(request)
        let written = try await avatars.write(upload.content, for: request.avatarID, name: random.token(bits: 96))
        do throws(RequestError) {
            try await checkVideo(written, name: "video_file")
        } catch {
            await avatars.discard(written)
            throw error
        }
        let entry = try await avatars.store(request, fileName: upload.fileName, written: written)
        prepare(entry)
        return entry
    }

    /// False where nobody registered it.
    func removeAvatar(_ id: String) async throws(RequestError) -> Bool {
        guard try await avatars.remove(id) else { return false }
        preparations.removeValue(forKey: id)?.cancel()
        return true
    }

    /// Goes on with what an earlier run had begun, and has made anew what an engine lost; until the task is cancelled.
    package func followEngines() async {
        let arrivals = media.engineArrivals()
        for entry in await avatars.unprepared { prepare(entry) }
        for name in engines { await restore(name) }
        for await name in arrivals { await restore(name) }
    }

    private var engines: [String] { media.engines.sorted() }

    private func restore(_ engine: String) async {
        for entry in await avatars.prepared(by: engine) {
            guard case .failed = media.status(ofEngine: engine, avatar: entry.engineAvatar ?? entry.id),
                let lost = await avatars.noteLost(entry.id)
            else { continue }
            prepare(lost)
        }
    }

    /// How far a registered avatar is.
    func status(of entry: AvatarLibrary.Entry) async -> AvatarStatus {
        if let status = await avatars.status(entry.id) { return status }
        guard let engine = entry.engine else { return .ready }
        guard !entry.needsPreparation else { return .preparing(progress: 0, reason: nil) }
        return media.status(ofEngine: engine, avatar: entry.engineAvatar ?? entry.id)
    }

    private func checkEngine(_ request: AvatarRequest) throws(RequestError) {
        guard let engine = request.engine?.name else { return }
        let known = media.engines.sorted()
        guard known.contains(engine) else {
            let list = known.isEmpty ? "none is configured" : "there are \(known.joined(separator: ", "))"
            throw RequestError(422, "engine is not the name of an engine: \(list)")
        }
    }

    private func checkVideo(_ path: String, name: String) async throws(RequestError) {
        let media = media
        // Files are never read on an actor.
        let problem = await Task.detached { media.problem(withVideo: path) }.value
        if let problem { throw RequestError(422, "\(name) is no video: \(problem)") }
    }

    private func prepare(_ entry: AvatarLibrary.Entry) {
        preparations.removeValue(forKey: entry.id)?.cancel()
        guard entry.needsPreparation, let engine = entry.engine else { return }
        let (media, avatars, log) = (media, avatars, log)
        let own = entry.engineAvatar ?? entry.id
        preparations[entry.id] = Task.detached {
            await avatars.note(.preparing(progress: 0, reason: nil), of: entry)
            var last = AvatarStatus.preparing(progress: 0, reason: nil)
            for await status in media.prepare(
                engine: engine, avatar: own, videoPath: entry.path, appliesBlur: entry.appliesBlur)
            {
                last = status
                await avatars.note(status, of: entry)
            }
            if Task.isCancelled { return }
            if case .preparing = last {
                last = .failed(reason: "engine \(engine) ended before the avatar was ready")
                await avatars.note(last, of: entry)
            }
            log.info(
                "avatar prepared", ["avatar.id": LogValue(entry.id), "outcome": LogValue("\(last)")])
        }
    }
}
