internal import Core
internal import Networking

/// What becomes of an engine's messages.
extension EngineDriver {
    func greet(_ hello: EngineHello, _ routing: [UInt8]) {
        func refuse(_ code: String, _ reason: String, retryAfter: Duration? = nil) {
            host.metrics.refusedHellos.increment()
            Self.logger.warning(
                "engine is refused",
                ["engine": .string(host.name), "program": .string(hello.engine), "reason": .string(reason)])
            self.refuse(EngineRefusal(what: "hello", code: code, reason: reason, retryAfter: retryAfter), to: routing)
        }
        if supervisor.hasChild {
            guard let given = hello.token, constantTimeEquals(Array(given.utf8), Array(token.utf8)) else {
                return refuse("token", "engine \(host.name) is started by the server, with a token")
            }
        }
        if let peer, peer != routing {
            return refuse(
                "name_taken", "another engine serves as \(host.name)", retryAfter: .seconds(1))
        }
        switch supervisor.phase {
        case .awaiting, .serving: break
        default: return refuse("busy", "the server is not ready for it", retryAfter: .seconds(1))
        }
        // The same peer once more starts afresh.
        forgetPeer("it said hello again")
        if let taken = host.claims.claim(hello.avatars.map(\.id), for: ObjectIdentifier(host), name: host.name) {
            let reason = "avatar \(taken.avatar) is engine \(taken.owner)'s"
            supervisor.handle(.helloRefused(reason: reason), now: now)
            return refuse("avatar_taken", reason)
        }
        guard let pictures = makePictures(hello.avatars) else {
            let reason = "the idle pictures need more than engines.\(host.name).idle_memory_megabytes"
            host.report(
                note: DegradedPart(
                    part: "engine \(host.name)", reason: reason,
                    remedy: "raise engines.\(host.name).idle_memory_megabytes, or shorten the idle motion"))
            supervisor.handle(.helloRefused(reason: reason), now: now)
            return refuse("too_large", reason)
        }
        host.report(note: nil)
        for pictures in pictures { show(pictures, hello) }
        host.publish(hello.avatars)
        welcome(routing, hello)
        for pictures in pictures { requestIdlePictures(pictures) }
        for link in links.values { attach(link) }
    }

    /// The idle pictures of these avatars, those that are there already taken over; nil where they need too much memory.
    private func makePictures(_ avatars: [EngineAvatarDescription]) -> [IdlePictures]? {
        var left = host.configuration.idleMemoryLimit
        var made: [IdlePictures] = []
        for avatar in avatars {
            let known = host.ownAvatar(avatar.id).pictures
            let isSame = known?.avatar == avatar
            guard let pictures = isSame ? known : IdlePictures(avatar, memory: left) else { return nil }
            left -= pictures.byteCount
            guard left >= 0 else { return nil }
            made.append(pictures)
        }
        return made
    }

    private func show(_ pictures: IdlePictures, _ hello: EngineHello) {
        let avatar = host.ownAvatar(pictures.avatar.id)
        avatar.set(pictures)
        avatar.set(
            EngineAvatar.Service(
                avatar: pictures.avatar, offset: hello.offset, lookahead: hello.lookahead,
                providesAudio: hello.providesAudio))
    }

    private func requestIdlePictures(_ pictures: IdlePictures) {
        let indices = pictures.takeRequest()
        if !indices.isEmpty { send(.idleRequest(avatar: pictures.avatar.id, indices: indices)) }
    }

    /// Takes a stage to the engine, if it serves its avatar.
    func attach(_ link: EngineLink) {
        guard let service = link.avatar.service, hello != nil else {
            let reason = hello == nil ? "it is not there" : "it has no avatar \(link.avatar.id)"
            return link.events(.degraded(reason: "engine \(host.name): \(reason)"))
        }
        if link.withSession({ $0.isAttached }) { send(.detach(session: link.id)) }
        link.withSession { $0.attach(service.avatar, offset: service.offset) }
        link.events(.degraded(reason: nil))
        if let pictures = link.avatar.pictures, pictures.isComplete { deliverLoop(of: pictures, to: link) }
    }

