internal import Core
internal import TURNClient

/// Which viewer a datagram belongs to.
///
/// A check is routed by the ufrag it names, whatever its source; only when the viewer's agent has authenticated it does the source
/// become the viewer's: a relay port that another viewer used before moves to the new one, and nobody can take an address over.
struct AddressTable {
    /// One way a datagram can come: the local transport and the remote address.
    struct Path: Hashable {
        var local: LocalCandidateID
        var remote: SocketAddress
    }
    /// Addresses that one viewer may own at a time; the oldest makes room.
    static let maximumPathsPerViewer = 16
    /// Checks of ours whose answers are awaited, over all viewers.
    static let maximumPendingChecks = 65_536

    private var viewersByPath: [Path: ViewerID] = [:]
    private var pathsByViewer: [ViewerID: [Path]] = [:]
    private var viewersByFragment: [String: ViewerID] = [:]
    private var viewersByCheck: [STUNTransactionID: ViewerID] = [:]
    private var checksInOrder: [STUNTransactionID] = []
    private var firstCheck = 0

    func viewer(at path: Path) -> ViewerID? { viewersByPath[path] }
    func viewer(withFragment fragment: String) -> ViewerID? { viewersByFragment[fragment] }

    mutating func register(fragment: String, for viewer: ViewerID) {
        viewersByFragment[fragment] = viewer
    }

    mutating func unregister(fragment: String, of viewer: ViewerID) {
        if viewersByFragment[fragment] == viewer { viewersByFragment[fragment] = nil }
    }

    /// Gives an address to the viewer that has authenticated itself from it.
    mutating func claim(_ path: Path, for viewer: ViewerID) {
        let owner = viewersByPath[path]
        if owner == viewer { return }
        if let owner { pathsByViewer[owner]?.removeAll { $0 == path } }
        viewersByPath[path] = viewer
        pathsByViewer[viewer, default: []].append(path)
        if let paths = pathsByViewer[viewer], paths.count > Self.maximumPathsPerViewer {
            let oldest = paths[0]
            pathsByViewer[viewer]?.removeFirst()
            viewersByPath[oldest] = nil
        }
    }

    /// Remembers who sent a check: its response carries no username.
    mutating func note(check: STUNTransactionID, of viewer: ViewerID) {
        if viewersByCheck.updateValue(viewer, forKey: check) == nil { checksInOrder.append(check) }
        while viewersByCheck.count > Self.maximumPendingChecks, firstCheck < checksInOrder.count {
            viewersByCheck[checksInOrder[firstCheck]] = nil
            firstCheck += 1
        }
        if firstCheck > Self.maximumPendingChecks {
            checksInOrder.removeFirst(firstCheck)
            firstCheck = 0
        }
    }

    /// Who sent the check that this transaction answers.
    func viewer(awaiting check: STUNTransactionID) -> ViewerID? { viewersByCheck[check] }

    /// Forgets a viewer; returns the addresses that were its own to the last.
    @discardableResult
    mutating func remove(_ viewer: ViewerID, fragments: [String]) -> [Path] {
        let owned = (pathsByViewer.removeValue(forKey: viewer) ?? []).filter { viewersByPath[$0] == viewer }
        for path in owned { viewersByPath[path] = nil }
        for fragment in fragments where viewersByFragment[fragment] == viewer { viewersByFragment[fragment] = nil }
        return owned
    }
}
