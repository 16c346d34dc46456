import Core
import Networking
import PeerConnection
import PeerSupport
import Synchronization
import TestSupport

@testable import Go2Bridge

/// A robot's WebRTC side on loopback, polite unless a test tells it otherwise; a new peer answers each offer.
final class FakeRobot: Sendable {
    enum Validation: Sendable {
        case normal
        /// No challenge, no answer to anything.
        case silent
        /// A challenge, and no acceptance.
        case deaf
        /// `Validation Needed.` to every answer.
        case insisting
        /// Accepts the first answer; once a heartbeat came, `Validation Needed.` to everything.
        case forgetful
    }
    enum Camera: Sendable { case nothing, keyFrames, garbage }

    struct Behaviour: Sendable {
        var changesOffer: @Sendable (String) -> String = { $0 }
        var changesAnswer: @Sendable (String) -> String = { $0 }
        var loses: @Sendable (AnsweringPeer.Direction, [UInt8]) -> Bool = { _, _ in false }
        var hasChannel = true
        var leavesWhenConnected = false
        var validation = Validation.normal
        var camera = Camera.keyFrames
        var answersHeartbeats = true
        /// Thrown instead of an answer, one offer each.
        var refusals: [PhaseFailure] = []
    }

    /// What the robot saw.
    struct Seen: Sendable {
        var offers = 0
        /// Types of the messages that came, in order, of all sessions.
        var messages: [String] = []
        var goodbyes = 0
        var sounds = 0
    }

    static let challenge = "FU8KjrwO159aHMt1dmF"
    static let answer = "Ms4+h3W1wrZ/qIudptjUig=="

    let seen = Watched(Seen())
    private let loop: EventLoop
    private let behaviour: Mutex<Behaviour>
    private let peers = Mutex<[AnsweringPeer]>([])
    /// The session that spoke last, and its channel.
    private let talking = Mutex<(AnsweringPeer, DataChannelID)?>(nil)

    init(_ behaviour: Behaviour = Behaviour()) throws {
        self.behaviour = Mutex(behaviour)
        loop = try EventLoop(name: "robot")
        try loop.start()
    }

    func behave(_ change: (inout Behaviour) -> Void) {
        behaviour.withLock { change(&$0) }
    }

    var exchange: RobotExchange {
        RobotExchange(isDiscovering: false) { _ throws(PhaseFailure) in
            RobotAddress(.loopbackV4)
        } exchange: { offer, _, witness throws(PhaseFailure) in
            witness("the fake robot was asked")
            return SignalingAnswer(sdp: try await self.answer(offer), generation: .notify(data2: 2), evidence: [])
        }
    }

    /// The running session's peer is gone without a word.
    func vanish() {
        for peer in peers.withLock({ $0 }) { peer.vanish() }
    }

    /// Nothing of the data channel leaves any more; checks are answered.
    func fallSilent() {
        for peer in peers.withLock({ $0 }) {
            peer.lose { direction, bytes in direction == .outgoing && bytes.first == 23 }
        }
    }

    /// Nothing of the data channel arrives any more, or all of it again; checks are answered.
    func goDeaf(_ isDeaf: Bool) {
        for peer in peers.withLock({ $0 }) {
            peer.lose { direction, bytes in isDeaf && direction == .incoming && bytes.first == 23 }
        }
    }

    /// Says that text on the channel that is open.
    func say(_ text: String) {
        guard let (peer, channel) = talking.withLock({ $0 }) else { return }
        peer.loop.submit { peer.send(DataChannelMessage(text: text), on: channel) }
    }

    /// Says goodbye, as a robot does that restarts in an orderly way.
    func restart() async {
        let former = peers.withLock { peers in
            defer { peers = [] }
            return peers
        }
        for peer in former { await peer.close() }
    }

    func stop() async {
        await restart()
        await loop.stop()
    }