    private func deliverLoop(of pictures: IdlePictures, to link: EngineLink) {
        let name = host.name
        pictures.loop(for: link.key) { result in
            switch result {
            case .success(let loop): link.show(loop)
            case .failure(let error):
                link.events(.degraded(reason: "engine \(name): the idle loop cannot be encoded: \(error.reason)"))
            }
        }
    }

    // MARK: While it serves

    func handle(_ message: EngineMessage, payload: ZeroMQFrame?) throws(EngineMessageError) {
        switch message {
        case .hello: break
        case .frame(let header): try receive(header, payload)
        case .utteranceDone(let place): finish(place)
        case .audio(let place, let firstSample, let rateHz):
            try hear(place, firstSample, rateHz, payload)
        case .idlePicture(let avatar, let index): try keep(avatar, index, payload)
        case .cleared: break
        case .statistics(let statistics):
            host.metrics.inferenceRate.set(statistics.inferenceFramesPerSecond)
            host.metrics.queue.set(Double(statistics.queue))
        case .pong(let id): supervisor.handle(.pong(id: id), now: now)
        case .prepareProgress(let avatar, let progress): preparations[avatar]?.yield(.progress(progress))
        case .prepared(let avatar): takePrepared(avatar)
        case .refused(let refusal): note(refusal)
        case .bye(let reason): supervisor.handle(.peerLost(reason: "it said goodbye: \(reason)"), now: now)
        }
    }

    private func receive(_ header: EngineFrameHeader, _ payload: ZeroMQFrame?) throws(EngineMessageError) {
        // A session that was just detached.
        guard let link = links[header.place.session], let service = link.avatar.service else {
            return host.metrics.stale.increment()
        }
        try header.check(against: service.avatar, payloadCount: payload?.count ?? 0)
        let arrival = link.withSession { $0.receive(EnginePicture(header: header, payload: payload), header) }
        switch arrival {
        case .held: break
        case .first(let utterance): link.events(.picturesReady(utterance))
        case .stale: host.metrics.stale.increment()
        case .late: host.metrics.late.increment()
        case .withoutCredit:
            host.metrics.faults.increment()
            refuse(
                EngineRefusal(
                    what: "frame", code: "no_credit", reason: "a picture without credit",
                    session: header.place.session), to: peer ?? [])
            supervisor.handle(.fault, now: now)
        }
    }

    private func finish(_ place: EngineUtterance) {
        guard let link = links[place.session] else { return }
        if hello?.providesAudio == true, let utterance = link.withSession({ $0.isCurrent(place) }) {
            if var sound = sounds.removeValue(forKey: place.session), sound.utterance == place.utterance {
                let rest = sound.finish()
                if !rest.isEmpty { link.events(.sound(utterance, SpokenPart(samples: rest, visemes: nil))) }
            }
            link.events(.soundEnded(utterance))
        }
        // No picture will come: its sound need not wait for one.
        if let utterance = link.withSession({ $0.finish(place) }) { link.events(.picturesReady(utterance)) }
    }

    private func hear(
        _ place: EngineUtterance, _ firstSample: Int64, _ rateHz: Int, _ payload: ZeroMQFrame?
    ) throws(EngineMessageError) {
        func fail(_ reason: String) -> EngineMessageError {
            EngineMessageError(code: .malformed, type: "audio", reason: reason)
        }
        guard hello?.providesAudio == true else { throw fail("hello promised no audio") }
        guard let link = links[place.session], let payload,
            let utterance = link.withSession({ $0.isCurrent(place) })
        else { return }
        guard payload.count % 2 == 0 else { throw fail("half a sample") }
        let known = sounds[place.session].flatMap { $0.utterance == place.utterance ? $0 : nil }
        guard var sound = known ?? EngineSound(utterance: place.utterance, rateHz: rateHz) else { return }
        guard sound.rateHz == rateHz, sound.nextSample == firstSample else {
            throw fail("a gap at sample \(sound.nextSample), or another rate")
        }
        let samples = sound.take(payload.bytes)
        sounds[place.session] = sound
        if !samples.isEmpty { link.events(.sound(utterance, SpokenPart(samples: samples, visemes: nil))) }
    }

