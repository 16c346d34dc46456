package import Core

/// What is heard: utterances one after the other, and what stands between them.
extension Playout {
    /// The first utterance has begun to be heard.
    package var isSpeaking: Bool { utterances.first?.hasStarted ?? false }

    /// Samples that wait to be said, over all utterances.
    package var waitingSamples: Int { utterances.reduce(0) { $0 + $1.waitingSamples } }

    /// The utterance waits or is being said.
    package func isPending(_ id: UtteranceID) -> Bool { utterances.contains { $0.id == id } }

    mutating func nextSound(_ time: Instant) -> Sound {
        if let last = cutOff {
            cutOff = nil
            return voice(last)
        }
        finishUtterances()
        giveUpUtterance(time)
        guard let first = utterances.first, first.hasStarted || mayStart(time) else { return rest() }
        if !first.hasStarted {
            outputs.append(.report(.speechStarted(first.id)))
            // What was thought about is being said.
            if restActivity == .thinking { restActivity = .idle }
        }
        isVoiceHeard = true
        reportActivity()
        let position = SpeechPosition(utterance: first.id, sample: Int64(first.playedSamples))
        let visemes = first.visemesAtCursor
        var samples = utterances[0].takePacket()
        if !samples.isEmpty { utterances[0].soundAwaitedSince = nil }
        heard = HeardPacket(visemes: visemes, time: time, position: position, sampleCount: samples.count)
        if samples.count < OpusFormat.samplesPerPacket {
            if !first.isComplete { outputs.append(.countMissingVoice) }
            samples += [Int16](repeating: 0, count: OpusFormat.samplesPerPacket - samples.count)
        }
        finishUtterances()
        return voice(samples)
    }

    private mutating func voice(_ samples: [Int16]) -> Sound {
        let startsChain = !isVoiceChainOpen
        isVoiceChainOpen = true
        fadingLeft = Self.fadingPackets
        return .samples(samples, startsChain: startsChain)
    }

    /// Nobody speaks.
    private mutating func rest() -> Sound {
        heard = nil
        isVoiceHeard = false
        reportActivity()
        guard !configuration.hasSourceSound else {
            isVoiceChainOpen = false
            return .source
        }
        guard isVoiceChainOpen, fadingLeft > 0 else {
            isVoiceChainOpen = false
            return .silence
        }
        fadingLeft -= 1
        return .samples([Int16](repeating: 0, count: OpusFormat.samplesPerPacket), startsChain: false)
    }

    /// The first utterance has sound, and pictures where it needs them.
    private mutating func mayStart(_ time: Instant) -> Bool {
        guard utterances[0].hasPacket else { return false }
        guard let wait = configuration.pictureWait, !utterances[0].hasPictures else { return true }
        guard let since = utterances[0].picturesAwaitedSince else {
            utterances[0].picturesAwaitedSince = time
            return false
        }
        guard time - since >= wait else { return false }
        outputs.append(.countLatePictures)
        return true
    }

    /// Reports and removes what has been said to its end.
    private mutating func finishUtterances() {
        while let first = utterances.first, first.isFinished {
            outputs.append(.report(.speechFinished(first.id, position: first.position, interrupted: false)))
            utterances.removeFirst()
        }
    }

    /// Removes an utterance whose voice has been silent for too long without an end.
    private mutating func giveUpUtterance(_ time: Instant) {
        guard let first = utterances.first, first.lacksSound else { return }
        guard let since = first.soundAwaitedSince else {
            utterances[0].soundAwaitedSince = time
            return
        }
        guard time - since >= Self.maximumVoiceGap else { return }
        outputs.append(.report(.speechFinished(first.id, position: first.position, interrupted: true)))
        utterances.removeFirst()
    }

    mutating func interrupt() {
        let interruptions = utterances.map { Interruption(utterance: $0.id, position: $0.position) }
        for one in interruptions {
            outputs.append(.report(.speechFinished(one.utterance, position: one.position, interrupted: true)))
        }
        outputs.append(.interrupted(interruptions))
        if isVoiceHeard, isSpeaking {
            let samples = utterances[0].takePacket()
            if samples.isEmpty {
                outputs.append(.speechCutOff)
            } else {
                cutOff = Self.faded(samples)
            }
        }
        utterances.removeAll()
        heard = nil
        isVoiceHeard = false
        reportActivity()
    }

    /// One packet that begins like `samples` and is silent after ``cutOffSamples``.
    private static func faded(_ samples: [Int16]) -> [Int16] {
        var packet = [Int16](repeating: 0, count: OpusFormat.samplesPerPacket)
        for index in 0..<min(cutOffSamples, samples.count) {
            packet[index] = Int16(Int(samples[index]) * (cutOffSamples - index) / (cutOffSamples + 1))
        }
        return packet
    }

    /// Nobody hears what is said next: it waits.
    mutating func pauseSpeech() {
        isVoiceChainOpen = false
        fadingLeft = 0
        heard = nil
        isVoiceHeard = false
        if cutOff != nil {
            cutOff = nil
            outputs.append(.speechCutOff)
        }
        for index in utterances.indices {
            utterances[index].picturesAwaitedSince = nil
            utterances[index].soundAwaitedSince = nil
        }
        reportActivity()
    }

    mutating func reportActivity() {
        let activity = isVoiceHeard ? .speaking : restActivity
        guard activity != reportedActivity else { return }
        reportedActivity = activity
        outputs.append(.report(.activityChanged(activity)))
    }
}
