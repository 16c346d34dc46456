import Core
import Foundation
import Networking
import PeerConnection
import TURNClient

/// A peer for conformance tests and measurements of data channels, told what to do by JSON lines; belongs to the thread of its loop.
///
/// What it does on a channel follows from the label's beginning: `echo…` sends back what comes, `sink…` counts it and answers a
/// text message "report". Everything else is written out.
final class ChannelPeer {
    private struct Channel {
        var label: String
        var waiting: [DataChannelMessage] = []
        var messages = 0
        var bytes = 0
        /// Messages whose first four bytes are a greater number than those of the message before.
        var inOrder = 0
        var lastNumber = -1
        /// Messages that this side makes itself: how many are left, of how many bytes.
        var toMake = 0
        var size = 0
        var made: UInt32 = 0
    }

    private static let local = LocalCandidateID(0)

    private let loop: EventLoop
    private let socket: UDPSocket
    private var peer: PeerConnection
    private var channels: [DataChannelID: Channel] = [:]
    private var armed: (timer: TimerID, at: Instant)?
    private var isDraining = false

    init(loop: EventLoop, role: PeerConnection.Role, limits: DataChannelLimits) throws {
        self.loop = loop
        var options = UDPSocket.Options()
        options.receiveBufferBytes = 4 << 20
        options.sendBufferBytes = 4 << 20
        socket = try UDPSocket(binding: SocketAddress(.loopbackV4, 0), options)
        let capabilities = MediaCapabilities(
            sendsVideo: false, sendsAudio: false, receivesVideo: false, receivesAudio: false)
        peer = PeerConnection(
            configuration: PeerConnection.Configuration(role: role, capabilities: capabilities, dataChannels: limits),
            context: try DTLSContext(certificate: DTLSCertificate()), random: .system, now: loop.now)
        try socket.startReceiving(on: loop, into: ReceiveArena()) { [weak self] bytes, source in
            guard let self else { return }
            _ = peer.handleDatagram(bytes, from: source, on: Self.local, now: loop.now)
            drain()
        }
        peer.addLocalCandidate(Self.local, Candidate(type: .host, address: socket.localAddress), now: loop.now)
        if role == .offerer {
            tell(["event": "offer", "sdp": .string(peer.createOffer(includesCandidates: true, now: loop.now))])
        }
    }

    /// Does what a line says.
    func perform(_ command: JSONValue) {
        do {
            if let sdp = command["offer"]?.stringValue {
                let answer = try peer.acceptOffer(sdp, includesCandidates: true, now: loop.now)
                tell(["event": "answer", "sdp": .string(answer)])
            } else if let sdp = command["answer"]?.stringValue {
                try peer.acceptAnswer(sdp, now: loop.now)
            } else if let label = command["open"]?.stringValue {
                var settings = DataChannelSettings(label: label)
                settings.isOrdered = command["ordered"]?.booleanValue ?? true
                if let count = command["retransmissions"]?.integerValue {
                    settings.reliability = .retransmissions(UInt16(clamping: count))
                }
                channels[try peer.openDataChannel(settings, now: loop.now)] = Channel(label: label)
            } else if let label = command["send"]?.stringValue, let id = id(of: label) {
                channels[id]?.toMake = command["count"]?.integerValue ?? 1
                channels[id]?.size = command["size"]?.integerValue ?? 4
                send(on: id)
            } else if let label = command["close"]?.stringValue, let id = id(of: label) {
                peer.closeDataChannel(id, now: loop.now)
            } else if command["statistics"] != nil {
                tellStatistics()
            } else if command["quit"] != nil {
                peer.close(now: loop.now)
                drain()
                exit(0)
            } else {
                tell(["event": "error", "reason": "unknown command"])
            }
        } catch {
            tell(["event": "error", "reason": .string("\(error)")])
        }
        drain()
    }

    private func id(of label: String) -> DataChannelID? {
        channels.first { $0.value.label == label }?.key
    }

    private func drain() {
        guard !isDraining else { return }
        isDraining = true
        var isMoving = true
        while isMoving {
            isMoving = false
            while let transmit = peer.pollTransmit() { socket.send(transmit.bytes, to: transmit.destination) }
            while let event = peer.pollEvent() {
                take(event)
                isMoving = true
            }
        }
        isDraining = false
        arm()
    }

