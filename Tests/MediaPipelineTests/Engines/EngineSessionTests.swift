import Core
import Testing

@testable import MediaPipeline

@Suite("An engine's session")
struct EngineSessionTests {
    private typealias Session = EngineSession<Int>

    private let avatar = EngineAvatarDescription(
        id: "a", width: 64, height: 64, framesPerSecond: 25, pixelFormat: .bgr24, sendsPatches: false, idleCount: 51)
    private let first = UtteranceID("u1")
    private let second = UtteranceID("u2")

    private func header(_ utterance: UtteranceID, _ sample: Int64, epoch: Int = 0) -> EngineFrameHeader {
        EngineFrameHeader(
            place: EngineUtterance(session: "s", epoch: epoch, utterance: utterance.value), firstSample: sample,
            kind: .full, pixelFormat: nil)
    }

    private func attached() -> Session {
        var session = Session(id: "s", framesPerSecond: 25, width: 64, height: 64)
        session.attach(avatar, offset: .zero)
        _ = session.began(first, motionTime: 0)
        _ = session.takeOrders()
        return session
    }

    private func shown(_ choice: FrameBuffer<Int>.Choice?) -> Int? {
        if case .new(let picture, _) = choice { return picture }
        return nil
    }

    private func isSame(_ choice: FrameBuffer<Int>.Choice?) -> Bool {
        if case .same = choice { return true }
        return false
    }

    private func isMissing(_ choice: FrameBuffer<Int>.Choice?) -> Bool {
        if case .missing = choice { return true }
        return false
    }

    private func credit(_ orders: [EngineOrder]) -> Int {
        orders.reduce(0) { sum, order in
            if case .credit(_, let frames) = order { return sum + frames }
            return sum
        }
    }

