import Core
import MediaLoop
import PeerConnection
import TestSupport
import Testing

/// Data channels of viewers, over real sockets.
@Suite(.timeLimit(.minutes(15))) struct ViewerChannelTests {
    /// Remembers what it was told.
    final class Listener: ViewerChannels {
        struct Heard: Sendable {
            var opened: [String: DataChannelID] = [:]
            var viewer: ViewerID?
            var messages: [DataChannelMessage] = []
            var congestion: [Bool] = []
            var closed: [DataChannelID] = []
            var endings = 0
        }
        let heard = Watched(Heard())

        func opened(_ channel: DataChannelID, label: String, viewer: ViewerID) {
            heard.update {
                $0.opened[label] = channel
                $0.viewer = viewer
            }
        }
        func received(_ message: DataChannelMessage, on channel: DataChannelID, viewer: ViewerID) {
            heard.update { $0.messages.append(message) }
        }
        func congested(_ isCongested: Bool, on channel: DataChannelID, viewer: ViewerID) {
            heard.update { $0.congestion.append(isCongested) }
        }
        func closed(_ channel: DataChannelID, viewer: ViewerID) { heard.update { $0.closed.append(channel) } }
        func ended(viewer: ViewerID) { heard.update { $0.endings += 1 } }
    }

    private struct Talk: Sendable {
        let joined: LoopBench.Joined
        let listener: Listener
        /// The viewer's number of the channel, and ours.
        let theirs: DataChannelID
        let ours: DataChannelID
    }

    /// A viewer with one open channel.
    private func talk(_ bench: LoopBench, label: String = "data") async throws -> Talk {
        let listener = Listener()
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop, channels: DataChannelLimits())
        let theirs = try await viewer.openChannel(label)
        let joined = try await bench.join(viewer, channels: listener)
        #expect(await listener.heard.wait { $0.opened[label] != nil })
        #expect(listener.heard.current.viewer == joined.id)
        #expect(await joined.seen.wait { $0.hasAssociation })
        return Talk(
            joined: joined, listener: listener, theirs: theirs, ours: try #require(listener.heard.current.opened[label])
        )
    }

    private func dropped(_ reason: String, _ bench: LoopBench) -> UInt64 {
        bench.metrics.counter("avatar_channel_dropped_total", help: "", labels: ["reason": reason]).current
    }

    @Test("What a viewer says is heard, text and binary, and it is answered")
    func bothWays() async throws {
        let bench = try await LoopBench.start()
        let talk = try await talk(bench)
        let said = [
            DataChannelMessage(text: "{\"type\":\"ping\"}"), DataChannelMessage(isText: false, bytes: [0, 1, 255]),
            DataChannelMessage(text: ""),
        ]
        try await talk.joined.viewer.say(said, on: talk.theirs)
        #expect(await talk.listener.heard.wait { $0.messages == said })
        let answers = [DataChannelMessage(text: "здравствуй"), DataChannelMessage(isText: false, bytes: [7])]
        for answer in answers { bench.media.send(answer, on: talk.ours, to: talk.joined.id) }
        #expect(await talk.joined.seen.wait { $0.messages == answers })
        #expect(await bench.media.statistics(viewer: talk.joined.id)?.openChannels == 1)
        // Pictures go on beside it.
        bench.deliver(1, isKeyFrame: true)
        #expect(await talk.joined.hasPictures([1]))
        await bench.stop()
    }

    @Test("Without anybody to take them the section is refused, and the pictures come all the same")
    func refused() async throws {
        let bench = try await LoopBench.start()
        let viewer = try await LoopbackViewer.make(on: bench.viewerLoop, channels: DataChannelLimits())
        let joined = try await bench.join(viewer)
        #expect(joined.answer.sdp.contains("m=application 0 UDP/DTLS/SCTP"))
        #expect(await joined.isConnected())
        bench.deliver(1, isKeyFrame: true)
        #expect(await joined.hasPictures([1]))
        #expect(!joined.seen.current.hasAssociation)
        await bench.stop()
    }

    @Test("A viewer may have as many channels as the limit says")
    func limit() async throws {
        let bench = try await LoopBench.start { $0.dataChannels.maximumChannels = 2 }
        let talk = try await talk(bench)
        _ = try await talk.joined.viewer.openChannel("second")
        let third = try await talk.joined.viewer.openChannel("third")
        #expect(await talk.joined.seen.wait { $0.closedChannels == [third] })
        #expect(Set(talk.listener.heard.current.opened.keys) == ["data", "second"])
        await bench.stop()
    }

    @Test("What finds too much waiting is dropped and counted, its sender is told, and told again when there is room")
    func congestion() async throws {
        let bench = try await LoopBench.start { $0.dataChannels.maximumBufferedBytes = 100_000 }
        let talk = try await talk(bench, label: "lidar")
        let message = DataChannelMessage(isText: false, bytes: [UInt8](repeating: 3, count: 40_000))
        let count = 60
        for _ in 0..<count { bench.media.send(message, on: talk.ours, to: talk.joined.id) }
        #expect(await talk.listener.heard.wait { $0.congestion.count >= 2 })
        #expect(talk.listener.heard.current.congestion.prefix(2) == [true, false])
        await bench.settle()
        let lost = dropped("too much waits", bench)
        #expect(lost > 0)
        #expect(await talk.joined.seen.wait { UInt64($0.messages.count) + lost == UInt64(count) })
        #expect(talk.joined.seen.current.messages.allSatisfy { $0 == message })
        await bench.stop()
    }

    @Test("A message that nobody could take is dropped and counted")
    func unaddressed() async throws {
        let bench = try await LoopBench.start()
        let talk = try await talk(bench)
        let message = DataChannelMessage(text: "lost")
        bench.media.send(message, on: DataChannelID(number: 99), to: talk.joined.id)
        bench.media.send(message, on: talk.ours, to: ViewerID(99))
        let large = DataChannelMessage(isText: false, bytes: [UInt8](repeating: 0, count: 2 << 20))
        bench.media.send(large, on: talk.ours, to: talk.joined.id)
        await bench.settle()
        #expect(dropped("no channel", bench) == 2)
        #expect(dropped("too large", bench) == 1)
        #expect(talk.joined.seen.current.messages.isEmpty)
        await bench.stop()
    }

    @Test("A viewer that says too much is not heard beyond the limit, and the excess is counted")
    func rate() async throws {
        let bench = try await LoopBench.start { $0.maximumChannelMessagesPerSecond = 5 }
        let talk = try await talk(bench)
        let said = (0..<200).map { DataChannelMessage(text: "\($0)") }
        try await talk.joined.viewer.say(said, on: talk.theirs)
        #expect(
            await bench.awaits { bench in
                dropped("too many a second", bench) + UInt64(talk.listener.heard.current.messages.count) == 200
            })
        #expect(talk.listener.heard.current.messages.first == said.first)
        #expect(talk.listener.heard.current.messages.count < 200)
        await bench.stop()
    }

    @Test("Either side closes a channel, and the other hears of it")
    func closed() async throws {
        let bench = try await LoopBench.start()
        let talk = try await talk(bench)
        bench.media.closeChannel(talk.ours, of: talk.joined.id)
        #expect(await talk.joined.seen.wait { $0.closedChannels == [talk.theirs] })
        #expect(await talk.listener.heard.wait { $0.closed == [talk.ours] })
        let again = try await talk.joined.viewer.openChannel("again")
        #expect(await talk.listener.heard.wait { $0.opened["again"] != nil })
        let ours = try #require(talk.listener.heard.current.opened["again"])
        await talk.joined.viewer.closeChannel(again)
        #expect(await talk.listener.heard.wait { $0.closed == [talk.ours, ours] })
        bench.media.send(DataChannelMessage(text: "late"), on: ours, to: talk.joined.id)
        await bench.settle()
        #expect(dropped("no channel", bench) == 1)
        await bench.stop()
    }

    @Test("A viewer's end is told once, however it ends; a refused offer tells nothing")
    func ended() async throws {
        let bench = try await LoopBench.start()
        let left = try await talk(bench)
        await left.joined.viewer.leave()
        #expect(await left.listener.heard.wait { $0.endings == 1 })
        let removed = try await talk(bench)
        bench.media.removeViewer(removed.joined.id, reason: "the test wants it")
        #expect(await removed.listener.heard.wait { $0.endings == 1 })
        let silent = Listener()
        await #expect(throws: ViewerError.self) {
            try await bench.media.addViewer(
                stage: bench.stage, offer: "v=0", remoteAddress: nil, includeCandidates: false, channels: silent)
        }
        let last = try await talk(bench)
        await bench.stop()
        #expect(last.listener.heard.current.endings == 1)
        #expect(left.listener.heard.current.endings == 1)
        #expect(removed.listener.heard.current.endings == 1)
        #expect(silent.heard.current.endings == 0)
    }
}
