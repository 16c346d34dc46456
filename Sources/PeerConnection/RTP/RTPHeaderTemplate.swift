/// The RTP header of one outbound stream with everything filled in that does not change from packet to packet.
///
/// All packets of a stream have a header of the same length: the equal segments of GSO need it. The extension has the one-byte form:
/// ```
/// |0xBEDE        |length in words| abs-send-time: id,2 + 3 bytes | transport number: id,1 + 2 bytes | mid: id,n-1 + n bytes | zeros |
/// ```
/// - SeeAlso: [RFC 8285 §4.2](https://www.rfc-editor.org/rfc/rfc8285#section-4.2)
struct RTPHeaderTemplate: Sendable {
    /// The one-byte form can carry 16 bytes an element.
    static let maximumMIDLength = 16

    private let bytes: [UInt8]
    private let absoluteSendTimeOffset: Int?
    private let transportSequenceNumberOffset: Int?

    /// Header bytes of every packet.
    var length: Int { bytes.count }
    var carriesTransportSequenceNumber: Bool { transportSequenceNumberOffset != nil }

    init(ssrc: SSRC, payloadType: UInt8, mid: String, extensions: RTPHeaderExtensionIDs) {
        let oneByteIDs: ClosedRange<UInt8> = 1...14
        var elements: [UInt8] = []
        let elementsStart = RTPPacket.fixedHeaderLength + 4
        var sendTimeOffset: Int?
        var transportOffset: Int?
        if let id = extensions.absoluteSendTime, oneByteIDs.contains(id) {
            sendTimeOffset = elementsStart + elements.count + 1
            elements += [id << 4 | 2, 0, 0, 0]
        }
        if let id = extensions.transportSequenceNumber, oneByteIDs.contains(id) {
            transportOffset = elementsStart + elements.count + 1
            elements += [id << 4 | 1, 0, 0]
        }
        let name = Array(mid.utf8)
        if let id = extensions.mid, oneByteIDs.contains(id), (1...Self.maximumMIDLength).contains(name.count) {
            elements.append(id << 4 | UInt8(name.count - 1))
            elements += name
        }
        while elements.count % 4 != 0 { elements.append(0) }

        var header = [UInt8](repeating: 0, count: RTPPacket.fixedHeaderLength)
        header[0] = elements.isEmpty ? 0x80 : 0x90
        header[1] = payloadType & 0x7F
        for index in 0..<4 { header[8 + index] = UInt8(truncatingIfNeeded: ssrc.value >> UInt32(24 - 8 * index)) }
        if !elements.isEmpty {
            header += [0xBE, 0xDE, 0, UInt8(elements.count / 4)]
            header += elements
        }
        bytes = header
        absoluteSendTimeOffset = sendTimeOffset
        transportSequenceNumberOffset = transportOffset
    }

    /// Writes the header; the caller has checked that `buffer` has room for ``length`` bytes.
    func write(
        marker: Bool, sequenceNumber: UInt16, timestamp: UInt32, absoluteSendTime: UInt32,
        transportSequenceNumber: UInt16, into buffer: UnsafeMutableRawBufferPointer
    ) {
        unsafe buffer.copyBytes(from: bytes)
        if marker { unsafe buffer[1] |= 0x80 }
        unsafe buffer.storeBytes(of: sequenceNumber.bigEndian, toByteOffset: 2, as: UInt16.self)
        unsafe buffer.storeBytes(of: timestamp.bigEndian, toByteOffset: 4, as: UInt32.self)
        if let offset = absoluteSendTimeOffset {
            unsafe buffer[offset] = UInt8(truncatingIfNeeded: absoluteSendTime >> 16)
            unsafe buffer[offset + 1] = UInt8(truncatingIfNeeded: absoluteSendTime >> 8)
            unsafe buffer[offset + 2] = UInt8(truncatingIfNeeded: absoluteSendTime)
        }
        if let offset = transportSequenceNumberOffset {
            unsafe buffer.storeBytes(
                of: transportSequenceNumber.bigEndian, toByteOffset: offset, as: UInt16.self)
        }
    }
}
