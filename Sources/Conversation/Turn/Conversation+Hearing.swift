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
