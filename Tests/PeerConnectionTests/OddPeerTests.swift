import Core
import TestSupport
import Testing

@testable import PeerConnection

/// What other implementations do. Each in a process of its own: see ``SCTPTests``.
@Suite("Data channels of odd peers")
struct OddPeerTests {
    @Test("a peer that never acknowledges an opening can be talked to, and its first message opens the channel")
    func noAcknowledgement() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            let id = try pair.channels.open(DataChannelSettings(label: "data", isOrdered: false), now: pair.now)
            try pair.channels.send(DataChannelMessage(text: "one"), on: id, now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.events.opened.isEmpty)
            // Behind the opening, so in order until the peer has shown that it knows the channel.
            #expect(pair.parts.map(\.payloadProtocol) == [50, 51])
            #expect(pair.parts.allSatisfy { !$0.isUnordered })
            pair.send(Array("challenge".utf8), .text, on: 1)
            #expect(pair.events.opened.map(\.id) == [id])
            #expect(pair.events.messages == [DataChannelMessage(text: "challenge")])
            try pair.channels.send(DataChannelMessage(text: "two"), on: id, now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.parts.last?.isUnordered == true)
        }
    }

    @Test("a peer may open channels on streams of either parity")
    func parity() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            let opening = EstablishmentMessage.open(DataChannelSettings(label: "data")).encoded
            pair.send(opening, .establishment, on: 0)
            pair.send(opening, .establishment, on: 1)
            pair.send(opening, .establishment, on: 700)
            #expect(pair.events.opened.count == 3)
            #expect(pair.parts.map(\.stream) == [0, 1, 700])
            let id = try pair.channels.open(DataChannelSettings(label: "mine"), now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.channels.channels[id]?.stream == 3)
        }
    }

    @Test("messages in the parts of old browsers are put together")
    func oldParts() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            pair.send(EstablishmentMessage.open(DataChannelSettings(label: "data")).encoded, .establishment, on: 0)
            pair.send(Array("hello ".utf8), .textPart, on: 0)
            pair.send(Array("old ".utf8), .textPart, on: 0)
            pair.send(Array("world".utf8), .text, on: 0)
            pair.send([1, 2], .binaryPart, on: 0)
            pair.send([3], .binary, on: 0)
            #expect(
                pair.events.messages == [
                    DataChannelMessage(text: "hello old world"), DataChannelMessage(isText: false, bytes: [1, 2, 3]),
                ])
            #expect(pair.channels.incomplete.bytes == 0)
        }
    }

    @Test("messages of no channel, of no kind and of broken text are counted, not delivered")
    func rubbish() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            pair.send(Array("who?".utf8), .text, on: 4)
            #expect(pair.channels.statistics.refused == 1)
            pair.send(EstablishmentMessage.open(DataChannelSettings(label: "data")).encoded, .establishment, on: 0)
            pair.send([0xFF, 0xFE], .text, on: 0)
            #expect(pair.channels.statistics.refused == 2)
            pair.send([9, 9, 9], .establishment, on: 0)
            pair.send(EstablishmentMessage.open(DataChannelSettings(label: "twice")).encoded, .establishment, on: 0)
            pair.send([2], .establishment, on: 6)
            #expect(pair.channels.statistics.refused == 5)
            pair.send([3, 0, 0], .establishment, on: 8)
            #expect(pair.channels.statistics.refused == 6)
            let isReset = pair.rawEvents.contains(.incomingReset([8]))
            #expect(isReset)
            pair.send(Array("fine".utf8), .text, on: 0)
            #expect(pair.events.messages == [DataChannelMessage(text: "fine")])
            #expect(pair.events.opened.count == 1)
        }
    }

    @Test("what never ends is not kept without bound")
    func endless() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            pair.send(EstablishmentMessage.open(DataChannelSettings(label: "data")).encoded, .establishment, on: 0)
            for _ in 0..<100 { pair.send([UInt8](repeating: 0, count: 30_000), .binary, on: 0, isEnd: false) }
            #expect(pair.channels.incomplete.bytes <= 1 << 20)
            pair.send([1], .binary, on: 0)
            #expect(pair.channels.statistics.refused == 1)
            #expect(pair.events.messages.isEmpty)
            let isReset = pair.rawEvents.contains(.incomingReset([0]))
            #expect(isReset)
        }
    }

    @Test("a channel whose closing the peer never answers is closed after 5 seconds, and its stream not used again")
    func unansweredClosing() async {
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            let id = try pair.channels.open(DataChannelSettings(label: "data"), now: pair.now)
            pair.run(for: .seconds(1))
            pair.channels.close(id, now: pair.now)
            pair.run(for: .seconds(4))
            #expect(pair.events.closed.isEmpty)
            pair.run(for: .seconds(2))
            #expect(pair.events.closed == [id])
            #expect(pair.channels.retired == [1])
        }
    }
}