    private func keep(_ id: String, _ index: Int, _ payload: ZeroMQFrame?) throws(EngineMessageError) {
        guard hello?.avatars.contains(where: { $0.id == id }) == true, let pictures = host.ownAvatar(id).pictures
        else {
            throw EngineMessageError(code: .malformed, type: "idle_picture", reason: "no avatar \(id) in hello")
        }
        guard let payload, payload.count == pictures.avatar.pictureByteCount,
            let picture = IdlePicture(payload, pictures.avatar)
        else {
            throw EngineMessageError(
                code: .wrongSize, type: "idle_picture",
                reason: "a payload of \(payload?.count ?? 0) bytes where \(pictures.avatar.pictureByteCount) are due")
        }
        guard index < pictures.avatar.idleCount, pictures.accept(index, picture) else { return }
        if pictures.isComplete {
            for link in links.values where link.avatar.id == id { deliverLoop(of: pictures, to: link) }
        } else {
            requestIdlePictures(pictures)
        }
    }

    private func note(_ refusal: EngineRefusal) {
        host.metrics.refusedByEngine.increment()
        Self.logger.warning(
            "engine refuses",
            ["engine": .string(host.name), "what": .string(refusal.what), "reason": .string(refusal.reason)])
        switch refusal.what {
        case "prepare":
            if let avatar = refusal.avatar { finishPreparation(avatar, .refused(reason: refusal.reason)) }
        case "attach":
            if let session = refusal.session, let link = links[session] {
                link.detach()
                link.events(.degraded(reason: "engine \(host.name): \(refusal.reason)"))
            }
        default: break
        }
    }

    // MARK: Preparation

    func prepare(
        _ avatar: String, _ videoPath: String, _ appliesBlur: Bool,
        _ continuation: AsyncStream<EnginePreparation>.Continuation
    ) {
        func refuse(_ reason: String) {
            continuation.yield(.refused(reason: reason))
            continuation.finish()
        }
        guard EngineHeader.isAvatarID(avatar) else {
            return refuse("an avatar's name has 1 to 64 of A-Z a-z 0-9 . _ -")
        }
        guard videoPath.utf8.count <= 4096 else { return refuse("the path of the video is too long") }
        guard let hello else { return refuse("engine \(host.name) is not there: \(supervisor.failure ?? "")") }
        guard hello.canPrepare else { return refuse("engine \(host.name) cannot prepare avatars") }
        guard preparations[avatar] == nil else { return refuse("avatar \(avatar) is being prepared") }
        preparations[avatar] = continuation
        send(.prepare(avatar: avatar, videoPath: videoPath, appliesBlur: appliesBlur))
    }

    func finishPreparation(_ avatar: String, _ last: EnginePreparation) {
        guard let continuation = preparations.removeValue(forKey: avatar) else { return }
        continuation.yield(last)
        continuation.finish()
    }

    private func takePrepared(_ avatar: EngineAvatarDescription) {
        guard var hello else { return }
        let others = hello.avatars.filter { $0.id != avatar.id }
        let claimed = (others + [avatar]).map(\.id)
        if let taken = host.claims.claim(claimed, for: ObjectIdentifier(host), name: host.name) {
            return finishPreparation(
                avatar.id, .refused(reason: "avatar \(taken.avatar) is engine \(taken.owner)'s"))
        }
        let used = others.reduce(0) { $0 + (host.ownAvatar($1.id).pictures?.byteCount ?? 0) }
        guard others.count < 64,
            let pictures = IdlePictures(avatar, memory: host.configuration.idleMemoryLimit - used)
        else {
            return finishPreparation(
                avatar.id,
                .refused(reason: "its idle pictures need more than engines.\(host.name).idle_memory_megabytes"))
        }
        hello.avatars = others + [avatar]
        self.hello = hello
        show(pictures, hello)
        host.publish(hello.avatars)
        requestIdlePictures(pictures)
        for link in links.values where link.avatar.id == avatar.id { attach(link) }
        finishPreparation(avatar.id, .ready)
    }
}
