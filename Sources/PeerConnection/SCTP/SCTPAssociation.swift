internal import CSCTP
internal import Core

/// One SCTP association with the peer, both sides of which begin (RFC 9260 §5.2.1: their INITs may cross).
///
/// Does no I/O. After every call that takes `now` drain ``pollEvent()`` and ``pollTransmit()``, then arm ``deadline``. The library
/// keeps one state for all associations of the process; what another thread's call lets time out for this one waits here until
/// ``handleTimeout(now:)``, at most ``interval`` later.
/// - SeeAlso: [RFC 9260](https://www.rfc-editor.org/rfc/rfc9260), [RFC 8261](https://www.rfc-editor.org/rfc/rfc8261)
struct SCTPAssociation: ~Copyable {
    enum Event: Equatable {
        /// Streams that we may send on.
        case connected(streams: Int)
        /// The peer began anew; no stream of before is left.
        case restarted
        case part(SCTPPart)
        /// The rest of a message that has begun on the stream was given up by the peer.
        case partialAbandoned(stream: UInt16)
        /// The peer's direction of these streams; of all where none is named.
        case incomingReset([UInt16])
        /// Our direction.
        case outgoingReset([UInt16])
        case resetDenied([UInt16])
        case ended(Ending)
    }

    enum Ending: Equatable {
        /// INIT was not answered.
        case notAnswered
        /// An ABORT came.
        case aborted
        /// What we sent was not acknowledged.
        case lost
        /// The peer shut the association down, in good order.
        case shutDown
    }

    enum SendResult: Equatable {
        /// So many bytes, at least one.
        case taken(Int)
        /// No room until something is acknowledged.
        case later
        case refused
    }

    enum ResetResult: Equatable {
        case requested
        /// Another reset is on its way.
        case later
        /// The peer knows no stream resets (RFC 6525).
        case refused
    }

    /// Bytes of an SCTP packet: in a DTLS record it fits ``DTLSConnection/maximumDatagram``.
    static let maximumPacket: UInt32 = 1160
    /// Streams asked for in each direction. Peers that never use a stream twice take a new one for every channel.
    static let streams: UInt16 = 1024
    /// Bytes that the library takes before they are acknowledged: a path's bandwidth-delay product.
    private static let sendBuffer: UInt32 = 1 << 19
    /// Packets that may wait to be taken; a full window's worth.
    private static let maximumOutputs: UInt32 = 2048
    /// Between two looks at the library's timers while one may run.
    static let interval: Duration = .milliseconds(10)
    /// No retransmission is due before: the library's shortest timeout.
    private static let shortestTimeout: Duration = .milliseconds(390)
    /// A delayed acknowledgement is due after this.
    private static let acknowledgementDelay: Duration = .milliseconds(202)

    /// When ``handleTimeout(now:)`` is due; nil while no timer of the library's runs for this association.
    private(set) var deadline: Instant?
    private(set) var initsSent: UInt64 = 0
    private let number: csctp_association
    private let localPort: UInt16
    private let remotePort: UInt16
    private var busySince: Instant?
    private var acknowledgementDue: Instant?
    private var resetsUnanswered = 0
    private var hasSeenAbort = false

    /// Sends INIT at once. Nil where the library has no room.
    init?(localPort: UInt16, remotePort: UInt16, receiveBuffer: Int, now: Instant) {
        var settings = csctp_settings()
        settings.local_port = localPort
        settings.remote_port = remotePort
        settings.streams = Self.streams
        settings.maximum_packet = Self.maximumPacket
        settings.send_buffer = Self.sendBuffer
        settings.receive_buffer = UInt32(clamping: min(max(receiveBuffer, 1 << 17), 1 << 24))
        settings.maximum_outputs = Self.maximumOutputs
        number = unsafe csctp_open(&settings, Self.microseconds(now))
        guard number != 0 else { return nil }
        self.localPort = localPort
        self.remotePort = remotePort
        update(now: now)
    }

    deinit {
        csctp_free(number, 0)
    }

    /// Takes a packet, a DTLS record's content.
    mutating func handle(_ packet: [UInt8], now: Instant) throws(SCTPPacketError) {
        let content = try SCTPPacket(packet.span, from: remotePort, to: localPort)
        if content.hasAbort { hasSeenAbort = true }
        if content.hasData, acknowledgementDue == nil { acknowledgementDue = now + Self.acknowledgementDelay }
        unsafe csctp_input(number, packet, packet.count, Self.microseconds(now))
        update(now: now)
    }

    mutating func handleTimeout(now: Instant) {
        guard let deadline, deadline <= now else { return }
        csctp_advance(Self.microseconds(now))
        if let due = acknowledgementDue, due <= now { acknowledgementDue = nil }
        update(now: now)
    }

