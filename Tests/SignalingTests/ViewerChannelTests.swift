import Conversation
import Core
import Go2Bridge
import MediaLoop
import PeerConnection
import Synchronization
import Testing

@testable import Signaling

/// An offer with a section for data channels.
private func channelOffer(origin: Int = 4711) -> String {
    offer(origin: origin) + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n"
}

extension Bench {
    /// A viewer of a session with a page, whose offer has data channels.
    fileprivate func watch(_ audience: Audience, as client: RobotClient? = nil) async -> (
        page: Client, viewer: ViewerID
    ) {
        let page = await connect(audience, as: client)
        await page.say(["type": "webrtc_offer", "sdp": .string(channelOffer()), "user_id": "1"])
        _ = await page.next { if case .answer = $0 { true } else { nil } }
        return (page, ViewerID(media.state.withLock(\.lastViewer)))
    }
}

extension RobotBench {
    fileprivate func watch(token: String? = RobotBench.drive) async throws -> (page: Client, viewer: ViewerID) {
        let (audience, client) = try #require(await bench.service.admit("robot_dog", token: token))
        return await bench.watch(audience, as: client)
    }

    fileprivate func channel(_ number: UInt32 = 1, _ label: String = "control", of viewer: ViewerID) -> BrowserChannel {
        BrowserChannel(number, label: label, of: viewer, on: bench.media)
    }
}

@Suite struct ViewerChannelTests {
    // MARK: Avatars

