package import Core

/// The header extensions we know, by the URI that SDP maps to a number.
package enum RTPHeaderExtension: String, CaseIterable, Sendable {
    /// The media section a packet belongs to ([RFC 9143 §15.2](https://www.rfc-editor.org/rfc/rfc9143#section-15.2)).
    case mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    /// 24 bits: when the packet left, in seconds, 6.18 fixed point.
    case absoluteSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    /// 16 bits: a number that counts the packets of all streams of a transport
    /// ([draft-holmer-rmcat-transport-wide-cc-extensions-01 §2](https://datatracker.ietf.org/doc/html/draft-holmer-rmcat-transport-wide-cc-extensions-01#section-2)).
    case transportSequenceNumber = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    /// How loud the packet's sound is ([RFC 6464](https://www.rfc-editor.org/rfc/rfc6464)).
    case audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
}

/// The number that each negotiated header extension has in one media section.
package struct RTPHeaderExtensionIDs: Equatable, Sendable {
    package var mid: UInt8?
    package var absoluteSendTime: UInt8?
    package var transportSequenceNumber: UInt8?
    package var audioLevel: UInt8?

    package init(
        mid: UInt8? = nil, absoluteSendTime: UInt8? = nil, transportSequenceNumber: UInt8? = nil,
        audioLevel: UInt8? = nil
    ) {
        self.mid = mid
        self.absoluteSendTime = absoluteSendTime
        self.transportSequenceNumber = transportSequenceNumber
        self.audioLevel = audioLevel
    }

    package subscript(_ known: RTPHeaderExtension) -> UInt8? {
        get {
            switch known {
            case .mid: mid
            case .absoluteSendTime: absoluteSendTime
            case .transportSequenceNumber: transportSequenceNumber
            case .audioLevel: audioLevel
            }
        }
        set {
            switch known {
            case .mid: mid = newValue
            case .absoluteSendTime: absoluteSendTime = newValue
            case .transportSequenceNumber: transportSequenceNumber = newValue
            case .audioLevel: audioLevel = newValue
            }
        }
    }
}

/// The abs-send-time of an instant: seconds modulo 64 as a 6.18 fixed-point number. Only differences have a meaning, so any clock serves.
package func absoluteSendTime(_ now: Instant) -> UInt32 {
    let nanoseconds = UInt64(bitPattern: now.nanoseconds) % 64_000_000_000
    return UInt32(truncatingIfNeeded: (nanoseconds << 18) / 1_000_000_000) & 0xFF_FFFF
}

extension RTPPacket {
    private static let oneByteProfile: UInt16 = 0xBEDE
    /// The low 4 bits are `appbits`, of no meaning to us.
    private static let twoByteProfile: UInt16 = 0x1000

    /// Where the data of header extension `id` lies in `bytes`, which are those this packet was read from.
    ///
    /// Reads the one-byte and the two-byte form; a malformed rest ends the search.
    /// - SeeAlso: [RFC 8285 §4.2 and §4.3](https://www.rfc-editor.org/rfc/rfc8285#section-4.2)
    package func rangeOfExtension(_ id: UInt8, in bytes: Span<UInt8>) -> Range<Int>? {
        guard let profile = extensionProfile, extensionRange.upperBound <= bytes.count else { return nil }
        let isOneByte = profile == Self.oneByteProfile
        guard isOneByte || profile & 0xFFF0 == Self.twoByteProfile else { return nil }
        var offset = extensionRange.lowerBound
        let end = extensionRange.upperBound
        while offset < end {
            let first = bytes[offset]
            offset += 1
            if first == 0 { continue }  // padding between elements
            let (element, length): (UInt8, Int)
            if isOneByte {
                element = first >> 4
                if element == 15 { return nil }  // §4.2: processing stops here
                length = Int(first & 0x0F) + 1
            } else {
                guard offset < end else { return nil }
                element = first
                length = Int(bytes[offset])
                offset += 1
            }
            guard length <= end - offset else { return nil }
            if element == id { return offset..<(offset + length) }
            offset += length
        }
        return nil
    }

    /// The media section that the packet says it belongs to.
    package func mid(_ ids: RTPHeaderExtensionIDs, in bytes: Span<UInt8>) -> String? {
        guard let id = ids.mid, let range = rangeOfExtension(id, in: bytes), !range.isEmpty else { return nil }
        return String(decoding: bytes.array(range), as: UTF8.self)
    }

    /// The packet's transport-wide sequence number.
    package func transportSequenceNumber(_ ids: RTPHeaderExtensionIDs, in bytes: Span<UInt8>) -> UInt16? {
        guard let id = ids.transportSequenceNumber, let range = rangeOfExtension(id, in: bytes), range.count == 2 else {
            return nil
        }
        return bytes.uint16(at: range.lowerBound)
    }

    /// When the packet left its sender, 6.18 fixed point.
    package func absoluteSendTime(_ ids: RTPHeaderExtensionIDs, in bytes: Span<UInt8>) -> UInt32? {
        guard let id = ids.absoluteSendTime, let range = rangeOfExtension(id, in: bytes), range.count == 3 else {
            return nil
        }
        return UInt32(bytes[range.lowerBound]) << 16 | UInt32(bytes.uint16(at: range.lowerBound + 1))
    }
}
