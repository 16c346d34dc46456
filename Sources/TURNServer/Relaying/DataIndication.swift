package import Core
internal import TURNClient

/// What a client gets that has bound no channel: the payload in a STUN indication that names the peer.
///
/// ```
/// +--------------------------------+----------------------------------+------------------+-----------------+
/// | header: 0x0017, length, cookie,| XOR-PEER-ADDRESS: 12 (IPv6: 24)  | DATA: 4, payload | zeros to a      |
/// | transaction id: 20 bytes       |                                  |                  | multiple of 4   |
/// +--------------------------------+----------------------------------+------------------+-----------------+
/// ```
/// - SeeAlso: [RFC 8656 §11.6](https://www.rfc-editor.org/rfc/rfc8656#section-11.6)
extension TURNServer {
    /// Data for a client that has bound no channel to `peer`.
    package func dataIndication(_ payload: [UInt8], from peer: SocketAddress) -> [UInt8] {
        STUNMessage.indication(
            .data, transactionID: STUNTransactionID(random: random),
            attributes: [.xorPeerAddress(peer), .data(payload)]
        ).encoded()
    }

    /// Bytes in front of the payload: 36, or 48 for an IPv6 peer.
    package static func dataIndicationHeaderByteCount(from peer: SocketAddress) -> Int {
        STUNMessage.headerByteCount + (peer.ip.isIPv4 ? 12 : 24) + 4
    }

    /// Zero bytes that follow the payload, on datagrams too.
    package static func dataIndicationPadding(payloadByteCount: Int) -> Int {
        -payloadByteCount & 3
    }

    /// Writes what precedes a payload of at most 64 kB at the start of `buffer`, which has
    /// ``dataIndicationHeaderByteCount(from:)`` bytes or more; for media that is written into a batch.
    package func writeDataIndicationHeader(
        payloadByteCount: Int, from peer: SocketAddress, into buffer: UnsafeMutableRawBufferPointer
    ) {
        let header = Self.dataIndicationHeaderByteCount(from: peer)
        let following = header - STUNMessage.headerByteCount + payloadByteCount
        let length = following + Self.dataIndicationPadding(payloadByteCount: payloadByteCount)
        let (identifierHigh, identifierLow) = (random.uint32(), random.uint64())
        let cookie = STUNMessage.magicCookie
        unsafe Self.store(UInt32(0x0017) << 16 | UInt32(UInt16(truncatingIfNeeded: length)), at: 0, in: buffer)
        unsafe Self.store(cookie, at: 4, in: buffer)
        unsafe Self.store(identifierHigh, at: 8, in: buffer)
        unsafe Self.store(identifierLow, at: 12, in: buffer)
        let port = UInt32(peer.port ^ UInt16(cookie >> 16))
        switch peer.ip {
        case .v4(let address):
            unsafe Self.store(UInt32(0x0012_0008), at: 20, in: buffer)
            unsafe Self.store(0x0001_0000 | port, at: 24, in: buffer)
            unsafe Self.store(address ^ cookie, at: 28, in: buffer)
        case .v6(let high, let low):
            unsafe Self.store(UInt32(0x0012_0014), at: 20, in: buffer)
            unsafe Self.store(0x0002_0000 | port, at: 24, in: buffer)
            unsafe Self.store(high ^ (UInt64(cookie) << 32 | UInt64(identifierHigh)), at: 28, in: buffer)
            unsafe Self.store(low ^ identifierLow, at: 36, in: buffer)
        }
        let data = UInt32(STUNAttribute.dataType) << 16 | UInt32(UInt16(truncatingIfNeeded: payloadByteCount))
        unsafe Self.store(data, at: header - 4, in: buffer)
    }

    /// Network order, any alignment, bounds checked by the buffer.
    private static func store<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, at offset: Int, in buffer: UnsafeMutableRawBufferPointer
    ) {
        unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }
}
