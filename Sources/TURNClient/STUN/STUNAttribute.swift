package import Core

/// One attribute of a STUN or TURN message, or of an ICE check.
/// - SeeAlso: [RFC 8489 §14](https://www.rfc-editor.org/rfc/rfc8489#section-14),
///   [RFC 8656 §18](https://www.rfc-editor.org/rfc/rfc8656#section-18),
///   [RFC 8445 §16.1](https://www.rfc-editor.org/rfc/rfc8445#section-16.1)
package enum STUNAttribute: Sendable, Equatable {
    case mappedAddress(SocketAddress)
    case username(String)
    case errorCode(code: Int, reason: String)
    case unknownAttributes([UInt16])
    case channelNumber(UInt16)
    /// Whole seconds; clamped to 0...2^32-1 on the wire.
    case lifetime(Duration)
    case xorPeerAddress(SocketAddress)
    case data([UInt8])
    case realm(String)
    case nonce(String)
    case xorRelayedAddress(SocketAddress)
    case requestedAddressFamily(AddressFamily)
    case evenPort(reservesNext: Bool)
    /// An IP protocol number; 17 is UDP.
    case requestedTransport(UInt8)
    case dontFragment
    case xorMappedAddress(SocketAddress)
    /// Eight bytes.
    case reservationToken([UInt8])
    case priority(UInt32)
    case useCandidate
    case software(String)
    case alternateServer(SocketAddress)
    /// The tie-breaker.
    case iceControlled(UInt64)
    /// The tie-breaker.
    case iceControlling(UInt64)
    case unknown(type: UInt16, value: [UInt8])

    package enum AddressFamily: UInt8, Sendable {
        case v4 = 0x01
        case v6 = 0x02
    }

    static let messageIntegrityType: UInt16 = 0x0008
    static let fingerprintType: UInt16 = 0x8028
    /// The type of DATA, for ``STUNMessage/valueRange(ofType:in:)``.
    package static let dataType: UInt16 = 0x0013
    /// The type of XOR-PEER-ADDRESS.
    package static let xorPeerAddressType: UInt16 = 0x0012

    package var type: UInt16 {
        switch self {
        case .mappedAddress: 0x0001
        case .username: 0x0006
        case .errorCode: 0x0009
        case .unknownAttributes: 0x000A
        case .channelNumber: 0x000C
        case .lifetime: 0x000D
        case .xorPeerAddress: Self.xorPeerAddressType
        case .data: Self.dataType
        case .realm: 0x0014
        case .nonce: 0x0015
        case .xorRelayedAddress: 0x0016
        case .requestedAddressFamily: 0x0017
        case .evenPort: 0x0018
        case .requestedTransport: 0x0019
        case .dontFragment: 0x001A
        case .xorMappedAddress: 0x0020
        case .reservationToken: 0x0022
        case .priority: 0x0024
        case .useCandidate: 0x0025
        case .software: 0x8022
        case .alternateServer: 0x8023
        case .iceControlled: 0x8029
        case .iceControlling: 0x802A
        case .unknown(let type, _): type
        }
    }

    /// Types below 0x8000 must be understood by the receiver.
    package static func isComprehensionRequired(_ type: UInt16) -> Bool { type < 0x8000 }
}
