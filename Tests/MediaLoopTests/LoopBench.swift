import Core
import Glibc
import MediaPipeline
import Networking
import PeerConnection
import TestSupport
import Testing

@testable import MediaLoop

/// A media loop on free loopback ports with one stage, and a loop for the viewers of the test.
final class LoopBench: Sendable {
    static let pictureByteCount = 2500
    static let secret = Array("a secret of more than 16 bytes".utf8)

    let media: MediaLoop
    let metrics: MetricsRegistry
    let viewerLoop: EventLoop
    let stage = StageID("stage")
    /// Every count that the stage was told.
    let viewerCounts = Watched<[Int]>([])
    let viewers = Watched<StageViewers>(StageViewers())
    let keyFrameRequests = Watched(0)
    let keyFrameCodecs = Watched<[MediaCodec]>([])

    var connectivity: ConnectivityConfiguration { media.configuration.connectivity }
    var directAddress: SocketAddress { SocketAddress(.loopbackV4, connectivity.directPort) }
    var mediaAddress: SocketAddress { SocketAddress(.loopbackV4, connectivity.mediaPort) }

    private init(_ media: MediaLoop, _ metrics: MetricsRegistry, _ viewerLoop: EventLoop) {
        self.media = media
        self.metrics = metrics
        self.viewerLoop = viewerLoop
    }

    /// Starts a loop with the embedded relay. Other suites run at the same time, so a port that is taken meanwhile is
    /// passed over.
    static func start(
        _ mode: ConnectivityConfiguration.Mode = .direct,
        adjust: (inout MediaLoopConfiguration) -> Void = { _ in }
    ) async throws -> LoopBench {
        var relay = ConnectivityConfiguration.EmbeddedRelay(sharedSecret: secret)
        while true {
            let ports = FreePorts.take(4)
            relay.port = ports.lowerBound
            var connectivity = ConnectivityConfiguration(relay: .embedded(relay), publicAddress: .loopbackV4)
            connectivity.mode = mode
            connectivity.portRange = ports
            let failure: MediaLoopError
            do throws(MediaLoopError) {
                return try await start(connectivity, adjust: adjust)
            } catch {
                failure = error
            }
            guard failure.code == .portUnavailable else { throw failure }
        }
    }

    static func start(
        _ connectivity: ConnectivityConfiguration, adjust: (inout MediaLoopConfiguration) -> Void = { _ in }
    ) async throws(MediaLoopError) -> LoopBench {
        var connectivity = connectivity
        connectivity.bindAddress = .loopbackV4
        var configuration = MediaLoopConfiguration(connectivity: connectivity)
        adjust(&configuration)
        let metrics = MetricsRegistry()
        let media = try MediaLoop(configuration: configuration, metrics: metrics)
        try await media.start()
        guard let loop = try? EventLoop(name: "viewers"), (try? loop.start()) != nil else {
            preconditionFailure("the machine has no descriptors left for a test's event loop")
        }
        let bench = LoopBench(media, metrics, loop)
        bench.addStage(bench.stage)
        return bench
    }

    func addStage(_ id: StageID, videoCodecs: @escaping @Sendable () -> [MediaCodec] = { [.vp8] }) {
        media.addStage(
            id, videoCodecs: videoCodecs,
            keyFrameRequested: { [keyFrameRequests, keyFrameCodecs] codec in
                keyFrameCodecs.update { $0.append(codec) }
                keyFrameRequests.update { $0 += 1 }
            },
            viewersChanged: { [viewerCounts, viewers] now in
                viewers.update { $0 = now }
                viewerCounts.update { $0.append(now.total) }
            })
    }

    func stop() async {
        await media.stop()
        await viewerLoop.stop()
    }

    // MARK: Viewers

    /// What browsers would be told about the embedded relay.
    func relay(usesTCP: Bool = false, name: String = "viewer") -> LoopbackViewer.Relay {
        let server = connectivity.browserConfiguration(now: SystemClock.wallTime(), name: name).iceServers.last
        return LoopbackViewer.Relay(
            server: SocketAddress(.loopbackV4, connectivity.portRange.lowerBound), username: server?.username ?? "",
            password: server?.credential ?? "", usesTCP: usesTCP)
    }

    /// One viewer that has joined: its own side, its number, and what signaling is told of it.
    struct Joined: Sendable {
        let viewer: LoopbackViewer
        let answer: ViewerAnswer
        let events: Watched<[ViewerEvent]>
        var id: ViewerID { answer.id }
        var seen: Watched<LoopbackViewer.Seen> { viewer.seen }

        /// The fragment that checks for this viewer name.
        var serverFragment: String {
            answer.sdp.split(whereSeparator: \.isNewline).first { $0.hasPrefix("a=ice-ufrag:") }
                .map { String($0.dropFirst("a=ice-ufrag:".count)) } ?? ""
        }

        func isConnected() async -> Bool { await seen.wait { $0.isConnected } }
        func hasPictures(_ numbers: [UInt8]) async -> Bool {
            await seen.wait { $0.pictures.suffix(numbers.count) == numbers[...] }
        }
        func hasEntered(_ state: ViewerState) async -> Bool {
            await events.wait { $0.contains { if case .stateChanged(state) = $0 { true } else { false } } }
        }
    }

