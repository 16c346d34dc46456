internal import Core
package import MediaPipeline

/// What people say into their microphones.
extension Conversation {
    /// The ear for one more viewer. Whoever speaks first is heard until that speech ends; without a recogniser nobody.
    package nonisolated func microphone() -> any MicrophoneSink {
        let number = floor.makeMicrophone()
        let floor = floor
        let stage = stage
        let ear = Ear(
            configuration: profile.hearing, level: { stage.spokenLevel(at: $0) },
            isAvatarSpeaking: { floor.isAvatarSpeaking },
            deliver: { event in
                switch event {
                case .speechStarted: floor.began(number)
                case .bargeIn: floor.bargedIn(number)
                case .sound(let samples): floor.heard(samples, number)
                case .turnEnded(let ended): floor.finished(number, ended: ended)
                case .abandoned: floor.gaveUp(number)
                }
            })
        return MicrophoneReceiver(
            metrics: metrics.microphone, deliver: { ear.hear($0) },
            ended: {
                ear.end()
                // An ear that was in no turn leaves no floor behind either.
                floor.gaveUp(number)
            })
    }

    func take(_ event: Floor.Event) {
        switch event {
        case .began: handle(.personBeganToSpeak)
        case .bargedIn: handle(.bargedIn)
        case .gaveUp: handle(.personGaveUp)
        case .finished(let session, let ended):
            guard !isClosed else { return session.cancel() }
            let turn = makeTurnID()
            recognitions[turn] = session
            metrics.count(turn: .spoken)
            handle(.personFinished(turn, ended: ended))
        }
    }
}

/// What people send as an audio file.
extension Conversation {
    /// Answers what is said in an audio file; what was asked or said before is cut off. Not `aloud`: the answer is
    /// written only.
    @discardableResult
    package func ask(recording: [UInt8], aloud: Bool = true) async throws(ConversationError) -> TurnID {
        try checkOpen()
        guard let recogniser = profile.recogniser else {
            throw ConversationError(
                code: .hearingUnavailable, reason: "nobody listens to this avatar's viewers",
                remedy: "configure hearing.backend")
        }
        let sound: RecordedSound
        do throws(RecordedSoundError) {
            sound = try await Self.decode(recording)
        } catch {
            throw ConversationError(
                code: .soundUnusable, reason: error.reason,
                remedy: "send WAV, Ogg, WebM or MP3, at most \(RecordedSound.maximumSeconds) s")
        }
        // It may have been closed meanwhile.
        try checkOpen()
        let session = recogniser.begin()
        session.append(sound.samples)
        let turn = makeTurnID()
        recognitions[turn] = session
        metrics.count(turn: .recording)
        handle(.recordingGiven(turn, isAloud: aloud))
        return turn
    }

    /// Outside of the actor: a long recording takes a good part of a second.
    @concurrent private nonisolated static func decode(_ bytes: [UInt8]) async throws(RecordedSoundError)
        -> RecordedSound
    {
        try RecordedSound(bytes, sampleRateHz: MicrophoneSound.sampleRateHz)
    }
}
