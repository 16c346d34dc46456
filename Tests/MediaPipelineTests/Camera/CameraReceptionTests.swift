import Core
import MediaPipeline
import PeerConnection
import TestSupport
import Testing

@Suite("The reception of a camera's packets")
struct CameraReceptionTests {
    private var clock = ManualClock()
    private var sender = CameraSender()
    private var reception = CameraReception(maximumWait: .milliseconds(60))
    private let units = CameraFixture.wave.units

    /// Sends pictures 40 ms apart and returns those that come out, by their place in the fixture.
    private mutating func send(
        _ indices: some Sequence<Int>, _ change: ([ReceivedPacket]) -> [ReceivedPacket] = { $0 }
    ) -> [CameraPicture] {
        var pictures: [CameraPicture] = []
        for index in indices {
            for packet in change(sender.packets(of: units[index])) { reception.handle(packet, arrival: clock.now) }
            clock.advance(by: .milliseconds(40))
            if let due = reception.deadline, due <= clock.now { reception.handleTimeout(now: clock.now) }
            while let picture = reception.pollPicture() { pictures.append(picture) }
        }
        return pictures
    }

    /// Which pictures of the fixture these are, by their slices.
    private func places(of pictures: [CameraPicture]) -> [Int?] {
        pictures.map { picture in
            let slices = picture.unit.nalUnits.filter { !CameraFixture.isParameterSet($0) }
            return units.firstIndex { $0.filter { !CameraFixture.isParameterSet($0) } == slices }
        }
    }

    @Test("passes every picture on as it was sent, on a clock that keeps its distances")
    mutating func untouched() {
        let pictures = send(0..<40)
        #expect(pictures.map(\.unit.nalUnits) == units)
        #expect(pictures.map(\.unit.isKeyFrame) == (0..<40).map { $0 % 10 == 0 })
        #expect(Set(pictures.map(\.epoch)).count == 1)
        for (before, after) in zip(pictures, pictures.dropFirst()) {
            #expect(after.rtpTimestamp &- before.rtpTimestamp == 3600)
            #expect(after.presentationTime - before.presentationTime == .milliseconds(40))
        }
        #expect(reception.counts.lostPackets == 0)
        #expect(reception.counts.pictures == 40)
        #expect(reception.counts.keyFrames == 4)
    }

    @Test("puts packets into their order")
    mutating func disorder() {
        let pictures = send(0..<10) { Array($0.reversed()) }
        // The very first packet decides where the count begins, so the first key frame is lost with its start.
        #expect(places(of: pictures).isEmpty)
        #expect(places(of: send(10..<20) { Array($0.reversed()) }) == Array(10..<20))
    }

    @Test("waits for a packet that comes late, by a retransmission perhaps")
    mutating func lateness() {
        _ = send(0..<3)
        let late = sender.packets(of: units[3])
        let following = sender.packets(of: units[4])
        for packet in late where packet != late[1] { reception.handle(packet, arrival: clock.now) }
        for packet in following { reception.handle(packet, arrival: clock.now) }
        #expect(reception.pollPicture() == nil)
        #expect(reception.deadline == clock.now + .milliseconds(60))
        clock.advance(by: .milliseconds(30))
        reception.handle(late[1], arrival: clock.now)
        var pictures: [CameraPicture] = []
        while let picture = reception.pollPicture() { pictures.append(picture) }
        #expect(places(of: pictures) == [3, 4])
        #expect(reception.counts.lostPackets == 0)
        #expect(reception.deadline == nil)
    }

    @Test("leaves out a damaged picture and goes on with the next")
    mutating func loss() {
        _ = send(0..<3)
        var pictures = send([3]) { packets in packets.filter { $0 != packets[1] } }
        pictures += send(4..<8)
        #expect(places(of: pictures) == [4, 5, 6, 7] || places(of: pictures) == [5, 6, 7])
        #expect(reception.counts.damagedPictures >= 1)
        #expect(reception.counts.lostPackets == 1)
    }

    @Test("waits for the next key frame where one was damaged")
    mutating func damagedKeyFrame() {
        #expect(places(of: send(0..<10)) == Array(0..<10))
        let damaged = send([10]) { packets in packets.filter { $0 != packets[packets.count / 2] } }
        #expect(damaged.isEmpty)
        #expect(send(11..<20).isEmpty)
        #expect(reception.counts.undecodablePictures >= 8)
        #expect(places(of: send(20..<25)) == Array(20..<25))
    }

    @Test("begins with a key frame")
    mutating func lateBeginning() {
        #expect(send(4..<10).isEmpty)
        #expect(places(of: send(10..<13)) == [10, 11, 12])
    }

