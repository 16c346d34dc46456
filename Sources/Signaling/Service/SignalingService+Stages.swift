package import Core
internal import Go2Bridge
internal import MediaLoop

extension SignalingService {
    /// Opens the public stage, so that its first viewer need not wait for it. A failure is told by ``degraded``.
    package func openPublicStage() async {
        guard let name = configuration.publicStage else { return }
        do throws(StageFailure) {
            _ = try await openStage(for: .everyone(name), avatarID: nil)
        } catch {
            publicStageFailure = error
            log.error("public stage cannot open", ["reason": LogValue(error.reason), "remedy": LogValue(error.remedy)])
        }
    }

    /// The audience's stage, opened if it is not open yet. `generation` grows with each opening of the same stage.
    ///
    /// The avatar is chosen by whoever opens the stage. A later wish for another avatar is granted while nobody watches.
    func openStage(
        for audience: Audience, avatarID wish: String?
    ) async throws(StageFailure) -> (id: StageID, generation: Int) {
        let id = audience.stage
        let avatarID = wish ?? stages[id]?.avatarID ?? defaultAvatarID(of: audience)
        if let open = stages[id], open.avatarID != avatarID, viewerCount(on: audience) == 0 {
            closeStage(of: audience)
        }
        if stages[id] == nil { try begin(audience, avatarID: avatarID) }
        guard let record = stages[id] else { throw Self.closedMeanwhile }
        stages[id]?.lastUsed = clock.now()
        if let failure = await record.opening.value {
            // The next wish tries again: a file may have come, a library may have been installed.
            if stages[id]?.generation == record.generation { stages.removeValue(forKey: id) }
            throw failure
        }
        guard stages[id]?.generation == record.generation else { throw Self.closedMeanwhile }
        if case .everyone = audience { publicStageFailure = nil }
        return (id, record.generation)
    }

    private static var closedMeanwhile: StageFailure {
        StageFailure(reason: "the session ended", remedy: "make a new session")
    }

    private func begin(_ audience: Audience, avatarID: String?) throws(StageFailure) {
        if case .user = audience {
            let userStages = stages.values.count { if case .user = $0.audience { true } else { false } }
            guard userStages < configuration.maximumUserStages else {
                throw StageFailure(
                    reason: "Maximum sessions (\(configuration.maximumUserStages)) reached",
                    remedy: "raise sessions.maximum, or wait")
            }
        }
        stageGeneration += 1
        let id = audience.stage
        let (media, avatars, closing) = (media, avatars, closings[id]?.task)
        let opening = Task.detached { () -> StageFailure? in
            await closing?.value
            let picture = await avatars.picture(for: avatarID)
            do throws(StageFailure) {
                try media.openStage(id, picture: picture, avatarID: avatarID)
                return nil
            } catch {
                return error
            }
        }
        stages[id] = StageRecord(
            audience: audience, avatarID: avatarID, generation: stageGeneration, opening: opening,
            lastUsed: clock.now())
    }

    private func defaultAvatarID(of audience: Audience) -> String? {
        switch audience {
        case .session(let id): sessions[id: id]?.defaultAvatarID
        case .user, .robot: nil
        case .everyone: configuration.publicAvatarID
        }
    }

    /// Ends the audience's stage and forgets its viewers.
    func closeStage(of audience: Audience) {
        guard let record = stages.removeValue(forKey: audience.stage) else { return }
        for key in attachments.keys where key.audience == audience {
            attachments.removeValue(forKey: key)
            detached.removeValue(forKey: key)
        }
        for (name, session) in whepSessions where session.audience == audience {
            whepSessions.removeValue(forKey: name)
        }
        let (media, id) = (media, audience.stage)
        // After the opening, so that a stage that is still being opened is closed as well.
        let task = Task.detached {
            _ = await record.opening.value
            media.closeStage(id)
        }
        closings[id] = Closing(generation: record.generation, task: task)
        Task {
            await task.value
            if closings[id]?.generation == record.generation { closings.removeValue(forKey: id) }
        }
    }

    /// Viewers on an audience's stage, whichever way they came.
    func viewerCount(on audience: Audience) -> Int {
        attachments.keys.count { $0.audience == audience } + whepSessions.values.count { $0.audience == audience }
    }

    func generation(of audience: Audience) -> Int? { stages[audience.stage]?.generation }

    // MARK: Time

    /// Ends what nobody uses any more. Called once a second.
    package func housekeep() {
        let now = clock.now()
        for record in stages.values {
            guard case .session(let id) = record.audience, viewerCount(on: record.audience) > 0 else { continue }
            touch(id)
        }
        for id in sessions.expired(now: now) { removeSession(id, reason: "session timed out") }
        for (key, deadline) in detached where now >= deadline {
            detached.removeValue(forKey: key)
            guard let attachment = attachments.removeValue(forKey: key) else { continue }
            media.removeViewer(attachment.viewer, reason: "signaling connection closed")
        }
        for record in stages.values {
            guard case .user = record.audience, now - record.lastUsed >= configuration.detachedViewerGrace,
                viewerCount(on: record.audience) == 0,
                !connections.values.contains(where: { $0.audience == record.audience })
            else { continue }
            closeStage(of: record.audience)
        }
    }
}

extension SignalingService {
    /// What cannot do its work: the media side's parts and the avatars'.
    package var degraded: [DegradedPart] {
        get async {
            var parts = media.degraded
            parts += configuration.otherDegraded()
            parts += await avatars.degradedParts
            parts += robots.values.compactMap(\.status.degradation).sorted { $0.part < $1.part }
            if let failure = publicStageFailure, let name = configuration.publicStage {
                parts.append(DegradedPart(part: "stage:\(name)", reason: failure.reason, remedy: failure.remedy))
            }
            return parts
        }
    }
}
