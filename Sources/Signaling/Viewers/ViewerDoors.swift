internal import Core
internal import Go2Bridge
internal import MediaLoop
internal import PeerConnection
internal import Synchronization

/// The data channels of one viewer: each is a signaling connection of its own, with the rights of whoever sent the offer.
///
/// Called on the media loop's thread; what is said is handled by one task a channel, in order.
final class ViewerDoors: ViewerChannels {
    private struct Door {
        var incoming: AsyncStream<DataChannelMessage>.Continuation
        var rate: RateLimit
        /// What is said on a text channel.
        var connection: SignalingConnection?
        /// LiDAR frames, of which the newest counts; nothing may be left out of any other channel.
        var isLiDAR: Bool
    }

    private struct State {
        /// Who the viewer of a robot is; changes when another connection takes the viewer over.
        var client: RobotClient?
        var doors: [DataChannelID: Door] = [:]
    }

    /// Messages that wait for a slow handler, before the channel is closed.
    static let maximumWaiting = 256
    /// The label of the channel that gets binary LiDAR frames.
    static let lidarLabel = "lidar"

    private let service: SignalingService
    private let audience: Audience
    private let remoteAddress: IPAddress?
    private let state: Mutex<State>

    init(service: SignalingService, audience: Audience, remoteAddress: IPAddress?, client: RobotClient?) {
        self.service = service
        self.audience = audience
        self.remoteAddress = remoteAddress
        state = Mutex(State(client: client))
    }

    /// Another connection speaks for the viewer from now on: its channels are that client's, with its scope and its seat. What
    /// the former client held through them is let go of.
    func follow(_ client: RobotClient, viewer: ViewerID) {
        let (connections, closing) = state.withLock { state in
            state.client = client
            let closing = client.scope >= .read ? [] : state.doors.filter(\.value.isLiDAR).map(\.key)
            return (state.doors.values.compactMap(\.connection), closing)
        }
        for channel in closing {
            take(channel)?.incoming.finish()
            service.media.closeChannel(channel, of: viewer)
        }
        for connection in connections { Task { await connection.follow(client) } }
    }

    private func take(_ channel: DataChannelID) -> Door? {
        state.withLock { $0.doors.removeValue(forKey: channel) }
    }

    // MARK: ViewerChannels

    func opened(_ channel: DataChannelID, label: String, viewer: ViewerID) {
        let (stream, continuation) = AsyncStream<DataChannelMessage>.makeStream(
            bufferingPolicy: .bufferingOldest(Self.maximumWaiting))
        let channelDoor = ChannelDoor(media: service.media, channel: channel, viewer: viewer, clock: service.clock)
        let admitted = state.withLock { state -> (client: RobotClient?, connection: SignalingConnection?)? in
            guard state.doors.count < RobotLimits.channels, state.doors[channel] == nil else { return nil }
            let isLiDAR = state.client != nil && label == Self.lidarLabel
            let limit = Double(RobotLimits.messagesPerSecond)
            let connection = isLiDAR ? nil : connection(through: channelDoor, as: state.client)
            state.doors[channel] = Door(
                incoming: continuation, rate: RateLimit(rate: limit, burst: limit * 2), connection: connection,
                isLiDAR: isLiDAR)
            return (state.client, connection)
        }
        guard let admitted else { return refuse(channel, of: viewer, .tooManyChannels) }
        if let connection = admitted.connection {
            Task { await converse(connection, stream) }
        } else if let client = admitted.client {
            Task { await client.showLiDAR(through: channelDoor, until: stream) }
        }
    }

    func received(_ message: DataChannelMessage, on channel: DataChannelID, viewer: ViewerID) {
        let now = service.clock.now()
        let offence = state.withLock { state -> ChannelOffence? in
            guard state.doors[channel] != nil else { return nil }
            guard message.bytes.count <= RobotLimits.channelMessageBytes else { return .messageTooLong }
            guard state.doors[channel]?.rate.take(now: now) ?? false else { return .tooManyMessages }
            if case .dropped? = state.doors[channel]?.incoming.yield(message) { return .tooManyMessages }
            return nil
        }
        guard let offence else { return }
        close(channel, of: viewer, offence)
    }

    func congested(_ isCongested: Bool, on channel: DataChannelID, viewer: ViewerID) {
        let isText = state.withLock { $0.doors[channel]?.isLiDAR == false }
        if isCongested, isText { close(channel, of: viewer, .slowReader) }
    }

    func closed(_ channel: DataChannelID, viewer: ViewerID) {
        take(channel)?.incoming.finish()
    }

    func ended(viewer: ViewerID) {
        let all = state.withLock { state in
            defer { state.doors.removeAll() }
            return Array(state.doors.values)
        }
        for door in all { door.incoming.finish() }
    }

    // MARK: Conversation

    private func connection(through door: ChannelDoor, as client: RobotClient?) -> SignalingConnection {
        SignalingConnection(
            audience: audience, service: service, remoteAddress: remoteAddress, client: client, isChannel: true,
            send: { door.send($0) }, close: { _, _ in door.close() })
    }

    private func converse(_ connection: SignalingConnection, _ incoming: AsyncStream<DataChannelMessage>) async {
        await connection.open()
        for await message in incoming { await connection.receive(message.bytes, isText: message.isText) }
        await connection.closed()
    }

    private func close(_ channel: DataChannelID, of viewer: ViewerID, _ offence: ChannelOffence) {
        take(channel)?.incoming.finish()
        refuse(channel, of: viewer, offence)
    }

    private func refuse(_ channel: DataChannelID, of viewer: ViewerID, _ offence: ChannelOffence) {
        service.channelMetrics.count(offence)
        service.media.closeChannel(channel, of: viewer)
    }
}

/// Why a viewer's data channel is closed.
enum ChannelOffence: String, CaseIterable, Sendable {
    case tooManyChannels = "too_many_channels"
    case messageTooLong = "message_too_long"
    case tooManyMessages = "too_many_messages"
    case slowReader = "slow_reader"
}

/// Our end of one data channel.
struct ChannelDoor: Sendable {
    let media: any AvatarMedia
    let channel: DataChannelID
    let viewer: ViewerID
    let clock: SignalingClock

    func send(_ message: ServerMessage) {
        media.send(DataChannelMessage(text: message.text(at: clock.wallTime())), on: channel, to: viewer)
    }

    /// Sends a frame that stands alone, unless an earlier one has not gone out yet.
    func send(frame: [UInt8]) {
        media.sendNewest(DataChannelMessage(isText: false, bytes: frame), on: channel, to: viewer)
    }

    func close() { media.closeChannel(channel, of: viewer) }
}

/// How often channels were closed, and why.
struct ChannelMetrics: Sendable {
    private let refusals: [ChannelOffence: Counter]

    init(_ metrics: MetricsRegistry) {
        refusals = Dictionary(
            uniqueKeysWithValues: ChannelOffence.allCases.map { offence in
                (
                    offence,
                    metrics.counter(
                        "avatar_streamer_channels_refused_total",
                        help: "Data channels of viewers that were closed for a fault.",
                        labels: ["reason": offence.rawValue])
                )
            })
    }

    func count(_ offence: ChannelOffence) { refusals[offence]?.increment() }
}
