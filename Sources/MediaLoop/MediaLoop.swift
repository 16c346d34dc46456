package import Core
package import MediaPipeline
internal import Networking
package import PeerConnection
internal import Synchronization

/// The thread that owns the media sockets and every viewer's peer.
///
/// All state lives on the loop's thread; the methods here post to its mailbox.
package final class MediaLoop: MediaFrameSink, Sendable {
    package let configuration: MediaLoopConfiguration
    private let loop: EventLoop
    private let board: LoopBound<Switchboard?>
    private let metrics: LoopMetrics
    private let registry: MetricsRegistry
    private let dtlsContext: DTLSContext
    private let degradedParts = Mutex<[DegradedPart]>([])
    /// The thread runs only after a start; before, its mailbox is answered by nobody.
    private let hasStarted = Atomic<Bool>(false)

    package init(configuration: MediaLoopConfiguration, metrics: MetricsRegistry) throws(MediaLoopError) {
        self.configuration = configuration
        self.registry = metrics
        self.metrics = LoopMetrics(metrics)
        do {
            loop = try EventLoop(name: "media-loop")
        } catch {
            throw MediaLoopError(.system, error)
        }
        do {
            dtlsContext = try DTLSContext(certificate: DTLSCertificate())
        } catch {
            throw MediaLoopError(
                code: .certificate, reason: "the DTLS certificate could not be made: \(error)",
                remedy: "avatar-streamer version")
        }
        board = LoopBound(nil, on: loop)
    }

    /// Binds the sockets and starts the thread.
    package func start() async throws(MediaLoopError) {
        let sockets: MediaSockets
        do {
            sockets = try MediaSockets(configuration.connectivity)
            try loop.start()
        } catch {
            throw MediaLoopError(.portUnavailable, error)
        }
        hasStarted.store(true, ordering: .sequentiallyConsistent)
        let failure = await loop.perform { [self] () -> SocketError? in
            let board = Switchboard(
                configuration: configuration, loop: loop, metrics: metrics, random: .system, dtlsContext: dtlsContext,
                policy: RemoteCandidatePolicy(
                    ownAddresses: [configuration.connectivity.publicAddress],
                    hasRoute: { Networking.Route.exists(to: $0) }))
            do throws(SocketError) {
                try board.start(sockets, degraded: { parts in self.degradedParts.withLock { $0 = parts } })
            } catch {
                return error
            }
            self.board.withValue { $0 = board }
            return nil
        }
        if let failure = failure ?? nil {
            // Lets go of whatever was registered before the failure.
            await loop.stop()
            throw MediaLoopError(.system, failure)
        }
        SocketMetrics(sockets, registry).start(on: loop)
        loop.submit { [self] in
            RelayMetrics(registry).start(on: loop) { [self] in board.withValue { $0?.embeddedRelay?.figures } }
        }
    }

    /// Says goodbye to every viewer, releases the external allocation, and ends the thread.
    package func stop() async {
        guard hasStarted.load(ordering: .sequentiallyConsistent) else { return }
        await onLoop { $0.stop() }
        _ = await loop.perform { self.board.withValue { $0 = nil } }
        await loop.stop()
    }

    /// From now on new viewers are refused with ``ViewerError/Code/draining``.
    package func drain() {
        post { $0.isDraining = true }
    }

    /// What cannot do its work at the moment.
    package var degraded: [DegradedPart] { degradedParts.withLock { $0 } }

    package func deliver(_ frame: MediaFrame, stage: StageID) {
        post { $0.fanOut(frame, stage: stage) }
    }

    /// Makes a stage known. The closures are called on the loop's thread and must return at once.
    /// - Parameters:
    ///   - videoCodecs: which codecs the next viewer may have, the one that costs least first.
    ///   - keyFrameRequested: a viewer of this codec cannot go on without a key frame.
    ///   - viewersChanged: told after every change of who watches.
    package func addStage(
        _ id: StageID, videoCodecs: @escaping @Sendable () -> [MediaCodec] = { [.vp8] },
        keyFrameRequested: @escaping @Sendable (MediaCodec) -> Void,
        viewersChanged: @escaping @Sendable (StageViewers) -> Void
    ) {
        post {
            $0.stages[id] = StageFanOut(
                StageFanOut.Callbacks(
                    videoCodecs: videoCodecs, keyFrameRequested: keyFrameRequested, viewersChanged: viewersChanged))
        }
    }

    /// Forgets a stage; its viewers are closed.
    package func removeStage(_ id: StageID) {
        post { board in
            for viewer in board.stages[id]?.viewers ?? [] { board.removeViewer(viewer.id, reason: "its stage ended") }
            board.stages[id] = nil
        }
    }

    /// Answers a viewer's offer. `remoteAddress` is the signaling connection's own remote address, so that a relay can
    /// permit it early.
    /// - Parameter microphone: takes the sound that the viewer sends; without one it is counted and dropped. It is told its
    ///   end exactly once, where the offer is refused at once.
    /// - Parameter channels: takes what the viewer says over data channels; without it they are refused in the answer. It is
    ///   told the viewer's end exactly once, and nothing where the offer is refused.
    package func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool,
        microphone: (any MicrophoneSink)? = nil, channels: (any ViewerChannels)? = nil
    ) async throws(ViewerError) -> ViewerAnswer {
        do throws(ViewerError) {
            return try await attempt { (board) throws(ViewerError) in
                try board.addViewer(
                    stage: stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: includeCandidates,
                    microphone: microphone, channels: channels)
            }
        } catch {
            microphone?.ended()
            throw error
        }
    }

    /// Answers a further offer of the same viewer: an ICE restart or changed media sections. The answer's `events` is an
    /// ended stream; the first goes on.
    /// - Parameter microphone: takes the viewer's sound from now on, in place of the one before, which is told its end.
    ///   Nil: all stays as it is. Where the offer is refused it is told its end and the one before goes on.
    package func renegotiate(
        viewer: ViewerID, offer: String, microphone: (any MicrophoneSink)? = nil
    ) async throws(ViewerError) -> ViewerAnswer {
        do throws(ViewerError) {
            return try await attempt { (board) throws(ViewerError) in
                try board.renegotiate(viewer, offer: offer, microphone: microphone)
            }
        } catch {
            microphone?.ended()
            throw error
        }
    }

    /// Adds a trickled candidate line; a refused one is counted and otherwise ignored. False where it does not parse.
    @discardableResult
    package func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool {
        await onLoop { $0.addRemoteCandidate(line, of: viewer) } ?? false
    }

    package func endOfCandidates(viewer: ViewerID) {
        post { $0.endOfCandidates(viewer) }
    }

    package func removeViewer(_ id: ViewerID, reason: String) {
        post { $0.removeViewer(id, reason: reason) }
    }

    /// Says something over a viewer's data channel. A message that finds too much waiting, or no such channel, is dropped and
    /// counted; ``ViewerChannels/congested(_:on:viewer:)`` tells of the first of a row.
    package func send(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        post { $0.send(message, on: channel, to: viewer) }
    }

    /// The same for a message that stands alone and is soon outdated: dropped and counted while an earlier one waits to be sent.
    package func sendNewest(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        post { $0.sendNewest(message, on: channel, to: viewer) }
    }

    /// Closes a viewer's data channel; ``ViewerChannels/closed(_:viewer:)`` follows.
    package func closeChannel(_ channel: DataChannelID, of viewer: ViewerID) {
        post { $0.closeChannel(channel, of: viewer) }
    }

    package func summary() async -> MediaLoopSummary {
        await onLoop { $0.summary } ?? MediaLoopSummary()
    }

    /// One viewer's figures; nil for a viewer that is gone.
    package func statistics(viewer: ViewerID) async -> ViewerStatistics? {
        await onLoop { $0.statistics(of: viewer) } ?? nil
    }

    // MARK: The mailbox

    private func post(_ work: @escaping @Sendable (Switchboard) -> Void) {
        guard hasStarted.load(ordering: .sequentiallyConsistent) else { return }
        loop.submit { self.board.withValue { board in if let board { work(board) } } }
    }

    @discardableResult
    private func onLoop<Result: Sendable>(_ work: @escaping @Sendable (Switchboard) -> Result) async -> Result? {
        guard hasStarted.load(ordering: .sequentiallyConsistent) else { return nil }
        return await loop.perform { self.board.withValue { board in board.map(work) } } ?? nil
    }

    private func attempt(
        _ work: @escaping @Sendable (Switchboard) throws(ViewerError) -> ViewerAnswer
    ) async throws(ViewerError) -> ViewerAnswer {
        let outcome = await onLoop { board -> Result<ViewerAnswer, ViewerError> in
            do throws(ViewerError) { return .success(try work(board)) } catch { return .failure(error) }
        }
        guard let outcome else { throw ViewerError(.draining, "The server is shutting down") }
        return try outcome.get()
    }
}
