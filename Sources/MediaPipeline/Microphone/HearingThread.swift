internal import Core
internal import Synchronization

/// The one thread of the process on which all microphones are decoded and listened to.
///
/// It sleeps while nobody sends sound. 20 ms of one viewer take well below a millisecond, voice detection included.
final class HearingThread: Sendable {
    static let shared = HearingThread()

    private let mailbox = Mailbox<MicrophoneReceiver>()
    private let isStarted = Atomic<Bool>(false)

    /// There is work for this receiver. Called once until the thread has looked after it.
    func announce(_ receiver: MicrophoneReceiver) {
        if !isStarted.exchange(true, ordering: .acquiringAndReleasing) {
            PipelineThread.start(name: "hearing") { [mailbox] in Self.run(mailbox) }
        }
        mailbox.post(receiver)
    }

    /// A receiver and its decoder; touched on the thread alone.
    private final class Listener {
        let receiver: MicrophoneReceiver
        var decoder: MicrophoneDecoder

        init?(_ receiver: MicrophoneReceiver) {
            self.receiver = receiver
            guard let decoder = try? MicrophoneDecoder() else { return nil }
            self.decoder = decoder
        }
    }

    private static func run(_ mailbox: Mailbox<MicrophoneReceiver>) {
        var listeners: [ObjectIdentifier: Listener] = [:]
        while true {
            let deadline = listeners.values.lazy.compactMap { $0.decoder.deadline }.min()
            for receiver in mailbox.takeAll(until: deadline) {
                let id = ObjectIdentifier(receiver)
                guard let listener = listeners[id] ?? Listener(receiver) else {
                    _ = receiver.drop()
                    continue
                }
                listeners[id] = receiver.work(&listener.decoder) ? listener : nil
            }
            let now = SystemClock.now()
            for listener in listeners.values {
                guard let due = listener.decoder.deadline, due <= now else { continue }
                listener.receiver.passTime(&listener.decoder, now: now)
            }
        }
    }
}
