internal import Core
internal import Networking
internal import PeerConnection
internal import TURNClient

/// Everything that lives on the media loop's thread: paths, viewers, stages, and who a datagram belongs to.
///
/// Input comes from sockets, timers and the mailbox. After each, the viewer concerned is drained and its timer armed;
/// batches are flushed at the end of the loop's turn.
@safe final class Switchboard {
    let configuration: MediaLoopConfiguration
    let loop: EventLoop
    let metrics: LoopMetrics
    let random: RandomSource
    let dtlsContext: DTLSContext
    let policy: RemoteCandidatePolicy
    private(set) var paths: [any LocalPath] = []
    private var pathsByLocal: [(any LocalPath)?] = []
    var viewers: [ViewerID: Viewer] = [:]
    var stages: [StageID: StageFanOut] = [:]
    var addresses = AddressTable()
    var deadlines = DeadlineQueue()
    var wakeUp: (timer: TimerID, at: Instant)?
    var nextViewer: UInt64 = 1
    var isDraining = false
    /// Candidates whose address a relay has yet to permit.
    var heldCandidates: [IPAddress: [(viewer: ViewerID, line: String)]] = [:]
    /// Where packets are built that do not go straight into a batch.
    let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: GroupOfPictures.Bounds.passedThrough.bytes * 2, alignment: 16)

    init(
        configuration: MediaLoopConfiguration, loop: EventLoop, metrics: LoopMetrics, random: RandomSource,
        dtlsContext: DTLSContext, policy: RemoteCandidatePolicy
    ) {
        self.configuration = configuration
        self.loop = loop
        self.metrics = metrics
        self.random = random
        self.dtlsContext = dtlsContext
        self.policy = policy
    }

    deinit {
        unsafe scratch.deallocate()
    }

    func add(_ path: any LocalPath) {
        paths.append(path)
        let index = Int(path.local.value)
        while pathsByLocal.count <= index { pathsByLocal.append(nil) }
        pathsByLocal[index] = path
    }

    /// Asked once a frame and viewer, so it is an index, not a search.
    func path(_ local: LocalCandidateID) -> (any LocalPath)? {
        let index = Int(local.value)
        return index < pathsByLocal.count ? pathsByLocal[index] : nil
    }

    var externalRelay: ExternalRelayPath? {
        for path in paths { if let relay = path as? ExternalRelayPath { return relay } }
        return nil
    }

    var embeddedRelay: EmbeddedRelayPath? {
        for path in paths { if let relay = path as? EmbeddedRelayPath { return relay } }
        return nil
    }

    // MARK: What comes in

    /// Takes one datagram of a viewer. The bytes may be changed in place.
    func receive(_ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress, on local: LocalCandidateID) {
        guard let first = unsafe bytes.first else { return }
        let path = AddressTable.Path(local: local, remote: source)
        let isSTUN = first < 4
        let owner: ViewerID?
        if isSTUN {
            let message = unsafe bytes.bindMemory(to: UInt8.self)
            owner = unsafe viewerOfCheck(message.span, path)
        } else {
            owner = addresses.viewer(at: path)
        }
        guard let owner, let viewer = viewers[owner] else {
            (isSTUN ? metrics.unknownCheck : metrics.unknownSource).increment()
            return
        }
        let outcome = unsafe viewer.peer.handleDatagram(bytes, from: source, on: local, now: loop.now)
        switch outcome {
        case .authenticatedSTUN: addresses.claim(path, for: owner)
        case .accepted: break
        case .refused: metrics.refusedDatagram.increment()
        }
        drain(viewer)
    }

    /// Whose check, or whose answer to a check, a STUN message is.
    private func viewerOfCheck(_ bytes: Span<UInt8>, _ path: AddressTable.Path) -> ViewerID? {
        if let fragment = ICEUsername.localFragment(of: bytes) { return addresses.viewer(withFragment: fragment) }
        guard bytes.count >= 20, let transaction = STUNTransactionID(bytes: bytes.array(8..<20)) else { return nil }
        return addresses.viewer(awaiting: transaction) ?? addresses.viewer(at: path)
    }

    // MARK: What goes out

    /// Sends what the peer has to say, acts on its events, and arms its timer.
    func drain(_ viewer: Viewer, nextTimer earliest: Instant = .zero) {
        while let transmit = viewer.peer.pollTransmit() {
            if transmit.bytes.count >= 20, transmit.bytes[0] == 0, transmit.bytes[1] == 1,
                let transaction = STUNTransactionID(bytes: Array(transmit.bytes[8..<20]))
            {
                addresses.note(check: transaction, of: viewer.id)
            }
            guard let path = path(transmit.local) else { continue }
            unsafe transmit.bytes.withUnsafeBytes { unsafe path.send($0, to: transmit.destination) }
        }
        while let event = viewer.peer.pollEvent() { handle(event, of: viewer) }
        arm(viewer, notBefore: earliest)
    }

    /// Sends what the batches hold: the end of each turn of the loop.
    func flush() {
        for path in paths { path.flush() }
    }

    // MARK: Timers

    /// - Parameter earliest: no sooner, so that a deadline that stays in the past cannot stop the loop.
    private func arm(_ viewer: Viewer, notBefore earliest: Instant = .zero) {
        guard let due = viewer.peer.deadline, viewers[viewer.id] != nil else { return }
        let deadline = max(due, earliest)
        if let armed = viewer.armedDeadline, armed <= deadline { return }
        viewer.armedDeadline = deadline
        deadlines.insert(viewer.id, at: deadline)
        scheduleWakeUp()
    }

    private func scheduleWakeUp() {
        guard let next = deadlines.next else { return }
        if let wakeUp, wakeUp.at <= next { return }
        if let wakeUp { loop.cancel(wakeUp.timer) }
        wakeUp = (loop.schedule(at: next) { [unowned self] in self.fire() }, next)
    }

    private func fire() {
        wakeUp = nil
        let now = loop.now
        while let (id, deadline) = deadlines.popExpired(now: now) {
            // An entry that was overtaken by an earlier one is stale.
            guard let viewer = viewers[id], viewer.armedDeadline == deadline else { continue }
            viewer.armedDeadline = nil
            if let due = viewer.peer.deadline, due <= now {
                viewer.peer.handleTimeout(now: now, wallTime: SystemClock.wallTime())
            }
            drain(viewer, nextTimer: now + .milliseconds(1))
        }
        scheduleWakeUp()
    }
}
