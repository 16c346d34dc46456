package import Core
package import TURNClient

/// How far a peer connection has come. Each phase has its own evidence and its own way to fail.
package enum PeerPhase: String, Hashable, Sendable {
    /// Descriptions are being exchanged.
    case signaling
    /// Looking for a path.
    case ice
    /// A path is there; keys are being agreed on.
    case dtls
    /// Media may flow.
    case connected
    case failed
    case closed
}

/// Where media goes: a transport of ours and the address behind it.
package struct MediaPath: Hashable, Sendable {
    package var local: LocalCandidateID
    package var remote: SocketAddress
}

/// What became of a datagram.
package enum DatagramOutcome: Hashable, Sendable {
    /// A check that proves that the source belongs to this peer; the driver may bind it.
    case authenticatedSTUN
    case accepted
    case refused(DatagramRefusal)
}

package enum DatagramRefusal: Hashable, Sendable {
    /// Neither STUN nor DTLS nor RTP by its first byte (RFC 7983).
    case unknownProtocol
    case stun(STUNRefusal)
    /// Media or keys before there is a session that they could belong to.
    case early
    case srtp(SRTPRefusal)
    case malformed
    /// A payload type that was not negotiated for this direction.
    case unexpectedMedia
    case closed
}

/// Why a media packet was refused, coarse enough for a counter.
package enum SRTPRefusal: String, Hashable, Sendable {
    case malformed
    case authentication
    case replay
    case streams
    case library

    init(_ error: SRTPError) {
        switch error {
        case .malformedPacket, .invalidKey, .indexNotIncreasing: self = .malformed
        case .authenticationFailed: self = .authentication
        case .replayed: self = .replay
        case .tooManyStreams: self = .streams
        case .library: self = .library
        }
    }
}

/// What became of a candidate line.
package enum CandidateOutcome: Hashable, Sendable {
    case added
    case duplicate
    /// A name that only the browser's own network resolves; its address shows itself by a check.
    case ignoredName
    case endOfCandidates
    case malformed(CandidateParseError)
    case refused(CandidateRefusal)
    case limit
}

/// One RTP packet that came in, decrypted and out of its RTX wrapping.
package struct ReceivedPacket: Equatable, Sendable {
    package let kind: MediaKind
    package let payloadType: UInt8
    package let ssrc: SSRC
    package let sequenceNumber: UInt16
    package let timestamp: UInt32
    package let marker: Bool
    /// It came by retransmission.
    package let isRetransmitted: Bool
    package let payload: [UInt8]

    package init(
        kind: MediaKind, payloadType: UInt8, ssrc: SSRC, sequenceNumber: UInt16, timestamp: UInt32, marker: Bool,
        isRetransmitted: Bool, payload: [UInt8]
    ) {
        self.kind = kind
        self.payloadType = payloadType
        self.ssrc = ssrc
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.marker = marker
        self.isRetransmitted = isRetransmitted
        self.payload = payload
    }
}

/// What the hot path wrote: datagrams back to back, all of ``segmentSize`` bytes but the last, which may be shorter.
package struct WrittenPackets: Equatable, Sendable {
    /// Nothing was written: no keys or path yet, nothing negotiated for this kind, or no room.
    package static let none = WrittenPackets(count: 0, segmentSize: 0, byteCount: 0)

    package let count: Int
    /// Bytes of each segment, reserved bytes included.
    package let segmentSize: Int
    package let byteCount: Int
}

/// A first-in, first-out queue whose storage is kept from one filling to the next.
struct PendingQueue<Element> {
    private var elements: [Element] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: elements.capacity <= 16)
            head = 0
        }
        return element
    }
}

extension PendingQueue: Sendable where Element: Sendable {}
