internal import Core
internal import Synchronization

/// Turns text into speech on a thread of its own, one sentence after the other, for all stages of the process.
package final class SpeechSynthesizer: Sendable {
    /// Calls a synthesis off: the sentence in work is still finished, no further one is begun.
    package final class Cancellation: Sendable {
        private let flag = Atomic<Bool>(false)
        package init() {}
        package func cancel() { flag.store(true, ordering: .relaxed) }
        var isCancelled: Bool { flag.load(ordering: .relaxed) }
    }

    package enum Event: Sendable {
        case part(SpokenPart)
        case ended
        case failed(reason: String)
    }

    private struct Order: Sendable {
        var sentences: [String]
        let cancellation: Cancellation
        let deliver: @Sendable (Event) -> Void
    }

    package static let shared = SpeechSynthesizer()
    private let mailbox = Mailbox<Order>()
    private let isStarted = Atomic<Bool>(false)

    package init() {}

    /// Seconds of silence kept before the first and after the last phone of a sentence: Flite's own are longer.
    private static let leadIn = 0.04
    private static let leadOut = 0.14
    /// The same where a sentence was cut and goes on in the next piece.
    private static let leadOutWithin = 0.02

    /// `deliver` is called on the synthesiser's thread: parts in their order, then `ended` or `failed`.
    package func speak(
        _ text: String, cancellation: Cancellation, deliver: @escaping @Sendable (Event) -> Void
    ) {
        warmUp()
        mailbox.post(
            Order(sentences: Sentences.split(Sentences.plain(text)), cancellation: cancellation, deliver: deliver))
    }

    /// Loads the voice, so that the first sentence need not wait for it.
    package func warmUp() {
        guard !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        PipelineThread.start(name: "voice") { [mailbox] in Self.run(mailbox) }
    }

    private static func run(_ mailbox: Mailbox<Order>) {
        guard let voice = FliteVoice() else {
            refuseAll(mailbox, reason: "Flite has no voice cmu_us_slt")
            return
        }
        var orders: [Order] = []
        while true {
            orders += mailbox.takeAll(until: orders.isEmpty ? nil : SystemClock.now())
            orders.removeAll { $0.cancellation.isCancelled }
            guard !orders.isEmpty else { continue }
            // One sentence of each order in turn: a long text of one stage must not hold up another's first word.
            for index in orders.indices {
                guard let sentence = orders[index].sentences.first else { continue }
                orders[index].sentences.removeFirst()
                if let part = part(of: sentence, voice) { orders[index].deliver(.part(part)) }
            }
            for order in orders where order.sentences.isEmpty { order.deliver(.ended) }
            orders.removeAll { $0.sentences.isEmpty }
        }
    }

    private static func refuseAll(_ mailbox: Mailbox<Order>, reason: String) {
        while true {
            for order in mailbox.takeAll(until: nil) { order.deliver(.failed(reason: reason)) }
        }
    }

    private static func part(
        of sentence: String, _ voice: borrowing FliteVoice
    ) -> SpokenPart? {
        guard let speech = voice.synthesise(sentence),
            var resampler = VoiceResampler(from: FliteVoice.sampleRateHz)
        else { return nil }
        let spoken = speech.phones.filter { $0.phone != "pau" }
        let length = Double(speech.samples.count) / Double(FliteVoice.sampleRateHz)
        let start = max(0, (spoken.first?.start ?? 0) - leadIn)
        let goesOn = sentence.last.map { $0.isLetter || $0.isNumber } ?? false
        let pause = goesOn ? leadOutWithin : leadOut
        let end = min(length, max(start, (spoken.last?.end ?? length) + pause))
        let first = min(Int(start * Double(FliteVoice.sampleRateHz)), speech.samples.count)
        let last = min(max(first, Int(end * Double(FliteVoice.sampleRateHz))), speech.samples.count)
        let shifted = speech.phones.map {
            PhoneInterval(phone: $0.phone, start: max(0, $0.start - start), end: max(0, $0.end - start))
        }
        let samples = resampler.convert(Array(speech.samples[first..<last])) + resampler.finish()
        return SpokenPart(samples: samples, visemes: VisemeTrack(phones: shifted))
    }
}