    @Test(
        "puts the parameter sets in front of key frames that come without them, and keeps key frames back that have none"
    )
    mutating func parameterSets() throws {
        let sets = units[0].filter(CameraFixture.isParameterSet)
        let withoutSets = { (packets: [ReceivedPacket]) in
            packets.filter { !CameraFixture.isParameterSet($0.payload) }
        }
        // Numbers are missing then, as they were lost.
        var bare = self
        #expect(bare.send(0..<10, withoutSets).isEmpty)
        #expect(bare.reception.counts.pictures > 0)
        #expect(bare.reception.counts.missingParameterSets == 1)

        for packet in sender.packets(of: sets) { reception.handle(packet, arrival: clock.now) }
        var stripped: [CameraPicture] = []
        for index in 0..<20 {
            let slices = units[index].filter { !CameraFixture.isParameterSet($0) }
            for packet in sender.packets(of: slices) { reception.handle(packet, arrival: clock.now) }
            clock.advance(by: .milliseconds(40))
            while let picture = reception.pollPicture() { stripped.append(picture) }
        }
        try #require(stripped.count == 20)
        for index in [0, 10] { #expect(stripped[index].unit.nalUnits.prefix(2) == sets[...]) }
        #expect(stripped[1].unit.nalUnits == units[1])
    }

    @Test("begins a new epoch when the robot sends another stream, and forgets what comes late of the old one")
    mutating func restart() throws {
        let before = send(0..<5)
        let late = sender.packets(of: units[5])
        var restarted = CameraSender()
        restarted.ssrc = SSRC(7)
        restarted.sequenceNumber = 3
        restarted.timestamp = 12
        sender = restarted
        clock.advance(by: .seconds(20))
        var after = send([0])
        for packet in late { reception.handle(packet, arrival: clock.now) }
        after += send(1..<3)
        #expect(places(of: after) == [0, 1, 2])
        let (last, first) = (try #require(before.last), try #require(after.first))
        #expect(first.epoch == last.epoch + 1)
        let passed = (first.presentationTime - last.presentationTime).milliseconds
        #expect(abs(Double(first.rtpTimestamp &- last.rtpTimestamp) / 90 - passed) < 1)
        #expect(passed > 20_000)
        #expect(reception.counts.refusedPackets == UInt64(late.count))
        #expect(reception.counts.epochs == 2)
    }

    @Test("begins anew with the same numbers once the robot was lost")
    mutating func lostRobot() throws {
        let first = sender
        let before = send(0..<5)
        reception.lose()
        sender = first
        clock.advance(by: .milliseconds(200))
        let after = send(0..<5)
        #expect(places(of: after) == [0, 1, 2, 3, 4])
        let (former, next) = (try #require(before.last), try #require(after.first))
        #expect(next.epoch == former.epoch + 1)
        #expect(Int32(bitPattern: next.rtpTimestamp &- former.rtpTimestamp) > 0)
        // Without a key frame nothing can begin.
        reception.lose()
        sender = first
        #expect(send(5..<8).isEmpty)
    }

    @Test("survives packets of rubbish, counts them, and goes on")
    mutating func rubbish() {
        let random = RandomSource.seeded(3)
        for _ in 0..<3000 {
            let packet = ReceivedPacket(
                kind: .video, payloadType: 101, ssrc: SSRC(random.uint32() % 3), sequenceNumber: random.uint16(),
                timestamp: random.uint32(), marker: random.uint32() % 2 == 0, isRetransmitted: false,
                payload: random.bytes(Int(random.uint32() % 200)))
            reception.handle(packet, arrival: clock.now)
            clock.advance(by: .milliseconds(Int64(random.uint32() % 30)))
            if let due = reception.deadline, due <= clock.now { reception.handleTimeout(now: clock.now) }
            while reception.pollPicture() != nil {}
        }
        #expect(reception.counts.refusedPackets > 0)
        #expect(reception.counts.damagedPictures > 0)
        clock.advance(by: .seconds(3))
        #expect(places(of: send(0..<5)) == [0, 1, 2, 3, 4])
    }

    @Test("takes no rubbish for a picture, also where its packets come in order and look like a key frame")
    mutating func rubbishInOrder() {
        let random = RandomSource.seeded(7)
        var pictures = 0
        for number in UInt16(0)..<20_000 {
            let packet = ReceivedPacket(
                kind: .video, payloadType: 101, ssrc: SSRC(1), sequenceNumber: number, timestamp: UInt32(number / 4),
                marker: number % 4 == 3, isRetransmitted: false, payload: random.bytes(40))
            reception.handle(packet, arrival: clock.now)
            while reception.pollPicture() != nil { pictures += 1 }
        }
        #expect(reception.counts.keyFrames > 0)
        #expect(pictures == 0)
    }

    @Test("refuses sound among the pictures")
    mutating func wrongKind() {
        reception.handle(
            ReceivedPacket(
                kind: .audio, payloadType: 111, ssrc: SSRC(1), sequenceNumber: 1, timestamp: 1, marker: false,
                isRetransmitted: false, payload: [1, 2, 3]), arrival: clock.now)
        #expect(reception.counts.refusedPackets == 1)
        #expect(reception.counts.epochs == 0)
    }
}