    private func arm() {
        let deadline = peer.deadline
        // A deadline that moved away is found out when it comes.
        if let armed, let deadline, armed.at <= deadline { return }
        if let armed { loop.cancel(armed.timer) }
        armed = nil
        guard let deadline else { return }
        let timer = loop.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            armed = nil
            peer.handleTimeout(now: loop.now, wallTime: SystemClock.wallTime())
            drain()
        }
        armed = (timer, deadline)
    }

    private func take(_ event: PeerConnection.Event) {
        switch event {
        case .connected: tell(["event": "connected"])
        case .sctpConnected: tell(["event": "sctp"])
        case .sctpEnded(let reason): tell(["event": "sctp_ended", "reason": .string(reason)])
        case .dataChannelOpened(let id, let settings, let isIncoming):
            if isIncoming { channels[id] = Channel(label: settings.label) }
            tell([
                "event": "opened", "label": .string(settings.label), "protocol": .string(settings.subprotocol),
                "ordered": .boolean(settings.isOrdered), "reliability": .string("\(settings.reliability)"),
                "incoming": .boolean(isIncoming),
            ])
        case .dataChannelMessage(let id, let message): receive(message, on: id)
        case .dataChannelBufferLow(let id): send(on: id)
        case .dataChannelClosed(let id):
            tell(["event": "closed", "label": JSONValue(channels.removeValue(forKey: id)?.label)])
        case .failed(let phase, let reason):
            tell(["event": "failed", "phase": .string(phase.rawValue), "reason": .string(reason)])
        case .closed:
            tell(["event": "peer_closed"])
            exit(0)
        case .iceStateChanged, .selectedPair, .dtlsConnected, .keyFrameRequested, .rtpReceived: break
        }
    }

    private func receive(_ message: DataChannelMessage, on id: DataChannelID) {
        guard let label = channels[id]?.label else { return }
        if label.hasPrefix("echo") {
            channels[id]?.waiting.append(message)
            send(on: id)
        } else if message.isText, message.bytes == Array("report".utf8), let channel = channels[id] {
            let report: JSONValue = [
                "messages": JSONValue(channel.messages), "bytes": JSONValue(channel.bytes),
                "in_order": JSONValue(channel.inOrder),
            ]
            channels[id]?.waiting.append(DataChannelMessage(text: report.text))
            send(on: id)
        } else if message.isText {
            tell([
                "event": "text", "label": .string(label),
                "text": .string(String(decoding: message.bytes, as: UTF8.self)),
            ])
        } else {
            channels[id]?.messages += 1
            channels[id]?.bytes += message.bytes.count
            let number = message.bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            if number > channels[id]?.lastNumber ?? -1 { channels[id]?.inOrder += 1 }
            channels[id]?.lastNumber = number
        }
    }

    /// Sends until too much waits.
    private func send(on id: DataChannelID) {
        do throws(DataChannelError) {
            while let channel = channels[id] {
                if let message = channel.waiting.first {
                    try peer.send(message, on: id, now: loop.now)
                    channels[id]?.waiting.removeFirst()
                    continue
                }
                guard channel.toMake > 0 else { return }
                var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: channel.made), count: max(channel.size, 4))
                for place in 0..<4 {
                    bytes[place] = UInt8(truncatingIfNeeded: channel.made >> (24 - 8 * UInt32(place)))
                }
                try peer.send(DataChannelMessage(isText: false, bytes: bytes), on: id, now: loop.now)
                channels[id]?.toMake -= 1
                channels[id]?.made += 1
                // Behind the last message; it waits as others do where there is no room.
                if channel.toMake == 1 { channels[id]?.waiting.append(DataChannelMessage(text: "report")) }
            }
        } catch {
            guard error != .bufferFull else { return }
            tell(["event": "error", "reason": .string("\(error)")])
        }
    }

    private func tellStatistics() {
        guard let statistics = peer.sctpStatistics else { return }
        tell([
            "event": "statistics", "state": .string(statistics.state.rawValue),
            "channels": JSONValue(statistics.channels),
            "messages_sent": JSONValue(Int(statistics.messagesSent)),
            "messages_received": JSONValue(Int(statistics.messagesReceived)),
            "abandoned": JSONValue(Int(statistics.messagesAbandoned)), "refused": JSONValue(Int(statistics.refused)),
            "inits_sent": JSONValue(Int(statistics.initsSent)),
            "cpu_ms": JSONValue(Int(ProcessFigures.cpuSeconds() * 1000)),
        ])
    }

    private func tell(_ line: JSONValue) {
        emit(line.text)
    }
}

/// Runs one ``ChannelPeer`` by the lines of the standard input, until that ends.
func runChannelPeer(role: PeerConnection.Role, maximumMessageBytes: Int) throws -> Never {
    let loop = try EventLoop(name: "channels")
    let own = LoopBound<ChannelPeer?>(nil, on: loop)
    var limits = DataChannelLimits()
    limits.maximumMessageBytes = maximumMessageBytes
    limits.maximumIncompleteBytes = max(limits.maximumIncompleteBytes, 4 * maximumMessageBytes)
    let settings = limits
    try loop.start()
    loop.submit {
        do {
            let made = try ChannelPeer(loop: loop, role: role, limits: settings)
            own.withValue { $0 = made }
        } catch {
            emit("{\"event\":\"error\",\"reason\":\"\(error)\"}")
            exit(1)
        }
    }
    while let line = readLine() {
        guard let command = JSONValue(parsing: Array(line.utf8)) else { continue }
        loop.submit { own.withValue { $0 }?.perform(command) }
    }
    exit(0)
}