    /// - Parameter trickles: the viewer's candidates follow its offer one by one.
    func join(
        _ viewer: LoopbackViewer, stage: StageID? = nil, remoteAddress: IPAddress? = nil, trickles: Bool = false,
        microphone: (any MicrophoneSink)? = nil, channels: (any ViewerChannels)? = nil
    ) async throws -> Joined {
        let offer = await viewer.offer(includesCandidates: !trickles)
        let answer = try await media.addViewer(
            stage: stage ?? self.stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: false,
            microphone: microphone, channels: channels)
        let events = Watched<[ViewerEvent]>([])
        let joined = Joined(viewer: viewer, answer: answer, events: events)
        Task { for await event in answer.events { events.update { $0.append(event) } } }
        try await viewer.accept(answer)
        if trickles {
            await media.addRemoteCandidate(viewer: answer.id, line: viewer.candidateLine)
            media.endOfCandidates(viewer: answer.id)
        }
        return joined
    }

    func join(relay: LoopbackViewer.Relay? = nil, trickles: Bool = false) async throws -> Joined {
        try await join(try await LoopbackViewer.make(on: viewerLoop, relay: relay), trickles: trickles)
    }

    /// Side by side, since a viewer has only so long to connect, and each alone may wait for this test's turn.
    func offerCandidates(onPorts ports: ClosedRange<Int>, of viewer: ViewerID) async {
        await withTaskGroup { group in
            for port in ports {
                group.addTask { [media] in
                    await media.addRemoteCandidate(
                        viewer: viewer, line: "candidate:1 1 udp 2130706431 127.0.0.1 \(port) typ host")
                }
            }
        }
    }

    // MARK: Media

    /// A picture of three packets whose second byte is its number.
    static func picture(_ number: UInt8, isKeyFrame: Bool, now: Instant = SystemClock.now()) -> MediaFrame {
        var bytes = [UInt8](repeating: number, count: pictureByteCount)
        bytes[0] = isKeyFrame ? 0x10 : 0x11
        return MediaFrame(
            codec: .vp8, payloads: VP8Packetizer.packetize(frame: bytes, isKeyFrame: isKeyFrame),
            rtpTimestamp: UInt32(number) * 3000, presentationTime: now, epoch: 0, capturedAt: now)
    }

    /// A picture of H.264 in two slices, its parameter sets before it where it is a key picture. The third byte of each slice is its
    /// number.
    static func h264Picture(_ number: UInt8, isKeyFrame: Bool, now: Instant = SystemClock.now()) -> [MediaFrame] {
        let header: UInt8 = isKeyFrame ? 0x65 : 0x41
        let slices = [[header, 0x88, number], [header, 0x40, number]].map {
            $0 + [UInt8](repeating: number, count: pictureByteCount / 2)
        }
        let sets: [[UInt8]] = isKeyFrame ? [[0x67, 0x42, 0xE0, 0x1F], [0x68, 0xCE]] : []
        let unit = AccessUnit(
            nalUnits: sets + slices, isKeyFrame: isKeyFrame, timestamp: UInt32(number) * 3600, receivedAt: now,
            firstSequenceNumber: 0, isWhole: true)
        let groups = H264Packetizer.payloads(of: unit)
        return groups.enumerated().map { index, payloads in
            MediaFrame(
                codec: .h264, payloads: payloads, rtpTimestamp: unit.timestamp, presentationTime: now, epoch: 0,
                capturedAt: now, endsPicture: index == groups.count - 1)
        }
    }

    func deliverH264(_ number: UInt8, isKeyFrame: Bool = false, to stage: StageID? = nil) {
        for frame in Self.h264Picture(number, isKeyFrame: isKeyFrame) {
            media.deliver(frame, stage: stage ?? self.stage)
        }
    }

    func deliver(_ number: UInt8, isKeyFrame: Bool = false) {
        media.deliver(Self.picture(number, isKeyFrame: isKeyFrame), stage: stage)
    }

    // MARK: Figures

    /// Asks again at each turn of the loop until `condition` holds; false where the test ran out of time.
    func awaits(_ condition: (LoopBench) async -> Bool) async -> Bool {
        while !Task.isCancelled {
            if await condition(self) { return true }
            await settle(turns: 1)
        }
        return false
    }

    func refused(_ reason: String) -> UInt64 {
        metrics.counter("avatar_media_refused_total", help: "", labels: ["reason": reason]).current
    }

    /// Returns when the loop has handled everything that was sent to it before: a datagram on loopback lies in the receiver's
    /// buffer when `send` returns, and every answer of the loop is one of its turns.
    func settle(turns: Int = 4) async {
        for _ in 0..<turns { _ = await media.summary() }
    }
}

/// Neighbouring ports that nobody held a moment ago, outside the range that the kernel hands out by itself.
enum FreePorts {
    static func take(_ count: UInt16) -> ClosedRange<UInt16> {
        while true {
            let first = UInt16.random(in: 12_000..<30_000)
            let range = first...(first + count - 1)
            let sockets = range.compactMap { try? UDPSocket(binding: SocketAddress(.loopbackV4, $0)) }
            let listener = try? TCPListener(binding: SocketAddress(.loopbackV4, first))
            if sockets.count == Int(count), listener != nil { return range }
        }
    }
}
