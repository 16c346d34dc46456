package import Core
package import Networking
package import PeerConnection
import Synchronization
import TURNClient

/// The other side of a call of ours: a peer that answers, on a real loopback socket and a loop of its own.
///
/// It is the DTLS client, as robots are. A test may lose datagrams of its choice, in either direction.
// SAFETY: everything that changes is touched on the loop's thread alone, but for `loses`, which has a lock.
package final class AnsweringPeer: @unchecked Sendable {
    package enum Direction: Sendable { case incoming, outgoing }

    package let loop: EventLoop
    package let address: SocketAddress
    private let socket: UDPSocket
    private let arena = ReceiveArena()
    private var peer: PeerConnection
    private let handler: @Sendable (AnsweringPeer, PeerConnection.Event) -> Void
    private let losing = Mutex<@Sendable (Direction, [UInt8]) -> Bool>({ _, _ in false })
    private var armed: Instant?
    private var isDraining = false

    /// - Parameter handler: hears every event on the loop's thread.
    package static func make(
        on loop: EventLoop, capabilities: MediaCapabilities, dataChannels: DataChannelLimits?,
        handler: @escaping @Sendable (AnsweringPeer, PeerConnection.Event) -> Void = { _, _ in }
    ) async throws -> AnsweringPeer {
        let socket = try UDPSocket(binding: SocketAddress(.loopbackV4, 0))
        let context = try DTLSContext(certificate: DTLSCertificate())
        let made = await loop.perform {
            AnsweringPeer(loop, socket, context, capabilities, dataChannels, handler)
        }
        guard let made else { throw CancellationError() }
        return made
    }

    private init(
        _ loop: EventLoop, _ socket: UDPSocket, _ context: DTLSContext, _ capabilities: MediaCapabilities,
        _ dataChannels: DataChannelLimits?, _ handler: @escaping @Sendable (AnsweringPeer, PeerConnection.Event) -> Void
    ) {
        self.loop = loop
        self.socket = socket
        self.handler = handler
        address = socket.localAddress
        var configuration = PeerConnection.Configuration(
            role: .answerer, capabilities: capabilities, deliversReceivedMedia: true)
        configuration.dataChannels = dataChannels
        peer = PeerConnection(configuration: configuration, context: context, random: .system, now: loop.now)
        peer.addLocalCandidate(LocalCandidateID(0), Candidate(type: .host, address: address), now: loop.now)
        try? socket.startReceiving(on: loop, into: arena) { [weak self] bytes, source in
            self?.receive(bytes, from: source)
        }
    }

    // MARK: From anywhere

    /// From now on, datagrams of which `loses` says so are lost.
    package func lose(_ loses: @escaping @Sendable (Direction, [UInt8]) -> Bool) {
        losing.withLock { $0 = loses }
    }

    /// Is gone without a word.
    package func vanish() {
        lose { _, _ in true }
    }

    package func answer(_ offer: String) async throws -> String {
        let answered = await loop.perform { [self] () -> Result<String, NegotiationError> in
            defer { drain() }
            // Who offers "passive" leaves the ClientHello to us.
            let text = offer.replacing("a=setup:actpass", with: "a=setup:passive")
            do throws(NegotiationError) {
                return .success(try peer.acceptOffer(text, includesCandidates: true, now: loop.now))
            } catch {
                return .failure(error)
            }
        }
        guard let answered else { throw CancellationError() }
        return try answered.get()
    }

    package func close() async {
        _ = await loop.perform { [self] in
            peer.close(now: loop.now)
            drain()
            socket.stopReceiving(on: loop)
        }
    }

    // MARK: On the loop

    package func send(_ message: DataChannelMessage, on channel: DataChannelID) {
        try? peer.send(message, on: channel, now: loop.now)
        drain()
    }

    package func closeChannel(_ channel: DataChannelID) {
        peer.closeDataChannel(channel, now: loop.now)
        drain()
    }

    package func send(_ frame: MediaFrame) {
        guard let path = peer.path else { return }
        var batch = [UInt8](repeating: 0, count: 1 << 20)
        let written = batch.withUnsafeMutableBytes { peer.write(frame, into: $0, now: loop.now) }
        var offset = 0
        while offset < written.byteCount {
            let end = min(offset + written.segmentSize, written.byteCount)
            put(Array(batch[offset..<end]), to: path.remote)
            offset = end
        }
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress) {
        let loses = losing.withLock { $0 }
        guard !loses(.incoming, Array(bytes)) else { return }
        _ = peer.handleDatagram(bytes, from: source, on: LocalCandidateID(0), now: loop.now)
        drain()
    }

    private func drain() {
        guard !isDraining else { return }
        isDraining = true
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let transmit = peer.pollTransmit() { put(transmit.bytes, to: transmit.destination) }
            while let event = peer.pollEvent() {
                isQuiet = false
                handler(self, event)
            }
        }
        isDraining = false
        arm()
    }

    private func arm() {
        guard let deadline = peer.deadline else { return }
        if let armed, armed <= deadline { return }
        armed = deadline
        loop.schedule(at: max(deadline, loop.now + .milliseconds(1))) { [weak self] in
            guard let self, armed == deadline else { return }
            armed = nil
            if let due = peer.deadline, due <= loop.now {
                peer.handleTimeout(now: loop.now, wallTime: SystemClock.wallTime())
            }
            drain()
        }
    }

    private func put(_ bytes: [UInt8], to destination: SocketAddress) {
        let loses = losing.withLock { $0 }
        if !loses(.outgoing, bytes) { socket.send(bytes, to: destination) }
    }
}