    /// Hands over a part of a message.
    mutating func send(_ bytes: ArraySlice<UInt8>, as part: SCTPOutgoingPart, now: Instant) -> SendResult {
        var description = csctp_part()
        description.payload_protocol = part.payloadProtocol.rawValue
        description.stream = part.stream
        description.is_unordered = part.isOrdered ? 0 : 1
        description.is_end = part.isEnd ? 1 : 0
        switch part.reliability {
        case .reliable: break
        case .retransmissions(let count):
            description.limits_retransmissions = 1
            description.limit = UInt32(count)
        case .lifetime(let duration):
            description.limits_lifetime = 1
            description.limit = UInt32(clamping: duration.nanoseconds / 1_000_000)
        }
        let taken = unsafe bytes.withUnsafeBytes { bytes in
            unsafe csctp_send(number, bytes.baseAddress, bytes.count, &description, Self.microseconds(now))
        }
        update(now: now)
        if taken > 0 { return .taken(Int(taken)) }
        return taken == Int64(CSCTP_SEND_LATER.rawValue) ? .later : .refused
    }

    /// Asks the peer to forget our direction of a stream (RFC 6525); ``Event/outgoingReset(_:)`` says that it did.
    mutating func resetStream(_ stream: UInt16, now: Instant) -> ResetResult {
        let result = csctp_reset_stream(number, stream, Self.microseconds(now))
        defer { update(now: now) }
        switch result {
        case CSCTP_RESET_REQUESTED.rawValue:
            resetsUnanswered += 1
            return .requested
        case CSCTP_RESET_LATER.rawValue: return .later
        default: return .refused
        }
    }

    /// Ends the association; an ABORT is then in ``pollTransmit()``.
    mutating func abort(now: Instant) {
        csctp_abort(number, Self.microseconds(now))
        deadline = nil
    }

    mutating func pollTransmit() -> [UInt8]? {
        unsafe withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 8) { buffer in
            let length = unsafe csctp_output(number, buffer.baseAddress, buffer.count)
            return length > 0 ? unsafe [UInt8](buffer[0..<length]) : nil
        }
    }

    mutating func pollEvent() -> Event? {
        unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 8) { buffer in
            while true {
                var arrival = csctp_arrival()
                unsafe csctp_receive(number, buffer.baseAddress, buffer.count, &arrival)
                guard arrival.kind != UInt8(CSCTP_NOTHING.rawValue) else { return nil }
                let content = unsafe UnsafeRawBufferPointer(rebasing: buffer[0..<min(arrival.length, buffer.count)])
                if let event = unsafe event(of: arrival, content) { return event }
            }
        }
    }

    /// Messages that were given up, as their reliability demands.
    var abandoned: UInt64 { csctp_abandoned(number) }

    private mutating func event(of arrival: csctp_arrival, _ content: UnsafeRawBufferPointer) -> Event? {
        func streams() -> [UInt16] {
            stride(from: 0, to: content.count - 1, by: 2).map { offset in
                unsafe content.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
            }
        }
        switch UInt32(arrival.kind) {
        case CSCTP_DATA.rawValue:
            return .part(
                SCTPPart(
                    stream: arrival.stream, payloadProtocol: arrival.payload_protocol,
                    isUnordered: arrival.is_unordered != 0, isEnd: arrival.is_end != 0, bytes: unsafe [UInt8](content)))
        case CSCTP_PARTIAL_ABANDONED.rawValue: return .partialAbandoned(stream: arrival.stream)
        case CSCTP_UP.rawValue: return .connected(streams: Int(arrival.outbound_streams))
        case CSCTP_RESTARTED.rawValue:
            resetsUnanswered = 0
            return .restarted
        case CSCTP_NOT_ANSWERED.rawValue: return .ended(hasSeenAbort ? .aborted : .notAnswered)
        case CSCTP_LOST.rawValue: return .ended(hasSeenAbort ? .aborted : .lost)
        case CSCTP_SHUT_DOWN.rawValue: return .ended(.shutDown)
        case CSCTP_INCOMING_RESET.rawValue: return .incomingReset(streams())
        case CSCTP_OUTGOING_RESET.rawValue:
            let streams = streams()
            answered(streams)
            return .outgoingReset(streams)
        case CSCTP_RESET_DENIED.rawValue:
            let streams = streams()
            answered(streams)
            return .resetDenied(streams)
        default: return nil
        }
    }

    private mutating func answered(_ streams: [UInt16]) {
        resetsUnanswered = streams.isEmpty ? 0 : max(0, resetsUnanswered - streams.count)
    }

    /// Arms the deadline by what the library waits for.
    private mutating func update(now: Instant) {
        var figures = csctp_figures()
        unsafe csctp_read_figures(number, &figures)
        initsSent = figures.inits_sent
        if figures.is_busy != 0 || resetsUnanswered > 0 {
            if busySince == nil { busySince = now }
        } else {
            busySince = nil
        }
        var earliest = acknowledgementDue
        if let busySince {
            let due = max(now + Self.interval, busySince + Self.shortestTimeout)
            earliest = earliest.map { min($0, due) } ?? due
        }
        deadline = earliest
    }

    private static func microseconds(_ now: Instant) -> UInt64 {
        UInt64(clamping: now.nanoseconds / 1000)
    }
}
