package import Core

/// A Send or Data indication, read without copying its payload.
///
/// ```
/// | STUN header | XOR-PEER-ADDRESS | DATA |
/// ```
/// - SeeAlso: [RFC 8656 §11](https://www.rfc-editor.org/rfc/rfc8656#section-11)
package struct TURNIndication: Equatable, Sendable {
    package var method: STUNMessage.Method
    package var peer: SocketAddress
    /// Where the payload lies in the bytes that were parsed.
    package var payload: Range<Int>

    /// Nil for anything but a whole Send or Data indication with both of its attributes.
    package init?(_ bytes: Span<UInt8>) {
        guard STUNMessage.isSTUN(bytes) else { return nil }
        switch bytes.uint16(at: 0) {
        case 0x0016: method = .send
        case 0x0017: method = .data
        default: return nil
        }
        let transactionID = STUNTransactionID(bytes, at: 8)
        var walk = STUNAttributeWalk(bytes)
        var peer: SocketAddress?
        var payload: Range<Int>?
        do {
            while walk.count < STUNMessage.maximumAttributeCount, let field = try walk.next() {
                switch field.type {
                case STUNAttribute.xorPeerAddressType where peer == nil:
                    let value = bytes.extracting(field.value)
                    guard
                        case .xorPeerAddress(let address) = try STUNAttribute(
                            type: field.type, value: value, transactionID: transactionID)
                    else { return nil }
                    peer = address
                case STUNAttribute.dataType where payload == nil:
                    payload = field.value
                default: continue
                }
            }
        } catch {
            return nil
        }
        guard let peer, let payload else { return nil }
        self.peer = peer
        self.payload = payload
    }
}
