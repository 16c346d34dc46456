internal import Core
internal import FoundationEssentials
internal import TURNClient

/// Keeps the external allocation on disk, so that a restarted server wins its port back at once.
enum AllocationFile {
    private static let logger = Logger("relay")

    /// The allocation as JSON: addresses as text.
    private struct Record: Codable {
        var server: String
        var username: String
        var realm: String
        var nonce: String
        var relayedAddress: String
        var mappedAddress: String?

        init(_ allocation: SavedAllocation) {
            server = "\(allocation.server)"
            username = allocation.username
            realm = allocation.realm
            nonce = allocation.nonce
            relayedAddress = "\(allocation.relayedAddress)"
            mappedAddress = allocation.mappedAddress.map { "\($0)" }
        }

        var allocation: SavedAllocation? {
            guard let server = SocketAddress(server), let relayed = SocketAddress(relayedAddress) else { return nil }
            return SavedAllocation(
                server: server, username: username, realm: realm, nonce: nonce, relayedAddress: relayed,
                mappedAddress: mappedAddress.flatMap { SocketAddress($0) })
        }
    }

    static func load(from path: String?) -> SavedAllocation? {
        guard let path, let data = FileManager.default.contents(atPath: path), data.count < 65_536 else { return nil }
        return (try? JSONDecoder().decode(Record.self, from: data))?.allocation
    }

    static func save(_ allocation: SavedAllocation?, to path: String?) {
        guard let path else { return }
        guard let allocation, let data = try? JSONEncoder().encode(Record(allocation)) else {
            try? FileManager.default.removeItem(atPath: path)
            return
        }
        // The file holds a nonce and no password; still, it is nobody else's business.
        let made = FileManager.default.createFile(atPath: path, contents: data, attributes: [.posixPermissions: 0o600])
        if !made { logger.warning("the allocation could not be saved", ["file": .string(path)]) }
    }
}
