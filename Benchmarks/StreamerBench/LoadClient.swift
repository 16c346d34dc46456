import Core
import Glibc
import Networking
import PeerConnection
import Synchronization
import TURNClient

/// A crowd of viewers in a process of its own: each with a socket of its own, built on the same PeerConnection as the server,
/// counting what it gets and what it misses.
///
/// Speaks lines with the server process: `offer N BASE64` out, `answer N BASE64` in; `report` in, `result …` out.
final class LoadClient {
    private final class Member {
        let socket: UDPSocket
        var peer: PeerConnection
        let offered: Instant
        var isConnected = false
        var connectedAfter: Duration?
        var keyFrameAfter: Duration?
        var keyFrame = KeyFrameWatch()
        var armed: Instant?

        init(socket: UDPSocket, peer: consuming PeerConnection, offered: Instant) {
            self.socket = socket
            self.peer = peer
            self.offered = offered
        }
    }

    private let loop: EventLoop
    private let context: DTLSContext
    private let arena = ReceiveArena()
    private let count: Int
    private let perSecond: Int
    private let watchesKeyFrames: Bool
    /// Of the picture: the only one that is offered.
    private let codec: MediaCodec
    private var members: [Member] = []
    private var isAnswered = 0

    init(loop: EventLoop, count: Int, perSecond: Int, watchesKeyFrames: Bool, codec: MediaCodec) throws {
        self.loop = loop
        self.count = count
        self.perSecond = perSecond
        self.watchesKeyFrames = watchesKeyFrames
        self.codec = codec
        context = try DTLSContext(certificate: DTLSCertificate())
    }

    /// Joins one more viewer, and the next one in its turn.
    func joinNext() {
        guard members.count < count else { return }
        do {
            try join()
        } catch {
            emit("failed \(error)")
        }
        loop.schedule(at: loop.now + .nanoseconds(1_000_000_000 / Int64(max(perSecond, 1)))) { self.joinNext() }
    }

    private func join() throws {
        let index = members.count
        var options = UDPSocket.Options()
        options.receiveBufferBytes = 1 << 18
        let socket = try UDPSocket(binding: SocketAddress(.loopbackV4, 0), options)
        var capabilities = MediaCapabilities()
        capabilities.sendsVideo = false
        capabilities.sendsAudio = false
        capabilities.receivesVideo = true
        capabilities.receivesAudio = true
        capabilities.videoCodecs = [codec]
        var peer = PeerConnection(
            configuration: PeerConnection.Configuration(
                role: .offerer, capabilities: capabilities, deliversReceivedMedia: watchesKeyFrames),
            context: context, random: .system, now: SystemClock.now())
        let local = LocalCandidateID(0)
        peer.addLocalCandidate(local, Candidate(type: .host, address: socket.localAddress), now: loop.now)
        let offer = peer.createOffer(includesCandidates: true, now: loop.now)
        let member = Member(socket: socket, peer: peer, offered: SystemClock.now())
        members.append(member)
        try socket.startReceiving(on: loop, into: arena) { bytes, source in
            _ = member.peer.handleDatagram(bytes, from: source, on: local, now: self.loop.now)
            self.drain(member)
        }
        emit("offer \(index) \(Base64.encode(Array(offer.utf8)))")
    }

    /// One line of the server process.
    func receive(_ line: String) {
        let words = line.split(separator: " ")
        if words.count == 3, words[0] == "answer", let index = Int(words[1]), let sdp = Base64.decode(words[2]) {
            let member = members[index]
            do {
                try member.peer.acceptAnswer(String(decoding: sdp, as: UTF8.self), now: loop.now)
            } catch {
                emit("failed \(error)")
            }
            drain(member)
        } else if words.first == "report" {
            report()
        } else if words.first == "quit" {
            for member in members {
                member.peer.close(now: loop.now)
                drain(member)
            }
            exit(0)
        }
    }

    private func drain(_ member: Member) {
        while let transmit = member.peer.pollTransmit() { member.socket.send(transmit.bytes, to: transmit.destination) }
        while let event = member.peer.pollEvent() {
            switch event {
            case .connected:
                member.isConnected = true
                member.connectedAfter = SystemClock.now() - member.offered
                emit("connected")
            case .rtpReceived(let packet):
                if member.keyFrameAfter == nil, member.keyFrame.isComplete(with: packet) {
                    member.keyFrameAfter = SystemClock.now() - member.offered
                }
            case .failed(let phase, let reason): emit("failed \(phase) \(reason)")
            default: break
            }
        }
        guard let deadline = member.peer.deadline else { return }
        if let armed = member.armed, armed <= deadline, armed > loop.now { return }
        member.armed = deadline
        loop.schedule(at: deadline) {
            guard member.armed == deadline else { return }
            member.armed = nil
            if let due = member.peer.deadline, due <= self.loop.now {
                member.peer.handleTimeout(now: self.loop.now, wallTime: SystemClock.wallTime())
            }
            self.drain(member)
        }
    }

    private func report() {
        var received: UInt64 = 0
        var missing: UInt64 = 0
        var recovered: UInt64 = 0
        for member in members {
            let statistics = member.peer.statistics
            for stream in [statistics.receivedVideo, statistics.receivedAudio].compactMap({ $0 }) {
                received += stream.packetsReceived
                missing += stream.packetsRequested
                recovered += stream.packetsRecovered
            }
        }
        let connected = members.compactMap { $0.connectedAfter?.milliseconds }
        let pictures = members.compactMap { $0.keyFrameAfter?.milliseconds }
        emit(
            "result received=\(received) lost=\(missing) recovered=\(recovered) connected=\(connected.count)"
                + " connect_p50=\(percentile(connected, 0.5)) connect_p95=\(percentile(connected, 0.95))"
                + " picture_p50=\(percentile(pictures, 0.5)) picture_p95=\(percentile(pictures, 0.95))"
                + " pictures=\(pictures.count)")
    }
}

/// Notices when the first whole VP8 key frame is there.
struct KeyFrameWatch {
    private var next: UInt16?

    mutating func isComplete(with packet: ReceivedPacket) -> Bool {
        guard packet.kind == .video, packet.payload.count > 1 else { return false }
        let isStart = packet.payload[0] & 0x17 == 0x10
        if isStart, packet.payload[1] & 1 == 0 {
            next = packet.sequenceNumber &+ 1
        } else if packet.sequenceNumber == next {
            next = packet.sequenceNumber &+ 1
        } else {
            return false
        }
        return packet.marker
    }
}

/// Runs the crowd until its standard input ends.
func runLoadClient(count: Int, perSecond: Int, watchesKeyFrames: Bool, codec: MediaCodec) throws -> Never {
    let loop = try EventLoop(name: "load-client")
    let client = LoopBound<LoadClient?>(nil, on: loop)
    try loop.start()
    loop.submit {
        client.withValue { client in
            client = try? LoadClient(
                loop: loop, count: count, perSecond: perSecond, watchesKeyFrames: watchesKeyFrames, codec: codec)
            client?.joinNext()
        }
    }
    while let line = readLine() {
        loop.submit { client.withValue { $0?.receive(line) } }
    }
    exit(0)
}
