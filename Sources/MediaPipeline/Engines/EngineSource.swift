internal import Core
internal import Networking

/// An engine's avatar as the pictures of one stage. Used by the stage's thread only.
final class EngineSource: PictureSource {
    private enum Drawn: Equatable {
        /// Index among the engine's idle pictures.
        case idle(Int)
        case speech(EngineUtterance, firstSample: Int64)
    }

    private let avatar: EngineAvatar
    private let key: IdleLoop.Key
    private var link: EngineLink?
    /// What stands in the stage's picture.
    private var drawn: Drawn?
    /// The engine's picture, where the stage's has another size.
    private var canvas: I420Picture?

    init(avatar: EngineAvatar, key: IdleLoop.Key) {
        self.avatar = avatar
        self.key = key
    }

    deinit {
        if let link { avatar.host.remove(link) }
    }

    var speaksItself: Bool { avatar.service?.providesAudio ?? false }

    /// Where no engine is there, nobody waits: the pictures are said to be ready at once.
    var pictureWait: Duration? { .seconds(2) }

    func connect(_ events: @escaping @Sendable (SourceEvent) -> Void) {
        guard link == nil else { return }
        let link = EngineLink(id: avatar.host.makeSessionID(), avatar: avatar, key: key, events: events)
        self.link = link
        avatar.host.add(link)
    }

    // MARK: Sound

    func utteranceBegan(_ utterance: UtteranceID, motionTime: Double) {
        guard let link else { return }
        let isToWait = link.withSession { $0.began(utterance, motionTime: motionTime) }
        if !isToWait { link.events(.picturesReady(utterance)) }
    }

    func heard(_ samples: [Int16], of utterance: UtteranceID) {
        link?.withSession { $0.heard(samples, of: utterance) }
        avatar.host.wake()
    }

    func utteranceEnded(_ utterance: UtteranceID) {
        link?.withSession { $0.ended(utterance) }
        avatar.host.wake()
    }

    func clear() {
        link?.withSession { $0.clear() }
        avatar.host.wake()
    }

    // MARK: Pictures

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        guard let pictures = avatar.pictures else {
            throw SourceError(reason: "engine \(avatar.host.name) has not shown avatar \(avatar.id) yet")
        }
        guard let position = moment.speech else {
            link?.withSession { $0.silence() }
            return try drawIdle(moment, pictures, picture)
        }
        let metrics = avatar.host.metrics
        let choice = link?.withSession { session in
            session.choose(position.utterance, sample: position.sample / 3)
        }
        switch choice {
        case .new(let frame, let skew):
            metrics.shown.increment()
            metrics.skew.observe(abs(skew.seconds))
            avatar.host.wake()
            try draw(frame, pictures, picture)
        case .same(let skew) where drawn != nil:
            metrics.repeated.increment()
            metrics.skew.observe(abs(skew.seconds))
        case .same, .missing, nil:
            metrics.missing.increment()
            try drawIdle(moment, pictures, picture)
        }
    }

    private func drawIdle(
        _ moment: PictureMoment, _ pictures: IdlePictures, _ picture: borrowing I420Picture
    ) throws(SourceError) {
        let index = IdleCycle(pictures.avatar, key).idleIndex(at: moment.motionTime)
        try drawIdle(index, pictures, picture)
    }

    private func drawIdle(
        _ index: Int, _ pictures: IdlePictures, _ picture: borrowing I420Picture
    ) throws(SourceError) {
        guard drawn != .idle(index) else { return }
        guard let idle = pictures.picture(index) else {
            throw SourceError(reason: "engine \(avatar.host.name) has not sent its idle pictures yet")
        }
        IdlePictures.show(idle, in: picture)
        drawn = .idle(index)
    }

    private func draw(
        _ frame: EnginePicture, _ pictures: IdlePictures, _ picture: borrowing I420Picture
    ) throws(SourceError) {
        if case .idle(let index) = frame.header.kind { return try drawIdle(index, pictures, picture) }
        let size = pictures.avatar
        if size.width == picture.width, size.height == picture.height {
            try compose(frame, pictures, picture)
        } else {
            if canvas == nil || canvas?.width != size.width || canvas?.height != size.height {
                canvas = I420Picture(width: size.width, height: size.height)
            }
            guard canvas != nil else { return }
            try compose(frame, pictures, canvas!)
            _ = picture.fit(canvas!)
        }
        drawn = .speech(frame.header.place, firstSample: frame.header.firstSample)
    }

    /// Draws the frame in the engine's own size.
    private func compose(
        _ frame: EnginePicture, _ pictures: IdlePictures, _ picture: borrowing I420Picture
    ) throws(SourceError) {
        guard let payload = frame.payload else { return }
        let layout = (frame.header.pixelFormat ?? pictures.avatar.pixelFormat).layout
        var place = EnginePatch(x: 0, y: 0, width: picture.width, height: picture.height)
        if case .patch(let index, let patch) = frame.header.kind {
            guard let idle = pictures.picture(index) else {
                throw SourceError(reason: "engine \(avatar.host.name) has not sent its idle pictures yet")
            }
            picture.copy(from: idle.picture)
            place = patch
        }
        let isDrawn = unsafe payload.withBytes { bytes in
            unsafe picture.draw(
                bytes, layout, width: place.width, height: place.height, x: place.x, y: place.y)
        }
        // Headers are checked as they come; only an avatar that has changed its size since leads here.
        guard isDrawn else { throw SourceError(reason: "a picture of engine \(avatar.host.name) does not fit") }
    }

    func rest() {
        drawn = nil
        canvas = nil
        // The loop is replayed from here on: what was heard is over.
        link?.withSession { $0.silence() }
        avatar.host.wake()
    }
}
