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
    private let outlet: Mutex<Outlet?>

    init(viewer: ViewerID, offerOrigin: String?, outlet: @escaping Outlet) {
        self.viewer = viewer
        self.offerOrigin = offerOrigin
        self.outlet = Mutex(outlet)
    }

    func attach(_ new: @escaping Outlet) {
        outlet.withLock { $0 = new }
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
