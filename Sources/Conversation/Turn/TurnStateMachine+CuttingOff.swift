internal import Core

/// Interruption: everything of the current turn is called off, and the history keeps what was heard.
extension TurnStateMachine {
    /// Cut off answers whose position the stage still owes; more than these are left at their estimate.
    private static let maximumCutSpeeches = 8

    mutating func cutOff(by interrupter: Interrupter, _ now: Instant) {
        guard turn != nil || !speeches.isEmpty else { return }
        outputs.append(.countInterruption(interrupter))
        if let current = turn {
            switch current.phase {
            case .recognising: outputs.append(.cancelRecognition(current.id))
            case .thinking, .writing: outputs.append(.cancelAnswer(current.id))
            case .written: break
            }
        }
        if let work = voiceWork {
            outputs.append(.cancelSynthesis(work.sentence))
            voiceWork = nil
        }
        // The stage first: nothing below may hold up silence.
        if speeches.contains(where: \.isBegun) { outputs.append(.interruptStage) }
        if turn?.phase == .writing { completeText() }
        rememberHeard(now)
        reportTimeline()
        turn = nil
        speeches.removeAll()
    }

    /// Cuts the answer in the history to what was heard: at once by the clock, exactly once the stage has told.
    private mutating func rememberHeard(_ now: Instant) {
        guard let current = turn, let serial = current.historySerial, current.isAloud else { return }
        guard let speech = speeches.first(where: { $0.turn == current.id }) else {
            // All of it was heard, or it has no sentence that could be.
            if current.timeline.firstSound == nil, current.written.contains(where: \.isLetter) {
                history.replace(answer: serial, with: "")
            }
            return
        }
        let position = speech.startedAt.map { now - $0 } ?? .zero
        history.replace(answer: serial, with: Self.heard(of: speech, position))
        guard speech.isBegun, position > .zero else { return }
        if cutSpeeches.count == Self.maximumCutSpeeches { cutSpeeches.removeFirst() }
        cutSpeeches.append(CutSpeech(speech: speech, historySerial: serial))
    }

    /// The words of an answer that were heard up to `position`: whole sentences, and of the last the words that were
    /// begun, by its length.
    static func heard(of speech: Speech, _ position: Duration) -> String {
        let (product, overflow) = max(.zero, position).nanoseconds.multipliedReportingOverflow(by: 48)
        var left = overflow ? Int.max : Int(product / 1_000_000)
        var text = ""
        for made in speech.made where left > 0 {
            let written = made.sentence.text.written
            if made.samples > 0, left < made.samples {
                let characters = written.count * left / made.samples
                // A word that was begun counts as heard.
                let begun = written.dropFirst(characters).prefix { !$0.isWhitespace }
                if made.sentence.isAnswer { text += written.prefix(characters) + begun }
                left = 0
            } else {
                if made.sentence.isAnswer { text += written }
                left -= made.samples
            }
        }
        guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(text[...last])
    }
}