    @Test("attaching gives credit for 400 ms of the engine's pictures", arguments: [(25.0, 10), (18.0, 7), (5.0, 2)])
    func credit(_ rate: Double, _ frames: Int) {
        var description = avatar
        description.framesPerSecond = rate
        var session = Session(id: "s", framesPerSecond: 30, width: 128, height: 64)
        session.attach(description, offset: .zero)
        #expect(
            session.takeOrders() == [
                .attach(session: "s", avatar: "a", epoch: 0, framesPerSecond: 30, width: 128, height: 64),
                .credit(session: "s", frames: frames),
            ])
        #expect(session.takeOrders() == [])
    }

    @Test("credit comes back as pictures are shown, and never more than 400 ms are held")
    func flow() {
        var session = attached()
        for index in 0..<10 {
            let arrival = session.receive(index, header(first, Int64(index) * 640))
            #expect(arrival == (index == 0 ? .first(first) : .held))
        }
        #expect(session.receive(10, header(first, 6400)) == .withoutCredit)
        #expect(credit(session.takeOrders()) == 0)
        #expect(shown(session.choose(first, sample: 0)) == 0)
        #expect(shown(session.choose(first, sample: 640)) == 1)
        #expect(credit(session.takeOrders()) == 2)
    }

    @Test("the picture nearest to what is heard is shown")
    func nearest() {
        var session = attached()
        for index in 0..<4 { _ = session.receive(index, header(first, Int64(index) * 640)) }
        // Half a stage picture is 320 samples: the one at 640 is nearer to 330 than the one at 0.
        #expect(shown(session.choose(first, sample: 330)) == 1)
        #expect(session.takeOvertaken() == 1)
        #expect(isSame(session.choose(first, sample: 900)))
        #expect(shown(session.choose(first, sample: 970)) == 2)
    }

    @Test("an offset moves pictures against the sound")
    func offset() {
        var session = Session(id: "s", framesPerSecond: 25, width: 64, height: 64)
        session.attach(avatar, offset: .milliseconds(80))
        _ = session.began(first, motionTime: 0)
        _ = session.takeOrders()
        _ = session.receive(0, header(first, 0))
        #expect(isMissing(session.choose(first, sample: 640)))
        #expect(shown(session.choose(first, sample: 1280)) == 0)
    }

    @Test("the last picture stands for 200 ms, then nothing is shown until a new one comes")
    func patience() {
        var session = attached()
        _ = session.receive(0, header(first, 0))
        #expect(shown(session.choose(first, sample: 0)) == 0)
        #expect(isSame(session.choose(first, sample: 3840)))
        #expect(isMissing(session.choose(first, sample: 3841)))
        _ = session.takeOrders()
        #expect(session.receive(1, header(first, 3840)) == .held)
        #expect(shown(session.choose(first, sample: 4480)) == 1)
    }

    @Test("pictures that come too late, or after a later one, are dropped and their credit comes back")
    func late() {
        var session = attached()
        _ = session.receive(0, header(first, 0))
        _ = session.choose(first, sample: 8000)
        #expect(session.receive(1, header(first, 5000)) == .late)
        #expect(session.receive(2, header(first, 7000)) == .held)
        #expect(shown(session.choose(first, sample: 8000)) == 2)
        #expect(session.receive(3, header(first, 6900)) == .late)
        #expect(credit(session.takeOrders()) == 4)
    }

    @Test("an interruption voids what is held, what is on its way, and what was to be sent")
    func clear() {
        var session = attached()
        session.heard([1, 2, 3], of: first)
        _ = session.receive(0, header(first, 0))
        session.clear()
        // The speech was never sent: the engine need not hear of it.
        #expect(session.takeOrders() == [.clear(session: "s", epoch: 1), .credit(session: "s", frames: 1)])
        #expect(session.receive(1, header(first, 640)) == .stale)
        #expect(credit(session.takeOrders()) == 1)
        _ = session.began(second, motionTime: 0)
        #expect(session.receive(2, header(second, 0, epoch: 0)) == .stale)
        #expect(session.receive(3, header(second, 0, epoch: 1)) == .first(second))
        #expect(shown(session.choose(second, sample: 0)) == 3)
    }

    @Test("sound goes out in pieces of a second at most, with the place of the idle motion")
    func speech() {
        var session = Session(id: "s", framesPerSecond: 25, width: 64, height: 64)
        session.attach(avatar, offset: .zero)
        _ = session.began(first, motionTime: 1.2)
        session.heard([Int16](repeating: 5, count: 20_000), of: first)
        session.ended(first)
        let orders = session.takeOrders().dropFirst(2)
        let place = EngineUtterance(session: "s", epoch: 0, utterance: "u1")
        #expect(
            Array(orders) == [
                .speech(place, firstSample: 0, idlePosition: 30, samples: [Int16](repeating: 5, count: 16_000)),
                .speech(place, firstSample: 16_000, idlePosition: 55, samples: [Int16](repeating: 5, count: 4000)),
                .end(place, samples: 20_000),
            ])
    }

    @Test("an engine that comes back hears the rest from where it is heard")
    func again() {
        var session = attached()
        session.heard([Int16](0..<8000), of: first)
        session.ended(first)
        _ = session.began(second, motionTime: 0)
        session.heard([9], of: second)
        _ = session.receive(0, header(first, 0))
        _ = session.choose(first, sample: 1600)
        #expect(session.detach() == [second])
        #expect(session.takeOrders() == [])
        #expect(session.choose(first, sample: 3200) == nil)
        session.attach(avatar, offset: .zero)
        let place = EngineUtterance(session: "s", epoch: 0, utterance: "u1")
        let next = EngineUtterance(session: "s", epoch: 0, utterance: "u2")
        #expect(
            session.takeOrders() == [
                .attach(session: "s", avatar: "a", epoch: 0, framesPerSecond: 25, width: 64, height: 64),
                .credit(session: "s", frames: 10),
                .speech(place, firstSample: 3200, idlePosition: 5, samples: [Int16](3200..<8000)),
                .end(place, samples: 8000),
                .speech(next, firstSample: 0, idlePosition: 0, samples: [9]),
            ])
    }

    @Test("the engine is told every 200 ms what is heard")
    func playing() {
        var session = attached()
        let place = EngineUtterance(session: "s", epoch: 0, utterance: "u1")
        var reports: [EngineOrder] = []
        for tick in 0..<12 {
            _ = session.choose(first, sample: Int64(tick) * 640)
            reports += session.takeOrders()
        }
        #expect(
            reports == [
                .playing(place, sample: 0), .playing(place, sample: 3200), .playing(place, sample: 6400),
            ])
    }

    @Test("one utterance follows another, and a picture of the first stands until the second has one")
    func following() {
        var session = attached()
        _ = session.began(second, motionTime: 0)
        _ = session.receive(0, header(first, 0))
        _ = session.receive(1, header(first, 640))
        #expect(session.receive(2, header(second, 0)) == .first(second))
        #expect(shown(session.choose(first, sample: 0)) == 0)
        #expect(shown(session.choose(second, sample: 0)) == 2)
        // The first is over.
        #expect(session.receive(3, header(first, 1280)) == .stale)
        session.silence()
        #expect(session.receive(4, header(second, 640)) == .stale)
        #expect(credit(session.takeOrders()) == 5)
    }

    @Test("nobody waits where no engine is")
    func alone() {
        var session = Session(id: "s", framesPerSecond: 25, width: 64, height: 64)
        let waitsAlone = session.began(first, motionTime: 0)
        #expect(!waitsAlone)
        session.attach(avatar, offset: .zero)
        let waits = session.began(second, motionTime: 0)
        #expect(waits)
        #expect(session.finish(EngineUtterance(session: "s", epoch: 0, utterance: "u2")) == second)
        #expect(session.detach() == [])
    }
}

extension FrameBuffer.Choice: Equatable where Picture: Equatable {
    public static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.new(let a, let b), .new(let c, let d)): a == c && b == d
        case (.same(let a), .same(let b)): a == b
        case (.missing, .missing): true
        default: false
        }
    }
}
