import Core
import TestSupport
import Testing

@testable import PeerConnection

/// Each in a process of its own: the SCTP library has one clock a process, and these tests move it by hand.
@Suite("SCTP")
struct SCTPTests {
    @Test("two peers that both begin come up, though their INITs cross")
    func collision() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            #expect(pair.connect())
            #expect(pair.client.statistics.initsSent == 1)
            #expect(pair.server.statistics.initsSent == 1)
            #expect(pair.now < Instant(nanoseconds: 1_100_000_000))
        }
    }

    @Test("a peer that begins later is asked again until it answers")
    func late() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            pair.loses = { side, _ in side == .server }
            pair.start(.client)
            pair.run(for: .seconds(3))
            #expect(pair.client.statistics.state == .connecting)
            // At 0, 0.5 and 1.5 s.
            #expect(pair.client.statistics.initsSent == 3)
            pair.loses = { _, _ in false }
            pair.start(.server)
            #expect(pair.run(for: .seconds(5)) { $0.state == .established && $1.state == .established })
        }
    }

    @Test("an association comes up in spite of loss, doubles and overtaking")
    func lossyHandshake() async {
        await #expect(processExitsWith: .success) {
            var now = Instant(nanoseconds: 1_000_000_000)
            for seed in UInt64(1)...20 {
                let pair = ChannelPair(seed: seed, now: now)
                pair.faults = ChannelPair.Faults(lost: 30, doubled: 20, late: 30)
                #expect(pair.connect())
                now = pair.now
            }
        }
    }

    @Test("an INIT that is never answered fails with its count, after about 35 seconds")
    func unanswered() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            pair.loses = { _, _ in true }
            pair.start(.client)
            let began = pair.now
            #expect(pair.run(for: .seconds(60)) { client, _ in client.state == .failed })
            #expect((30...40).contains((pair.now - began).seconds))
            #expect(pair.client.statistics.initsSent == 11)
            #expect(pair.client.statistics.failureReason == "11 INIT chunks were not answered")
            #expect(pair.clientEvents.closed == [id])
            #expect(pair.clientEvents.endings.count == 1)
            #expect(pair.client.deadline == nil)
            #expect(throws: DataChannelError.notOpen) {
                _ = try pair.client.open(DataChannelSettings(label: "again"), now: pair.now)
            }
        }
    }

    @Test("a peer that goes away aborts: the other side's channels are closed and say why")
    func abort() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            #expect(pair.connect())
            _ = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            pair.run(for: .seconds(1))
            let id = try #require(pair.serverEvents.opened.first?.id)
            pair.client.abort(now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.server.state == .failed)
            #expect(pair.server.statistics.failureReason == "the peer aborted the association")
            #expect(pair.serverEvents.closed == [id])
            #expect(pair.client.statistics.state == .closed)
            #expect(throws: DataChannelError.notOpen) {
                _ = try pair.client.open(DataChannelSettings(label: "again"), now: pair.now)
            }
        }
    }

    @Test("a peer that acknowledges nothing any more is given up")
    func silence() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            #expect(pair.connect())
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            pair.run(for: .seconds(1))
            pair.loses = { _, _ in true }
            try pair.client.send(DataChannelMessage(text: "anybody there?"), on: id, now: pair.now)
            #expect(pair.run(for: .seconds(200)) { client, _ in client.state == .failed })
            #expect(pair.client.statistics.failureReason == "the peer acknowledges nothing any more")
            #expect(pair.clientEvents.closed == [id])
        }
    }

    @Test("an idle association waits for nothing, and a lost packet is sent again at most 20 ms late")
    func deadlines() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            #expect(pair.connect())
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            pair.run(for: .seconds(2))
            #expect(pair.client.deadline == nil)
            #expect(pair.server.deadline == nil)
            // Once sent, one loss, then the shortest timeout of 400 ms.
            var losses = 1
            pair.loses = { side, _ in
                guard side == .server, losses > 0 else { return false }
                losses -= 1
                return true
            }
            let began = pair.now
            try pair.client.send(DataChannelMessage(text: "hello"), on: id, now: pair.now)
            #expect(pair.run(for: .seconds(2)) { _, server in server.statistics.messagesReceived == 1 })
            let late = (pair.now - began - .milliseconds(400) - pair.latency).milliseconds
            #expect((-1...20).contains(late))
        }
    }

    @Test("many associations in one process do not touch each other")
    func several() async {
        await #expect(processExitsWith: .success) {
            var pairs: [ChannelPair] = []
            for seed in UInt64(0)..<20 {
                let pair = ChannelPair(seed: seed, now: pairs.last?.now ?? Instant(nanoseconds: 1_000_000_000))
                #expect(pair.connect())
                _ = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
                pairs.append(pair)
            }
            for pair in pairs { pair.run(for: .milliseconds(100)) }
            for (number, pair) in pairs.enumerated() {
                let id = try #require(pair.serverEvents.opened.first?.id)
                try pair.server.send(DataChannelMessage(text: "to \(number)"), on: id, now: pair.now)
            }
            for pair in pairs { pair.run(for: .milliseconds(100)) }
            for (number, pair) in pairs.enumerated() {
                #expect(pair.clientEvents.messages == [DataChannelMessage(text: "to \(number)")])
            }
        }
    }

    @Test("peers of several threads talk at the same time, each by its own clock's word")
    func threads() async {
        await #expect(processExitsWith: .success) {
            let counts = await withTaskGroup(of: UInt64.self) { group in
                for seed in UInt64(0)..<4 {
                    group.addTask {
                        let pair = ChannelPair(seed: seed)
                        guard let id = try? pair.client.open(DataChannelSettings(label: "data"), now: pair.now),
                            pair.connect()
                        else { return 0 }
                        for number in 0..<200 {
                            try? pair.client.send(DataChannelMessage(text: "\(number)"), on: id, now: pair.now)
                            pair.run(for: .milliseconds(1))
                        }
                        pair.run(for: .seconds(1))
                        return pair.server.statistics.messagesReceived
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts == [200, 200, 200, 200])
        }
    }

    @Test("hostile bytes are refused or ignored, and the association lives on")
    func hostile() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair(seed: 7)
            let random = RandomSource.seeded(99)
            var seen: [[UInt8]] = []
            pair.loses = { side, bytes in
                if side == .server { seen.append(bytes) }
                return false
            }
            #expect(pair.connect())
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            try pair.client.send(DataChannelMessage(isText: false, bytes: random.bytes(5000)), on: id, now: pair.now)
            pair.run(for: .seconds(1))
            for _ in 0..<3000 {
                var packet = seen[Int(random.uint32() % UInt32(seen.count))]
                for _ in 0..<(random.uint32() % 4) {
                    let place = Int(random.uint32()) % packet.count
                    packet[place] = UInt8(truncatingIfNeeded: random.uint32())
                }
                if random.uint32() % 4 == 0 { packet.removeLast(Int(random.uint32()) % packet.count) }
                _ = pair.server.handle(packet, now: pair.now)
            }
            for count in 0..<64 {
                let isTaken = pair.server.handle(random.bytes(count), now: pair.now)
                #expect(!isTaken)
            }
            #expect(pair.server.statistics.refused > 64)
            try pair.client.send(DataChannelMessage(text: "still here"), on: id, now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.serverEvents.messages.last == DataChannelMessage(text: "still here"))
        }
    }
}
