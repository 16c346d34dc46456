internal import Core

/// Protects what one peer is sent: RTP on the hot path, RTCP beside it.
///
/// In place, without an allocation: one cipher context per kind of packet, keyed once; only the IV is set per packet.
/// Rollover counters are kept per SSRC. A packet whose index is not beyond the last of its SSRC is refused, since its
/// nonce would repeat; retransmissions therefore travel as RTX with a sequence of their own.
/// - SeeAlso: [RFC 3711 §3.3](https://www.rfc-editor.org/rfc/rfc3711#section-3.3)
package struct SRTPSendContext: ~Copyable {
    /// Audio, video, RTX and room for more layers.
    package static let maximumStreams = 8
    /// `2^48` packets (RFC 3711 §9.2) end at this rollover counter.
    private static let lastIndex: UInt64 = (1 << 48) - 1

    private struct Stream {
        var ssrc: UInt32 = 0
        /// The next index may not be below this: `ROC * 2^16 + SEQ + 1`. Zero before the first packet.
        var nextIndex: UInt64 = 0
        var nextControlIndex: UInt32 = 0
    }

    package let profile: SRTPProfile
    private let rtp: SRTPTransform
    private let rtcp: SRTPTransform
    private var streams: InlineArray<8, Stream>
    private var streamCount: Int

    package init(_ master: SRTPMasterKey, profile: SRTPProfile) throws(SRTPError) {
        try self.init(sessionKeys: SRTPSessionKeys(master, profile: profile), profile: profile)
    }

    /// For keys that are derived already, as some published vectors give them.
    package init(sessionKeys: SRTPSessionKeys, profile: SRTPProfile) throws(SRTPError) {
        let rtp = try SRTPTransform(sessionKeys.rtp, profile: profile)
        let rtcp = try SRTPTransform(sessionKeys.rtcp, profile: profile)
        self.profile = profile
        self.rtp = rtp
        self.rtcp = rtcp
        streams = InlineArray(repeating: Stream())
        streamCount = 0
    }

    /// Protects the RTP packet in the first `length` bytes of `buffer` and returns its new length.
    ///
    /// `headerLength` counts the fixed header, the CSRCs and the header extension, which stay readable. The buffer needs
    /// ``SRTPProfile/tagLength`` bytes of room behind the packet.
    package mutating func protect(
        _ buffer: UnsafeMutableRawBufferPointer, headerLength: Int, length: Int
    ) throws(SRTPError) -> Int {
        guard headerLength >= 12, length >= headerLength, buffer.count >= length + profile.tagLength,
            let packet = buffer.baseAddress
        else { throw .malformedPacket }
        let sequence = unsafe UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let ssrc = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let slot = try slot(of: ssrc)
        let index = Self.index(of: sequence, next: streams[slot].nextIndex)
        // An index before the stream's first wraps around and is beyond the last one.
        guard index >= streams[slot].nextIndex, index <= Self.lastIndex else { throw .indexNotIncreasing }
        streams[slot].nextIndex = index + 1
        guard
            unsafe rtp.protectRTP(packet, headerLength: headerLength, length: length, ssrc: ssrc, index: index)
        else { throw .library(status: 0) }
        return length + profile.tagLength
    }

    /// Protects the RTCP compound packet in the first `length` bytes of `buffer` and returns its new length.
    ///
    /// The buffer needs ``SRTPProfile/controlOverhead`` bytes of room behind the packet.
    package mutating func protectControl(
        _ buffer: UnsafeMutableRawBufferPointer, length: Int
    ) throws(SRTPError) -> Int {
        guard length >= 8, buffer.count >= length + profile.controlOverhead, let packet = buffer.baseAddress else {
            throw .malformedPacket
        }
        let ssrc = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let slot = try slot(of: ssrc)
        let index = streams[slot].nextControlIndex
        guard index <= 0x7FFF_FFFF else { throw .indexNotIncreasing }
        streams[slot].nextControlIndex = index + 1
        guard unsafe rtcp.protectRTCP(packet, length: length, ssrc: ssrc, index: index) else {
            throw .library(status: 0)
        }
        return length + profile.controlOverhead
    }

    /// The 48-bit index nearest to the last one (RFC 3711 §3.3.1); a stream begins with rollover counter zero.
    private static func index(of sequence: UInt16, next: UInt64) -> UInt64 {
        guard next > 0 else { return UInt64(sequence) }
        let last = next - 1
        let distance = Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: last))
        return last &+ UInt64(bitPattern: Int64(distance))
    }

    private mutating func slot(of ssrc: UInt32) throws(SRTPError) -> Int {
        for index in 0..<streamCount where streams[index].ssrc == ssrc { return index }
        guard streamCount < Self.maximumStreams else { throw .tooManyStreams }
        streams[streamCount].ssrc = ssrc
        streamCount += 1
        return streamCount - 1
    }
}
