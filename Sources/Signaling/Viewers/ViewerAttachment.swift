internal import Core
internal import MediaLoop
internal import Synchronization

/// A viewer and the signaling connection that speaks for it at the moment.
///
/// The viewer outlives its connection for a while: when a WebSocket breaks and the page comes back with a further offer
/// of the same peer connection, the new connection takes over and the picture never stopped.
final class ViewerAttachment: Sendable {
    typealias Outlet = @Sendable (ServerMessage) -> Void

    let viewer: ViewerID
    /// The `sess-id` of the browser's peer connection: it stays the same in every further offer.
    let offerOrigin: String?
    /// The viewer's data channels, where its offer had any.
    private let doors: ViewerDoors?
    private let outlet: Mutex<Outlet?>

    init(viewer: ViewerID, offerOrigin: String?, doors: ViewerDoors?, outlet: @escaping Outlet) {
        self.viewer = viewer
        self.doors = doors
        self.offerOrigin = offerOrigin
        self.outlet = Mutex(outlet)
    }

    /// - Parameter client: who the new connection is to a robot; the viewer's channels follow it.
    func attach(_ new: @escaping Outlet, as client: RobotClient?) {
        outlet.withLock { $0 = new }
        if let client { doors?.follow(client, viewer: viewer) }
    }

    func detach() {
        outlet.withLock { $0 = nil }
    }

    /// Passes the viewer's events on until it is gone.
    func forward(_ events: AsyncStream<ViewerEvent>) async {
        for await event in events {
            guard let send = outlet.withLock({ $0 }) else { continue }
            switch event {
            case .stateChanged(let state): send(.state(state))
            case .candidate(let line): send(.candidate(line))
            case .phaseFailed(let phase, let reason): send(.error(content: "\(phase.rawValue): \(reason)"))
            }
        }
    }
}

/// The two fields of an SDP text that signaling itself looks at.
enum OfferText {
    /// Whether the browser wants to send sound: an audio section without a direction does (RFC 8866 §6.7).
    static func sendsSound(_ sdp: String) -> Bool {
        var isAudio = false
        var sends = false
        for line in sdp.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            if line.starts(with: "m=".utf8) {
                if isAudio, sends { return true }
                isAudio = line.starts(with: "m=audio ".utf8)
                sends = true
            } else if line.elementsEqual("a=recvonly".utf8) || line.elementsEqual("a=inactive".utf8) {
                sends = false
            }
        }
        return isAudio && sends
    }

    /// `sess-id` of the `o=` line ([RFC 8866 §5.2](https://www.rfc-editor.org/rfc/rfc8866#section-5.2)); nil where there is none.
    static func origin(of sdp: String) -> String? {
        for line in sdp.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).prefix(8)
        where line.starts(with: "o=".utf8) {
            let fields = line.split(separator: 0x20)
            return fields.count >= 3 ? String(fields[1]) : nil
        }
        return nil
    }
}
