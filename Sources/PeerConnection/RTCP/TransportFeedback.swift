internal import Core

/// Transport-wide congestion control feedback: which packets of all streams arrived, and when.
///
/// ```
/// |sender SSRC (32)|media SSRC (32)|base sequence number (16)|packet status count (16)|
/// |reference time (24, signed, 64 ms)|feedback packet count (8)|packet chunks, 16 each|receive deltas, 250 µs, 8 or 16 each|
/// ```
/// - SeeAlso: [draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1](https://datatracker.ietf.org/doc/html/draft-holmer-rmcat-transport-wide-cc-extensions-01#section-3.1)
package struct TransportFeedback: Equatable, Sendable {
    package struct Arrival: Equatable, Sendable {
        package var sequenceNumber: UInt16
        /// When the packet arrived, on the receiver's clock; only differences have a meaning.
        package var time: Duration

        package init(sequenceNumber: UInt16, time: Duration) {
            self.sequenceNumber = sequenceNumber
            self.time = time
        }
    }

    package var sender: SSRC
    package var media: SSRC
    package var baseSequenceNumber: UInt16
    /// How many packets from the base on this feedback speaks of. Those without an arrival are lost.
    package var packetStatusCount: UInt16
    package var feedbackPacketCount: UInt8
    /// In the order of sequence numbers. Each took at least one byte of the datagram, so a small datagram cannot claim many.
    package var arrivals: [Arrival]

    package init(
        sender: SSRC, media: SSRC, baseSequenceNumber: UInt16, packetStatusCount: UInt16, feedbackPacketCount: UInt8,
        arrivals: [Arrival]
    ) {
        self.sender = sender
        self.media = media
        self.baseSequenceNumber = baseSequenceNumber
        self.packetStatusCount = packetStatusCount
        self.feedbackPacketCount = feedbackPacketCount
        self.arrivals = arrivals
    }

    private enum Symbol {
        static let notReceived: UInt16 = 0
        static let smallDelta: UInt16 = 1
        static let largeDelta: UInt16 = 2
    }

    private static let referenceUnit: Duration = .milliseconds(64)
    private static let deltaUnit: Duration = .microseconds(250)

    init?(body: Span<UInt8>) {
        var reader = ByteReader(body)
        guard let sender = reader.readUInt32(), let media = reader.readUInt32(), let base = reader.readUInt16(),
            let count = reader.readUInt16(), let reference = reader.readUInt24(), let packets = reader.readUInt8(),
            let runs = Self.readChunks(count: Int(count), &reader)
        else { return nil }
        var time = Self.referenceUnit * Int(Int32(bitPattern: reference << 8) >> 8)
        var sequenceNumber = base
        var arrivals: [Arrival] = []
        for run in runs {
            guard run.symbol == Symbol.smallDelta || run.symbol == Symbol.largeDelta else {
                sequenceNumber &+= run.length
                continue
            }
            for _ in 0..<run.length {
                if run.symbol == Symbol.smallDelta {
                    guard let delta = reader.readUInt8() else { return nil }
                    time += Self.deltaUnit * Int(delta)
                } else {
                    guard let delta = reader.readUInt16() else { return nil }
                    time += Self.deltaUnit * Int(Int16(bitPattern: delta))
                }
                arrivals.append(Arrival(sequenceNumber: sequenceNumber, time: time))
                sequenceNumber &+= 1
            }
        }
        self.init(
            sender: SSRC(sender), media: SSRC(media), baseSequenceNumber: base, packetStatusCount: count,
            feedbackPacketCount: packets, arrivals: arrivals)
    }

    /// Reads chunks until they cover `count` packets: runs of one symbol (13-bit length), or vectors of 14 one-bit or 7 two-bit symbols.
    private static func readChunks(count: Int, _ reader: inout ByteReader) -> [(symbol: UInt16, length: UInt16)]? {
        var runs: [(symbol: UInt16, length: UInt16)] = []
        var left = count
        while left > 0 {
            guard let chunk = reader.readUInt16() else { return nil }
            if chunk & 0x8000 == 0 {
                let length = min(Int(chunk & 0x1FFF), left)
                // A run of nothing moves nothing: it would only waste our time.
                guard length > 0 else { return nil }
                runs.append((chunk >> 13 & 3, UInt16(clamping: length)))
                left -= length
                continue
            }
            let (symbols, bits): (Int, UInt16) = chunk & 0x4000 == 0 ? (14, 1) : (7, 2)
            for index in 0..<min(symbols, left) {
                let shift = 14 - bits * UInt16(index + 1)
                runs.append((chunk >> shift & (1 << bits - 1), 1))
            }
            left -= min(symbols, left)
        }
        return runs
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(sender.value)
        writer.write(media.value)
        writer.write(baseSequenceNumber)
        writer.write(packetStatusCount)
        let first = arrivals.first?.time ?? .zero
        // Rounded down, so that the first delta is not negative.
        var reference = first.nanoseconds / Self.referenceUnit.nanoseconds
        if first < .zero, first.nanoseconds % Self.referenceUnit.nanoseconds != 0 { reference -= 1 }
        writer.writeUInt24(UInt32(truncatingIfNeeded: reference) & 0xFF_FFFF)
        writer.write(feedbackPacketCount)

        var symbols = [UInt16](repeating: Symbol.notReceived, count: Int(packetStatusCount))
        var deltas = ByteWriter()
        var units = reference * (Self.referenceUnit.nanoseconds / Self.deltaUnit.nanoseconds)
        for arrival in arrivals {
            let index = Int(arrival.sequenceNumber &- baseSequenceNumber)
            guard index < symbols.count else { continue }
            let delta = arrival.time.nanoseconds / Self.deltaUnit.nanoseconds - units
            if (0...255).contains(delta) {
                symbols[index] = Symbol.smallDelta
                deltas.write(UInt8(truncatingIfNeeded: delta))
                units += delta
            } else {
                let bounded = Int16(clamping: delta)
                symbols[index] = Symbol.largeDelta
                deltas.write(UInt16(bitPattern: bounded))
                units += Int64(bounded)
            }
        }
        var index = 0
        while index < symbols.count {
            var chunk: UInt16 = 0xC000
            for position in 0..<7 where index + position < symbols.count {
                chunk |= symbols[index + position] << UInt16(12 - 2 * position)
            }
            writer.write(chunk)
            index += 7
        }
        writer.write(deltas.bytes)
    }
}
