package import Core

/// What a new process needs to win back the allocation of its predecessor.
///
/// Only from the same local port: the server knows an allocation by its 5-tuple. Holds no password.
package struct SavedAllocation: Equatable, Sendable {
    package var server: SocketAddress
    package var username: String
    package var realm: String
    package var nonce: String
    package var relayedAddress: SocketAddress
    package var mappedAddress: SocketAddress?

    package init(
        server: SocketAddress, username: String, realm: String, nonce: String, relayedAddress: SocketAddress,
        mappedAddress: SocketAddress?
    ) {
        self.server = server
        self.username = username
        self.realm = realm
        self.nonce = nonce
        self.relayedAddress = relayedAddress
        self.mappedAddress = mappedAddress
    }
}