    private func answer(_ offer: String) async throws(PhaseFailure) -> String {
        seen.update { $0.offers += 1 }
        let (now, refusal) = behaviour.withLock { behaviour in
            (behaviour, behaviour.refusals.isEmpty ? nil : behaviour.refusals.removeFirst())
        }
        if let refusal { throw refusal }
        do {
            let limits = now.hasChannel ? DataChannelLimits() : nil
            let peer = try await AnsweringPeer.make(
                on: loop,
                capabilities: MediaCapabilities(
                    sendsVideo: true, sendsAudio: true, videoCodecs: [.h264], dataChannels: limits),
                dataChannels: limits
            ) { [weak self] peer, event in
                self?.handle(event, of: peer, now)
            }
            peers.withLock { $0.append(peer) }
            peer.lose(now.loses)
            return now.changesAnswer(try await peer.answer(now.changesOffer(offer)))
        } catch {
            throw PhaseFailure(code: "fake", reason: "\(error)", causes: [], remedy: "")
        }
    }

    // MARK: On the loop

    private func handle(_ event: PeerConnection.Event, of peer: AnsweringPeer, _ behaviour: Behaviour) {
        switch event {
        case .connected:
            if behaviour.leavesWhenConnected { Task { await peer.close() } }
        case .dataChannelOpened(let channel, _, isIncoming: true):
            talking.withLock { $0 = (peer, channel) }
            guard behaviour.validation != .silent else { return }
            say(["type": "validation", "data": .string(Self.challenge)], on: channel, peer)
        case .dataChannelMessage(let channel, let message):
            guard let text = JSONValue(parsing: message.bytes) else { return }
            answer(text, on: channel, peer, behaviour)
        case .rtpReceived: seen.update { $0.sounds += 1 }
        case .closed: seen.update { $0.goodbyes += 1 }
        default: break
        }
    }

    private func answer(
        _ message: JSONValue, on channel: DataChannelID, _ peer: AnsweringPeer, _ behaviour: Behaviour
    ) {
        let type = message["type"]?.stringValue ?? ""
        seen.update { $0.messages.append(type) }
        switch type {
        case "validation":
            switch behaviour.validation {
            case .normal where message["data"]?.stringValue == Self.answer:
                say(["type": "validation", "data": "Validation Ok."], on: channel, peer)
                say(["type": "errors", "data": []], on: channel, peer)
            case .forgetful where !seen.current.messages.contains("heartbeat"):
                say(["type": "validation", "data": "Validation Ok."], on: channel, peer)
            case .normal, .insisting, .forgetful: say(["type": "err", "info": "Validation Needed."], on: channel, peer)
            case .silent, .deaf: break
            }
        case "heartbeat" where behaviour.validation == .forgetful:
            say(["type": "err", "info": "Validation Needed."], on: channel, peer)
        case "heartbeat": if behaviour.answersHeartbeats { say(["type": "heartbeat"], on: channel, peer) }
        case "vid": if message["data"]?.stringValue == "on" { show(behaviour.camera, peer) }
        default: break
        }
    }

    private func say(_ message: JSONValue, on channel: DataChannelID, _ peer: AnsweringPeer) {
        peer.send(DataChannelMessage(text: message.text), on: channel)
    }

    /// Three pictures: parameter sets and an IDR slice of 3,000 bytes each, or bytes that are no H.264.
    private func show(_ camera: Camera, _ peer: AnsweringPeer) {
        guard camera != .nothing else { return }
        for number in UInt32(0)..<3 {
            let first: UInt8 = camera == .keyFrames ? 0x65 : 0xFF
            let unit = AccessUnit(
                nalUnits: [
                    [0x67, 0x42, 0xE0, 0x1F, 0x8D], [0x68, 0xCE, 1],
                    [first, 0x88, 0x84] + [UInt8](repeating: 7, count: 3000),
                ],
                isKeyFrame: true, timestamp: number * 3600, receivedAt: peer.loop.now, firstSequenceNumber: 0,
                isWhole: true)
            let parts =
                camera == .keyFrames
                ? H264Packetizer.payloads(of: unit, maximumPayload: 1100)
                : [PacketizedPayloads(storage: unit.nalUnits[2], payloadSize: 1000, isKeyFrame: true)]
            for (index, payloads) in parts.enumerated() {
                peer.send(
                    MediaFrame(
                        codec: .h264, payloads: payloads, rtpTimestamp: number * 3600, presentationTime: peer.loop.now,
                        epoch: 0, capturedAt: peer.loop.now, endsPicture: index == parts.count - 1))
            }
        }
    }
}
