internal import Core

/// One stage's talk with an engine: epochs, the sound that is not heard yet, and the pictures for it. Does no I/O.
///
/// It outlives the engine: after a restart it attaches again and repeats the sound from where it is heard.
struct EngineSession<Picture> {
    /// What became of a picture.
    enum Arrival: Equatable {
        /// The first of its utterance: its sound may begin.
        case first(UtteranceID)
        case held
        case stale
        case late
        case withoutCredit
    }

    private struct Sound {
        var firstSample: Int64
        var samples: [Int16]
    }

    private struct Utterance {
        let id: UtteranceID
        /// Of the idle motion, at the utterance's first sample, in seconds.
        let motionTime: Double
        var sound: [Sound] = []
        var sampleCount: Int64 = 0
        var isComplete = false
        var hasPictures = false
        /// At 16 kHz; nil until it is heard.
        var position: Int64?
    }

    /// Samples of one message, at most.
    static var chunk: Int { 16_000 }
    /// Samples between two `playing` messages: 200 ms.
    static var reportInterval: Int64 { 3200 }

    let id: String
    let framesPerSecond: Int
    let width: Int
    let height: Int
    private(set) var epoch = 0
    private var utterances: [Utterance] = []
    private var avatar: EngineAvatarDescription?
    private var buffer: FrameBuffer<Picture>?
    private var orders: [EngineOrder] = []
    private var reported: Int64 = 0

    init(id: String, framesPerSecond: Int, width: Int, height: Int) {
        self.id = id
        self.framesPerSecond = framesPerSecond
        self.width = width
        self.height = height
    }

    var isAttached: Bool { buffer != nil }
    var hasOrders: Bool { !orders.isEmpty }

    /// What is to be sent, in order.
    mutating func takeOrders() -> [EngineOrder] {
        giveCredit()
        defer { orders.removeAll() }
        return orders
    }

    /// Pictures that were dropped since a newer one overtook them, since the last call.
    mutating func takeOvertaken() -> Int { buffer?.takeOvertaken() ?? 0 }

    // MARK: The engine

    /// An engine serves the avatar: attach, and go on from what is heard.
    mutating func attach(_ avatar: EngineAvatarDescription, offset: Duration) {
        self.avatar = avatar
        buffer = FrameBuffer(framesPerSecond: avatar.framesPerSecond, offset: offset)
        orders = [
            .attach(
                session: id, avatar: avatar.id, epoch: epoch, framesPerSecond: framesPerSecond, width: width,
                height: height)
        ]
        giveCredit()
        for utterance in utterances {
            let position = utterance.position ?? 0
            for sound in utterance.sound {
                let heard = Int(max(0, min(position - sound.firstSample, Int64(sound.samples.count))))
                speak(
                    Array(sound.samples.dropFirst(heard)), from: sound.firstSample + Int64(heard), of: utterance)
            }
            if utterance.isComplete { end(utterance) }
        }
    }

    /// The engine is gone, with everything that it was to send.
    mutating func detach() {
        buffer = nil
        avatar = nil
        orders.removeAll()
    }

    mutating func receive(_ picture: Picture, _ header: EngineFrameHeader) -> Arrival {
        guard buffer != nil else { return .stale }
        let index = utterances.firstIndex { $0.id.value == header.place.utterance }
        // Without an utterance it is too late for it: its credit comes back all the same.
        let isCurrent = header.place.epoch == epoch && index != nil
        let position = index.flatMap { utterances[$0].position }
        let arrival = buffer?.receive(
            picture, of: header.place.utterance, firstSample: header.firstSample, position: position)
        guard isCurrent, let index else {
            if arrival == .held { buffer?.drop([header.place.utterance]) }
            return arrival == .withoutCredit ? .withoutCredit : .stale
        }
        switch arrival {
        case .held:
            guard !utterances[index].hasPictures else { return .held }
            utterances[index].hasPictures = true
            return .first(utterances[index].id)
        case .withoutCredit: return .withoutCredit
        case .late, nil: return .late
        }
    }

    /// The engine has sent all of an utterance: it, where no picture of it came.
    mutating func finish(_ place: EngineUtterance) -> UtteranceID? {
        guard place.epoch == epoch,
            let index = utterances.firstIndex(where: { $0.id.value == place.utterance }), !utterances[index].hasPictures
        else { return nil }
        utterances[index].hasPictures = true
        return utterances[index].id
    }

