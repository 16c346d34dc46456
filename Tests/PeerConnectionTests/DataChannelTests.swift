import Core
import TestSupport
import Testing

@testable import PeerConnection

/// Each in a process of its own: see ``SCTPTests``.
@Suite("Data channels")
struct DataChannelTests {
    @Test("a channel that is opened before the association is known to both sides with its settings")
    func opening() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            let settings = [
                DataChannelSettings(label: "data"),
                DataChannelSettings(
                    label: "moves", subprotocol: "drive.1", isOrdered: false, reliability: .retransmissions(0)),
                DataChannelSettings(label: "états", isOrdered: true, reliability: .lifetime(.milliseconds(150))),
            ]
            let ids = try settings.map { try pair.client.open($0, now: pair.now) }
            let own = try pair.server.open(DataChannelSettings(label: "events"), now: pair.now)
            #expect(Set(ids).count == 3)
            #expect(throws: DataChannelError.notOpen) {
                try pair.client.send(DataChannelMessage(text: "early"), on: ids[0], now: pair.now)
            }
            #expect(pair.connect())
            pair.run(for: .seconds(1))
            #expect(pair.serverEvents.opened.filter(\.isIncoming).map(\.settings) == settings)
            #expect(pair.clientEvents.opened.filter { !$0.isIncoming }.map(\.id) == ids)
            #expect(pair.clientEvents.opened.filter(\.isIncoming).map(\.settings.label) == ["events"])
            #expect(pair.serverEvents.opened.filter { !$0.isIncoming }.map(\.id) == [own])
            // RFC 8832 §6: even streams are the DTLS client's.
            #expect(pair.client.ids.keys.sorted() == [0, 1, 2, 4])
            #expect(pair.client.statistics.channels == 4)
        }
    }

    @Test("messages of every size come whole, once and in order, both ways, in spite of loss, doubles and overtaking")
    func sizes() async {
        await #expect(processExitsWith: .success) {
            var limits = DataChannelLimits()
            limits.maximumMessageBytes = 1 << 20
            limits.maximumBufferedBytes = 8 << 20
            let pair = ChannelPair(client: limits, server: limits, seed: 3)
            pair.faults = ChannelPair.Faults(lost: 5, doubled: 5, late: 10)
            _ = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect(maximumMessageBytes: 1 << 20))
            pair.run(for: .seconds(5))
            let (there, back) = (
                try #require(pair.clientEvents.opened.first?.id), try #require(pair.serverEvents.opened.first?.id)
            )
            let random = RandomSource.seeded(5)
            let messages = [0, 1, 2, 1143, 1144, 1145, 16_384, 65_536, 262_144, 1 << 20, 3].map { count in
                DataChannelMessage(isText: false, bytes: random.bytes(count))
            }
            for message in messages {
                try pair.client.send(message, on: there, now: pair.now)
                try pair.server.send(message, on: back, now: pair.now)
            }
            #expect(
                pair.run(for: .seconds(600)) {
                    $0.statistics.messagesReceived == 11 && $1.statistics.messagesReceived == 11
                })
            #expect(pair.clientEvents.messages == messages)
            #expect(pair.serverEvents.messages == messages)
            #expect(pair.client.statistics.bufferedBytes == 0)
            #expect(pair.client.statistics.bytesSent == pair.server.statistics.bytesReceived)
        }
    }

    @Test("text stays text, also where it is empty")
    func text() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect())
            let messages = [
                DataChannelMessage(text: "grüß dich"), DataChannelMessage(text: ""),
                DataChannelMessage(isText: false, bytes: []),
            ]
            for message in messages { try pair.client.send(message, on: id, now: pair.now) }
            pair.run(for: .seconds(1))
            #expect(pair.serverEvents.messages == messages)
        }
    }

    @Test("10,000 messages come in order over a path that loses a tenth")
    func many() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair(seed: 11)
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect())
            pair.faults.lost = 10
            for number in 0..<10_000 {
                try pair.client.send(DataChannelMessage(text: "\(number)"), on: id, now: pair.now)
            }
            #expect(pair.run(for: .seconds(2000)) { _, server in server.statistics.messagesReceived == 10_000 })
            #expect(pair.serverEvents.messages == (0..<10_000).map { DataChannelMessage(text: "\($0)") })
        }
    }

    @Test("an unordered channel without retransmissions gives messages up, and nothing behind them waits")
    func partialReliability() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair(seed: 13)
            let unreliable = try pair.client.open(
                DataChannelSettings(label: "moves", isOrdered: false, reliability: .retransmissions(0)), now: pair.now)
            let reliable = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect())
            pair.run(for: .seconds(1))
            pair.faults.lost = 20
            for number in 0..<500 {
                try pair.client.send(DataChannelMessage(text: "\(number)"), on: unreliable, now: pair.now)
                pair.run(for: .milliseconds(20))
            }
            try pair.client.send(DataChannelMessage(text: "last"), on: reliable, now: pair.now)
            pair.run(for: .seconds(60))
            let numbers = pair.serverEvents.messages.compactMap { Int(String(decoding: $0.bytes, as: UTF8.self)) }
            #expect((300...480).contains(numbers.count))
            #expect(Set(numbers).count == numbers.count)
            #expect(pair.serverEvents.messages.contains(DataChannelMessage(text: "last")))
            #expect(pair.client.statistics.messagesAbandoned > 0)
        }
    }

    @Test("a closed channel is told to both sides, and its stream serves again, a thousand times")
    func closing() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            #expect(pair.connect())
            for round in 0..<1000 {
                let id = try pair.client.open(DataChannelSettings(label: "round \(round)"), now: pair.now)
                try pair.client.send(DataChannelMessage(text: "last words"), on: id, now: pair.now)
                #expect(id.number == UInt32(round + 1))
                pair.run(for: .milliseconds(100))
                if round % 2 == 0 {
                    pair.client.close(id, now: pair.now)
                } else {
                    let theirs = try #require(pair.serverEvents.opened.last?.id)
                    pair.server.close(theirs, now: pair.now)
                }
                pair.run(for: .milliseconds(300))
                #expect(throws: DataChannelError.unknownChannel) {
                    try pair.client.send(DataChannelMessage(text: "late"), on: id, now: pair.now)
                }
            }
            #expect(pair.clientEvents.closed.count == 1000)
            #expect(pair.serverEvents.closed.count == 1000)
            #expect(pair.serverEvents.messages.count == 1000)
            #expect(pair.client.statistics.channels == 0)
            #expect(pair.server.statistics.channels == 0)
            #expect(pair.client.resetting.isEmpty && pair.client.retired.isEmpty)
        }
    }

    @Test("what waits on a channel is sent before it closes")
    func closingFlushes() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair(seed: 17)
            pair.faults.lost = 5
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect())
            for _ in 0..<10 {
                try pair.client.send(
                    DataChannelMessage(isText: false, bytes: [UInt8](repeating: 7, count: 200_000)), on: id,
                    now: pair.now)
            }
            pair.client.close(id, now: pair.now)
            #expect(
                pair.run(for: .seconds(300)) { client, server in client.channels.isEmpty && server.channels.isEmpty })
            #expect(pair.serverEvents.messages.count == 10)
            #expect(pair.clientEvents.closed == [id])
        }
    }

    @Test("closing from both sides at once, over a lossy path, ends on both sides")
    func closingTogether() async {
        await #expect(processExitsWith: .success) {
            var now = Instant(nanoseconds: 1_000_000_000)
            for seed in UInt64(1)...20 {
                let pair = ChannelPair(seed: seed, now: now)
                let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
                #expect(pair.connect())
                pair.run(for: .seconds(1))
                pair.faults = ChannelPair.Faults(lost: 20, doubled: 10, late: 20)
                pair.client.close(id, now: pair.now)
                pair.server.close(try #require(pair.serverEvents.opened.first?.id), now: pair.now)
                #expect(
                    pair.run(for: .seconds(30)) { client, server in client.channels.isEmpty && server.channels.isEmpty }
                )
                #expect(pair.clientEvents.closed.count == 1)
                #expect(pair.serverEvents.closed.count == 1)
                now = pair.now
            }
        }
    }

    @Test("sending fails once too much waits, and goes on once less does")
    func backPressure() async {
        await #expect(processExitsWith: .success) {
            let pair = ChannelPair()
            let id = try pair.client.open(DataChannelSettings(label: "data"), now: pair.now)
            #expect(pair.connect())
            pair.run(for: .seconds(1))
            let message = DataChannelMessage(isText: false, bytes: [UInt8](repeating: 1, count: 100_000))
            var sent = 0
            #expect(throws: DataChannelError.bufferFull) {
                while sent < 1000 {
                    try pair.client.send(message, on: id, now: pair.now)
                    sent += 1
                }
            }
            // 4 MiB wait, and the library has taken half of one.
            #expect((41...50).contains(sent))
            #expect(pair.client.bufferedBytes(on: id) > 4_000_000)
            #expect(pair.client.statistics.bufferedBytes == pair.client.bufferedBytes(on: id))
            #expect(
                pair.run(for: .seconds(60)) { client, _ in client.statistics.bufferedBytes <= 1 << 20 })
            let isTold = pair.clientEvents.contains { event in
                if case .bufferLow(let low) = event { low == id } else { false }
            }
            #expect(isTold)
            try pair.client.send(message, on: id, now: pair.now)
            #expect(pair.run(for: .seconds(60)) { _, server in server.statistics.messagesReceived == UInt64(sent + 1) })
        }
    }

    @Test("limits of number and size are kept, ours and the peer's")
    func limits() async {
        await #expect(processExitsWith: .success) {
            var small = DataChannelLimits()
            small.maximumChannels = 2
            small.maximumMessageBytes = 1000
            let pair = ChannelPair(client: DataChannelLimits(), server: small)
            // The client does not know of the server's small limit.
            #expect(pair.connect(maximumMessageBytes: 65_536))
            let ids = try (0..<3).map { try pair.client.open(DataChannelSettings(label: "\($0)"), now: pair.now) }
            pair.run(for: .seconds(2))
            #expect(pair.serverEvents.opened.count == 2)
            #expect(pair.server.statistics.refused == 1)
            #expect(pair.clientEvents.closed == [ids[2]])
            #expect(throws: DataChannelError.tooManyChannels) {
                _ = try pair.server.open(DataChannelSettings(label: "more"), now: pair.now)
            }
            #expect(throws: DataChannelError.tooLarge(maximumBytes: 65_536)) {
                try pair.client.send(
                    DataChannelMessage(isText: false, bytes: [UInt8](repeating: 0, count: 65_537)), on: ids[0],
                    now: pair.now)
            }
            try pair.client.send(
                DataChannelMessage(isText: false, bytes: [UInt8](repeating: 0, count: 1000)), on: ids[0], now: pair.now)
            try pair.client.send(
                DataChannelMessage(isText: false, bytes: [UInt8](repeating: 0, count: 1001)), on: ids[0], now: pair.now)
            try pair.client.send(DataChannelMessage(text: "fine"), on: ids[1], now: pair.now)
            pair.run(for: .seconds(2))
            #expect(pair.serverEvents.messages.map(\.bytes.count) == [1000, 4])
            #expect(pair.server.statistics.refused == 2)
            #expect(pair.clientEvents.closed == [ids[2], ids[0]])
            #expect(throws: DataChannelError.invalidSettings) {
                _ = try pair.client.open(
                    DataChannelSettings(label: "long", reliability: .lifetime(.seconds(70))), now: pair.now)
            }
        }
    }
}