    @Test("an avatar's viewer asks on its channel, is answered there, and hears what is said on both")
    func avatars() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let (page, viewer) = await bench.watch(.session(session.id))
        let channel = BrowserChannel(1, label: "data", of: viewer, on: bench.media)
        channel.say(["type": "ping"])
        #expect(await channel.next("pong") != nil)
        channel.say(["type": "text_webrtc", "content": "hello", "avatar_id": "a", "user_id": "1"])
        channel.say(["type": "ping"])
        #expect(await channel.next("pong") != nil)
        #expect(bench.media.calls.contains("ask session:\(session.id): hello"))
        bench.media.emit(.textComplete("Good morning"), on: Audience.session(session.id).stage)
        let caption = await channel.next("text_complete")
        #expect(caption?["content"] == "Good morning")
        #expect(await page.next { if case .textComplete(let text, _) = $0 { text } else { nil } } == "Good morning")
        // Answers went back where the questions came from.
        #expect(!page.messages.contains(.pong))
    }

    @Test("offers and candidates belong on the WebSocket")
    func signalingOnChannels() async throws {
        let bench = Bench()
        let (_, viewer) = await bench.watch(.user("me"))
        let channel = BrowserChannel(1, label: "data", of: viewer, on: bench.media)
        for type in ["webrtc_offer", "webrtc_ice_candidate", "restart_ice", "end_of_candidates"] {
            channel.say([
                "type": .string(type), "sdp": .string(channelOffer()), "user_id": "1",
                "candidate": ["candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"],
            ])
            #expect(await channel.next("error")?["content"]?.stringValue?.contains("WebSocket") == true, "\(type)")
        }
        #expect(bench.media.viewers.count == 1)
        channel.say(["type": "bye"])
        #expect(await channel.next() == nil)
        #expect(bench.media.viewers.count == 1)
    }

    @Test("an offer without data channels gets none")
    func noChannels() async throws {
        let bench = Bench()
        let page = await bench.connect(.user("me"))
        await page.say(["type": "webrtc_offer", "sdp": .string(offer()), "user_id": "1"])
        #expect(bench.media.viewers.values.allSatisfy { $0.extras.channels == nil })
    }

    // MARK: Robots

    /// Everything that a robot's client is told, by its type: the members must be the same on both ways.
    @Test("a channel and the WebSocket speak the same messages with the same fields")
    func schema() async throws {
        let bench = RobotBench()
        let (page, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        bench.link.emit(.topic(RobotTopic.lowState, ["power_v": 28]))
        let questions: [(JSONValue, String)] = [
            (["type": "robot_subscribe", "topics": ["LOW_STATE"], "request_id": 1], "robot_subscribed"),
            (["type": "robot_command", "command": "stand_up", "request_id": 1], "robot_response"),
            (
                ["type": "robot_request", "topic": "rt/api/vui/request", "api_id": 1004, "request_id": 1],
                "robot_response"
            ), (["type": "robot_command", "command": "fly", "request_id": 1], "error"),
            (["type": "drive_acquire"], "drive_state"), (["type": "drive_renew"], "drive_state"),
            (["type": "drive_move", "x": 100], "error"), (["type": "drive_release"], "drive_state"),
            (["type": "nonsense"], "error"), (["type": "ping"], "pong"), (["type": "hello"], "hello"),
        ]
        for (question, type) in questions {
            await page.say(question)
            let wanted: ServerMessage = await page.next { $0.type == type ? $0 : nil }
            channel.say(question)
            let answer = try #require(await channel.next(type))
            let expected = try #require(JSONValue(parsing: Array(wanted.text(at: WallTime(secondsSince1970: 0)).utf8)))
            #expect(Self.names(of: answer) == Self.names(of: expected), "\(question.text)")
            if question["request_id"] != nil, type != "robot_subscribed" { #expect(answer["request_id"] == 1) }
        }
        // News come on both by themselves.
        bench.link.emit(.topic(RobotTopic.lowState, ["power_v": 27]))
        #expect(await channel.next("robot_topic")?["topic"] == "rt/lf/lowstate")
        #expect(
            await page.next { if case .robot(.topic(let name, _, _)) = $0 { name } else { nil } } == "rt/lf/lowstate")
        bench.link.emit(.network(status: "NetworkStatus.ON_WIFI_CONNECTED"))
        #expect(await channel.next("robot_state")?["robot"]?["id"] == "dog")
    }

    private static func names(of json: JSONValue) -> Set<String> {
        guard case .object(let members) = json else { return [] }
        return Set(members.keys)
    }

    @Test("a lease had on the WebSocket serves on its viewer's channel, for the two are one driver")
    func oneDriver() async throws {
        let bench = RobotBench()
        let (page, viewer) = try await bench.watch()
        await page.say(["type": "drive_acquire"])
        let channel = bench.channel(of: viewer)
        channel.say(["type": "drive_move", "x": 0.2])
        channel.say(["type": "ping"])
        #expect(await channel.next("pong") != nil)
        #expect(bench.link.requests.last?.apiID == 1008)
        // The lease was acquired on the WebSocket: the channel's end does not touch it.
        channel.close()
        await page.say(["type": "drive_renew"])
        #expect(await page.drive(because: "renewed").holder == .you)
    }

    /// A page whose WebSocket broke comes back with the same peer connection.
    private func comeBack(_ bench: RobotBench, after page: Client, token: String?) async throws -> Client {
        await page.disconnect()
        let again = try await bench.connect(token: token)
        await again.say(["type": "webrtc_offer", "sdp": .string(channelOffer()), "user_id": "1"])
        _ = await again.next { if case .answer = $0 { true } else { nil } }
        #expect(bench.bench.media.viewers.count == 1)
        return again
    }

    @Test("a viewer that another WebSocket took over is one driver with that, on its older channels as well")
    func takenOver() async throws {
        let bench = RobotBench()
        let (page, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        channel.say(["type": "robot_subscribe", "topics": ["rt/uwbstate"]])
        #expect(await channel.next("robot_subscribed") != nil)
        let again = try await comeBack(bench, after: page, token: RobotBench.drive)
        #expect(await channel.next("robot_subscribed")?["topics"] == ["rt/uwbstate"])
        bench.link.emit(.topic("rt/uwbstate", ["distance": 1]))
        #expect(await channel.next("robot_topic")?["topic"] == "rt/uwbstate")
        await again.say(["type": "drive_acquire"])
        #expect(await again.drive(because: "acquired").holder == .you)
        #expect(await channel.next("drive_state")?["holder"] == "you")
        channel.say(["type": "drive_move", "x": 0.2])
        channel.say(["type": "ping"])
        #expect(await channel.next("pong") != nil)
        #expect(bench.link.requests.last?.apiID == 1008)
    }

    @Test("a lease of a viewer's former connection ends when another takes it over, and the robot is stopped")
    func formerLease() async throws {
        let bench = RobotBench()
        let (page, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        channel.say(["type": "drive_acquire"])
        #expect(await channel.next("drive_state")?["holder"] == "you")
        channel.say(["type": "drive_move", "x": 0.2])
        await bench.link.told { $0.requests.contains { $0.apiID == 1008 } }
        _ = try await comeBack(bench, after: page, token: RobotBench.drive)
        await bench.link.told { $0.stops > 0 }
        let told = try #require(await channel.next("drive_state"))
        #expect(told["holder"] == "none" && told["reason"] == "released")
    }

    @Test("a viewer that a lesser WebSocket took over has its scope: no topics, no LiDAR")
    func takenOverByLess() async throws {
        let bench = RobotBench()
        let (page, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        channel.say(["type": "robot_subscribe", "topics": ["rt/uwbstate"]])
        #expect(await channel.next("robot_subscribed") != nil)
        let lidar = bench.channel(2, "lidar", of: viewer)
        await bench.link.told { $0.published(on: RobotTopic.lidarSwitch).contains("ON") }
        _ = try await comeBack(bench, after: page, token: RobotBench.watch)
        #expect(await lidar.next() == nil)
        #expect(await channel.next("error")?["error_code"] == "scope")
        channel.say(["type": "drive_acquire"])
        #expect(await channel.next("error")?["error_code"] == "scope")
        await bench.link.told { $0.unsubscribes(from: "rt/uwbstate") }
    }

    @Test("a lease acquired on a channel ends with the channel, or with its viewer", arguments: [true, false])
    func leaseOfAChannel(closesChannel: Bool) async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        channel.say(["type": "drive_acquire"])
        #expect(await channel.next("drive_state")?["holder"] == "you")
        channel.say(["type": "drive_move", "x": 0.2])
        await bench.link.told { $0.requests.contains { $0.apiID == 1008 } }
        if closesChannel {
            channel.close()
        } else {
            bench.bench.media.removeViewer(viewer, reason: "its page was closed")
        }
        await bench.link.told { $0.stops > 0 }
        #expect(bench.robot.status.drive.holder == nil)
    }

    @Test("a channel has the scope of the connection that brought its offer")
    func channelScope() async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch(token: nil)
        let channel = bench.channel(of: viewer)
        channel.say(["type": "robot_command", "command": "stand_up"])
        #expect(await channel.next("error")?["error_code"] == "token_required")
        let lidar = bench.channel(2, "lidar", of: viewer)
        #expect(await lidar.next() == nil)
    }

    @Test("a lidar channel carries binary frames, and the LiDAR is on only while it is open")
    func lidar() async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch(token: RobotBench.read)
        let channel = bench.channel(1, "lidar", of: viewer)
        await bench.link.told { $0.published(on: RobotTopic.lidarSwitch).contains("ON") }
        bench.link.emit(.binary(header: Self.header, payload: Self.emptyGrid))
        let frame = try #require(await channel.next())
        #expect(!frame.isText)
        #expect(frame.bytes.starts(with: Array("VOX1".utf8)))
        channel.close()
        await bench.link.told { $0.published(on: RobotTopic.lidarSwitch).contains("OFF") }
    }

    private static let header: JSONValue = [
        "type": "msg", "topic": .string(RobotTopic.voxelMap),
        "data": [
            "stamp": 1_709_106_000.5, "frame_id": "odom", "resolution": 0.05, "src_size": 2048,
            "origin": [1.675, 5.325, -0.575], "width": [128, 128, 1],
        ],
    ]

    /// 2,048 zero bytes as an LZ4 block: a literal zero, a match of 2,042, five literals at the end.
    private static let emptyGrid: [UInt8] =
        [0x1F, 0x00, 0x01, 0x00] + [UInt8](repeating: 0xFF, count: 7) + [238] + [0x50, 0, 0, 0, 0, 0]

    // MARK: Hostile

    @Test("a fifth channel, a message too long, too many messages: the channel is closed and counted")
    func limits() async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch()
        let channels = (1...4).map { bench.channel(UInt32($0), "c\($0)", of: viewer) }
        let fifth = bench.channel(5, "c5", of: viewer)
        #expect(await fifth.next() == nil)
        channels[0].say(DataChannelMessage(isText: true, bytes: [UInt8](repeating: 0x20, count: 65_537)))
        while await channels[0].next() != nil {}
        for _ in 0...RobotLimits.messagesPerSecond * 2 { channels[1].say(["type": "ping"]) }
        while await channels[1].next() != nil {}
        channels[2].sink?.congested(true, on: channels[2].id, viewer: viewer)
        while await channels[2].next() != nil {}
        channels[3].say(["type": "ping"])
        #expect(await channels[3].next("pong") != nil)
        let text = bench.metrics.prometheusText()
        for reason in ["too_many_channels", "message_too_long", "too_many_messages", "slow_reader"] {
            #expect(text.contains(#"avatar_streamer_channels_refused_total{reason="\#(reason)"} 1"#), "\(reason)")
        }
    }

    @Test(
        "rubbish on a channel is complained of, and the channel stays",
        arguments: [
            DataChannelMessage(isText: false, bytes: [1, 2, 3]), DataChannelMessage(isText: true, bytes: []),
            DataChannelMessage(isText: true, bytes: [0xFF, 0xFE]), DataChannelMessage(text: "{}"),
            DataChannelMessage(text: #"{"type":"drive_move","x":1e999}"#),
        ])
    func rubbish(message: DataChannelMessage) async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        channel.say(message)
        #expect(await channel.next("error")?["error_code"] == "invalid")
        channel.say(["type": "ping"])
        #expect(await channel.next("pong") != nil)
    }

    @Test("messages for channels that are none, or are closed, change nothing")
    func lateMessages() async throws {
        let bench = RobotBench()
        let (_, viewer) = try await bench.watch()
        let channel = bench.channel(of: viewer)
        let sink = try #require(channel.sink)
        channel.close()
        channel.close()
        sink.received(
            DataChannelMessage(text: #"{"type":"robot_command","command":"stand_up"}"#), on: channel.id, viewer: viewer)
        sink.received(DataChannelMessage(text: "{}"), on: DataChannelID(number: 99), viewer: viewer)
        sink.ended(viewer: viewer)
        sink.ended(viewer: viewer)
        #expect(bench.link.requests.isEmpty)
    }
}
