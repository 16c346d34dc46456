internal import Core

/// Why a packet never reaches the association.
package enum SCTPPacketError: Error, Hashable, Sendable {
    case truncated
    /// Between other ports than the agreed ones.
    case wrongPorts
    /// A chunk or a parameter longer than what holds it, or shorter than its own head.
    case badLength
    /// INIT in company, or with a tag (RFC 9260 §8.5.1).
    case badInit
    /// A chunk of an extension that we never offer.
    case unsupportedChunk(UInt8)
}

/// What a packet holds, as far as we look before the library does: it is written in C, and so gets nothing that is malformed
/// or that belongs to an extension that was not agreed on.
///
///      0                   1                   2                   3
///      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
///     +---------------+---------------+-------------------------------+
///     |          Source Port          |       Destination Port        |
///     +---------------+---------------+-------------------------------+
///     |                       Verification Tag                        |
///     +---------------------------------------------------------------+
///     |                        CRC32c Checksum                        |
///     +---------------+---------------+-------------------------------+
///     |  Chunk Type   |  Chunk Flags  |         Chunk Length          |  …
///
/// - SeeAlso: [RFC 9260 §3](https://www.rfc-editor.org/rfc/rfc9260#section-3)
package struct SCTPPacket: Equatable, Sendable {
    package enum ChunkType {
        package static let data: UInt8 = 0
        package static let initiation: UInt8 = 1
        package static let initiationAcknowledgement: UInt8 = 2
        package static let selectiveAcknowledgement: UInt8 = 3
        package static let abort: UInt8 = 6
        package static let error: UInt8 = 9
        package static let authentication: UInt8 = 15
        package static let nonRenegableAcknowledgement: UInt8 = 16
        package static let addressAcknowledgement: UInt8 = 128
        package static let packetDropped: UInt8 = 129
        package static let reconfiguration: UInt8 = 130
        package static let forwardTSN: UInt8 = 192
        package static let addressChange: UInt8 = 193
    }

    static let headerLength = 12
    static let chunkHeaderLength = 4

    package private(set) var hasData = false
    package private(set) var hasAbort = false

    package init(_ bytes: Span<UInt8>, from source: UInt16, to destination: UInt16) throws(SCTPPacketError) {
        guard bytes.count >= Self.headerLength + Self.chunkHeaderLength else { throw .truncated }
        guard bytes.uint16(at: 0) == source, bytes.uint16(at: 2) == destination else { throw .wrongPorts }
        let hasTag = bytes.uint32(at: 4) != 0
        var offset = Self.headerLength
        while offset < bytes.count {
            guard bytes.count - offset >= Self.chunkHeaderLength else { throw .truncated }
            let type = bytes[offset]
            let length = Int(bytes.uint16(at: offset + 2))
            guard length >= Self.minimumLength(type), length <= bytes.count - offset else { throw .badLength }
            let end = offset + length
            switch type {
            case ChunkType.initiation:
                guard !hasTag, offset == Self.headerLength, end + 3 >= bytes.count else { throw .badInit }
                try Self.checkParameters(bytes, offset + 20, end)
            case ChunkType.initiationAcknowledgement: try Self.checkParameters(bytes, offset + 20, end)
            case ChunkType.reconfiguration, ChunkType.error:
                try Self.checkParameters(bytes, offset + Self.chunkHeaderLength, end)
            case ChunkType.selectiveAcknowledgement:
                let blocks = Int(bytes.uint16(at: offset + 12)) + Int(bytes.uint16(at: offset + 14))
                guard length == 16 + 4 * blocks else { throw .badLength }
            case ChunkType.forwardTSN: guard length % 4 == 0 else { throw .badLength }
            case ChunkType.data: hasData = true
            case ChunkType.abort: hasAbort = true
            case ChunkType.authentication, ChunkType.nonRenegableAcknowledgement, ChunkType.addressAcknowledgement,
                ChunkType.packetDropped, ChunkType.addressChange:
                throw .unsupportedChunk(type)
            default: break
            }
            offset = end + (4 - length % 4) % 4
        }
    }

    /// Bytes of the shortest chunk of a type that makes sense.
    private static func minimumLength(_ type: UInt8) -> Int {
        switch type {
        case ChunkType.data: 17
        case ChunkType.initiation, ChunkType.initiationAcknowledgement: 20
        case ChunkType.selectiveAcknowledgement: 16
        case ChunkType.reconfiguration, ChunkType.forwardTSN: 8
        default: chunkHeaderLength
        }
    }

    /// Walks parameters or error causes: type, length, value, padding.
    private static func checkParameters(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(SCTPPacketError) {
        var offset = start
        while offset < end {
            guard end - offset >= 4 else { throw .badLength }
            let length = Int(bytes.uint16(at: offset + 2))
            guard length >= 4, length <= end - offset else { throw .badLength }
            offset += length + (4 - length % 4) % 4
        }
    }
}
