package import Core

/// One transport address at which an ICE agent may be reached.
///
/// - SeeAlso: [RFC 8445 §5.1](https://www.rfc-editor.org/rfc/rfc8445#section-5.1),
///   [RFC 8839 §5.1](https://www.rfc-editor.org/rfc/rfc8839#section-5.1)
package struct Candidate: Hashable, Sendable {
    package enum Transport: Hashable, Sendable {
        case udp
        case tcp
    }

    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relayed = "relay"

        /// The type preferences that RFC 8445 §5.1.2.2 recommends.
        package var preference: UInt32 {
            switch self {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relayed: 0
            }
        }
    }

    /// Groups candidates of one type, base and server: 1 to 32 `ice-char`.
    package var foundation: String
    /// 1 is RTP, and with rtcp-mux the only component there is.
    package var component: UInt16
    package var transport: Transport
    /// 1...2^31-1; greater is tried first.
    package var priority: UInt32
    package var address: SocketAddress
    package var type: Kind
    /// Where the candidate was learnt from; for diagnostics only, never used for routing.
    package var relatedAddress: SocketAddress?
    /// Which generation the candidate belongs to, where its sender says so (`ufrag` extension).
    package var usernameFragment: String?

    package init(
        foundation: String, component: UInt16 = 1, transport: Transport = .udp, priority: UInt32,
        address: SocketAddress, type: Kind, relatedAddress: SocketAddress? = nil, usernameFragment: String? = nil
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.address = address
        self.type = type
        self.relatedAddress = relatedAddress
        self.usernameFragment = usernameFragment
    }

    /// A UDP candidate of component 1 with the recommended priority and a foundation of its type and address.
    package init(
        type: Kind, address: SocketAddress, relatedAddress: SocketAddress? = nil, localPreference: UInt16 = .max
    ) {
        self.init(
            foundation: Self.foundation(type: type, base: address.ip),
            priority: Self.priority(type: type, localPreference: localPreference), address: address, type: type,
            relatedAddress: relatedAddress)
    }

    /// `2^24 × type preference + 2^8 × local preference + (256 − component)` (RFC 8445 §5.1.2.1).
    package static func priority(type: Kind, localPreference: UInt16 = .max, component: UInt16 = 1) -> UInt32 {
        type.preference << 24 | UInt32(localPreference) << 8 | UInt32(256 &- min(component, 256)) & 0xFF
    }

    /// A number that differs for differing types and bases (RFC 8445 §5.1.1.3).
    package static func foundation(type: Kind, base: IPAddress) -> String {
        String(CRC32.checksum((Array(type.rawValue.utf8) + base.bytes).span))
    }

    /// The priority that a peer-reflexive candidate of the same base has: what a check says in `PRIORITY`
    /// (RFC 8445 §7.1.1).
    package var peerReflexivePriority: UInt32 {
        Kind.peerReflexive.preference << 24 | priority & 0x00FF_FFFF
    }
}