    /// The utterance that sound from the engine belongs to, if it is still to be heard.
    func isCurrent(_ place: EngineUtterance) -> UtteranceID? {
        guard place.epoch == epoch else { return nil }
        return utterances.first { $0.id.value == place.utterance }?.id
    }

    // MARK: The stage

    mutating func began(_ utterance: UtteranceID, motionTime: Double) {
        utterances.append(Utterance(id: utterance, motionTime: motionTime))
    }

    mutating func heard(_ samples: [Int16], of utterance: UtteranceID) {
        guard let index = utterances.firstIndex(where: { $0.id == utterance }), !samples.isEmpty else { return }
        var start = 0
        while start < samples.count {
            let part = Array(samples[start..<min(start + Self.chunk, samples.count)])
            let first = utterances[index].sampleCount
            utterances[index].sound.append(Sound(firstSample: first, samples: part))
            utterances[index].sampleCount += Int64(part.count)
            speak(part, from: first, of: utterances[index])
            start += part.count
        }
    }

    mutating func ended(_ utterance: UtteranceID) {
        guard let index = utterances.firstIndex(where: { $0.id == utterance }) else { return }
        utterances[index].isComplete = true
        end(utterances[index])
    }

    /// Everything that was begun is void.
    mutating func clear() {
        // Two thousand million interruptions: a session does not live so long.
        epoch = (epoch + 1) & EngineMessage.maximumEpoch
        utterances.removeAll()
        buffer?.clear()
        orders.removeAll { $0.isOfUtterance }
        if isAttached { orders.append(.clear(session: id, epoch: epoch)) }
    }

    /// The picture while `sample` (16 kHz) of the utterance begins to be heard; nil while no engine is there.
    mutating func choose(_ utterance: UtteranceID, sample: Int64) -> FrameBuffer<Picture>.Choice? {
        if let index = utterances.firstIndex(where: { $0.id == utterance }) {
            if index > 0 { forget(utterances[..<index].map(\.id.value)) }
            advance(to: sample)
        }
        return buffer?.choose(
            utterance.value, position: sample, halfStagePicture: Int64(8000 / max(1, framesPerSecond)))
    }

    /// Nothing is spoken at this moment: what was heard is over.
    mutating func silence() {
        buffer?.forgetShown()
        guard utterances.contains(where: { $0.position != nil }) else { return }
        forget(utterances.filter { $0.position != nil }.map(\.id.value))
    }

    private mutating func advance(to sample: Int64) {
        let isFirst = utterances[0].position == nil
        utterances[0].position = sample
        utterances[0].sound.removeAll { $0.firstSample + Int64($0.samples.count) <= sample }
        guard isFirst || sample - reported >= Self.reportInterval else { return }
        reported = sample
        if isAttached { orders.append(.playing(place(utterances[0]), sample: max(0, sample))) }
    }

    private mutating func forget(_ finished: [String]) {
        utterances.removeAll { finished.contains($0.id.value) }
        buffer?.drop(finished)
    }

    // MARK: Orders

    private func place(_ utterance: Utterance) -> EngineUtterance {
        EngineUtterance(session: id, epoch: epoch, utterance: utterance.id.value)
    }

    private mutating func speak(_ samples: [Int16], from first: Int64, of utterance: Utterance) {
        guard let avatar, !samples.isEmpty else { return }
        let time = utterance.motionTime + Double(first) / 16_000
        let position = Int((time * avatar.framesPerSecond).truncatingRemainder(dividingBy: Double(avatar.idleCycle)))
        orders.append(
            .speech(place(utterance), firstSample: first, idlePosition: max(0, position), samples: samples))
    }

    private mutating func end(_ utterance: Utterance) {
        guard isAttached else { return }
        orders.append(.end(place(utterance), samples: utterance.sampleCount))
    }

    private mutating func giveCredit() {
        guard let frames = buffer?.takeCredit(), frames > 0 else { return }
        orders.append(.credit(session: id, frames: frames))
    }
}

extension EngineOrder {
    /// Void with the epoch that it belongs to.
    fileprivate var isOfUtterance: Bool {
        switch self {
        case .speech, .end, .playing: true
        default: false
        }
    }
}
