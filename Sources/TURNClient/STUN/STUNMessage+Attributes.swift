package import Core

/// Typed access to attributes. Where an attribute appears twice the first counts (RFC 8489 §14).
extension STUNMessage {
    private func first<Value>(_ pick: (STUNAttribute) -> Value?) -> Value? {
        for attribute in attributes {
            if let value = pick(attribute) { return value }
        }
        return nil
    }

    package var mappedAddress: SocketAddress? {
        first { if case .mappedAddress(let value) = $0 { value } else { nil } }
    }
    package var username: String? { first { if case .username(let value) = $0 { value } else { nil } } }
    package var realm: String? { first { if case .realm(let value) = $0 { value } else { nil } } }
    package var nonce: String? { first { if case .nonce(let value) = $0 { value } else { nil } } }
    package var software: String? { first { if case .software(let value) = $0 { value } else { nil } } }
    package var errorCode: (code: Int, reason: String)? {
        first { if case .errorCode(let code, let reason) = $0 { (code, reason) } else { nil } }
    }
    package var unknownAttributes: [UInt16]? {
        first { if case .unknownAttributes(let value) = $0 { value } else { nil } }
    }
    package var channelNumber: UInt16? { first { if case .channelNumber(let value) = $0 { value } else { nil } } }
    package var lifetime: Duration? { first { if case .lifetime(let value) = $0 { value } else { nil } } }
    /// Every XOR-PEER-ADDRESS: CreatePermission may name several.
    package var xorPeerAddresses: [SocketAddress] {
        attributes.compactMap { if case .xorPeerAddress(let value) = $0 { value } else { nil } }
    }
    package var data: [UInt8]? { first { if case .data(let value) = $0 { value } else { nil } } }
    package var xorRelayedAddress: SocketAddress? {
        first { if case .xorRelayedAddress(let value) = $0 { value } else { nil } }
    }
    package var xorMappedAddress: SocketAddress? {
        first { if case .xorMappedAddress(let value) = $0 { value } else { nil } }
    }
    package var alternateServer: SocketAddress? {
        first { if case .alternateServer(let value) = $0 { value } else { nil } }
    }
    package var requestedAddressFamily: STUNAttribute.AddressFamily? {
        first { if case .requestedAddressFamily(let value) = $0 { value } else { nil } }
    }
    /// Nil where absent, else whether the next port shall be reserved too.
    package var evenPort: Bool? { first { if case .evenPort(let value) = $0 { value } else { nil } } }
    package var requestedTransport: UInt8? {
        first { if case .requestedTransport(let value) = $0 { value } else { nil } }
    }
    package var dontFragment: Bool { attributes.contains(.dontFragment) }
    package var reservationToken: [UInt8]? {
        first { if case .reservationToken(let value) = $0 { value } else { nil } }
    }
    package var priority: UInt32? { first { if case .priority(let value) = $0 { value } else { nil } } }
    package var useCandidate: Bool { attributes.contains(.useCandidate) }
    package var iceControlled: UInt64? { first { if case .iceControlled(let value) = $0 { value } else { nil } } }
    package var iceControlling: UInt64? { first { if case .iceControlling(let value) = $0 { value } else { nil } } }

    /// Types that must be understood and are not: a request that has any is answered 420 with this list.
    package var unknownComprehensionRequired: [UInt16] {
        attributes.compactMap {
            if case .unknown(let type, _) = $0, STUNAttribute.isComprehensionRequired(type) { type } else { nil }
        }
    }
}
