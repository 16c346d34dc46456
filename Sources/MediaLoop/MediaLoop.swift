package import Core
internal import MediaPipeline
package import PeerConnection

/// Everything that the media loop needs to know before it starts.
package struct MediaLoopConfiguration: Sendable {
    package var connectivity: ConnectivityConfiguration
    /// Viewers at most, over all stages.
    package var maximumViewers: Int = 1000
    /// Viewers at most that one remote address may have; behind a tunnel all share one address.
    package var maximumViewersPerAddress: Int = 1000

    package init(connectivity: ConnectivityConfiguration) {
        self.connectivity = connectivity
    }
}

/// Why the media loop could not start: the port, who holds it, and what mends it.
package struct MediaLoopError: Error, Hashable, Sendable {
    package enum Code: Sendable { case portUnavailable, certificate, configuration }
    package var code: Code
    package var reason: String
    package var remedy: String
}

/// The thread that owns the media sockets and every viewer's peer.
///
/// All state lives on the loop's thread; the methods here post to its mailbox.
package final class MediaLoop: MediaFrameSink, Sendable {
    package let configuration: MediaLoopConfiguration

    package init(configuration: MediaLoopConfiguration, metrics: MetricsRegistry) throws(MediaLoopError) {
        self.configuration = configuration
    }

    /// Binds the sockets and starts the thread.
    package func start() throws(MediaLoopError) {}

    /// Says goodbye to every viewer, releases the external allocation, and ends the thread.
    package func stop() async {}

    /// From now on new viewers are refused with ``ViewerError/Code/draining``.
    package func drain() {}

    /// What cannot do its work at the moment.
    package var degraded: [DegradedPart] { [] }

    package func deliver(_ frame: MediaFrame, stage: StageID) {}

    /// Makes a stage known. The closures are called on the loop's thread and must return at once.
    package func addStage(
        _ id: StageID, keyFrameRequested: @escaping @Sendable () -> Void,
        viewerCountChanged: @escaping @Sendable (Int) -> Void
    ) {}

    /// Forgets a stage; its viewers are closed.
    package func removeStage(_ id: StageID) {}

    /// Answers a viewer's offer. `remoteAddress` is the signaling connection's own remote address, so that a relay can permit it early.
    package func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool
    ) async throws(ViewerError) -> ViewerAnswer {
        throw ViewerError(.stageUnknown, "")
    }

    /// Answers a further offer of the same viewer: an ICE restart or changed media sections. The answer's `events` is an ended stream; the first goes on.
    package func renegotiate(viewer: ViewerID, offer: String) async throws(ViewerError) -> ViewerAnswer {
        throw ViewerError(.viewerUnknown, "")
    }

    /// Adds a trickled candidate line; an invalid or refused one is counted and otherwise ignored. False where it does not parse.
    @discardableResult
    package func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool { false }

    package func endOfCandidates(viewer: ViewerID) {}

    package func removeViewer(_ id: ViewerID, reason: String) {}

    package func summary() async -> MediaLoopSummary { MediaLoopSummary() }

    /// One viewer's figures; nil for a viewer that is gone.
    package func statistics(viewer: ViewerID) async -> ViewerStatistics? { nil }
}

/// One viewer's figures, for the page, the operator and the tests.
package struct ViewerStatistics: Sendable {
    package var state: ViewerState = .new
    package var localCandidateType = ""
    package var remoteCandidateType = ""
    package var roundTripTimeMilliseconds: Double?
    package var packetsSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var packetsRetransmitted: UInt64 = 0
    package var fractionLost: Double = 0
    package var keyFrameRequests: UInt64 = 0
    package init() {}
}
