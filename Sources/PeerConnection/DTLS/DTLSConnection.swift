internal import COpenSSL
package import Core

/// One DTLS 1.2 connection on memory buffers: the handshake that keys SRTP, then data for SCTP.
///
/// Does no I/O. Feed it with ``handle(_:now:)``, call ``handleTimeout(now:)`` once ``deadline`` has passed, and drain
/// ``pollTransmit()`` and ``pollEvent()`` after either. No cookie is asked for: ICE has proven the path before.
///
/// libssl reads the machine's clock for its retransmission timer, so ``deadline`` is where that timer stands, told on the
/// caller's clock; a call that comes before libssl's own time has come changes nothing but the deadline.
/// - SeeAlso: [RFC 5764](https://www.rfc-editor.org/rfc/rfc5764), [RFC 6347](https://www.rfc-editor.org/rfc/rfc6347)
@safe package struct DTLSConnection: ~Copyable {
    package enum Role: Sendable {
        /// Waits for a ClientHello (`a=setup:passive`).
        case server
        /// Sends the ClientHello (`a=setup:active`).
        case client
    }

    package enum State: Equatable, Sendable {
        case handshaking
        case connected
        case closed
        case failed(DTLSFailure)
    }

    package enum Event: Equatable, Sendable {
        /// The handshake is over and the other side's certificate is the one that its description promised.
        case connected(SRTPKeyingMaterial)
        case applicationData([UInt8])
        /// The other side said goodbye.
        case closed
        case failed(DTLSFailure)
    }

    /// Largest datagram, in bytes: what every path carries with relay headers around it.
    package static let maximumDatagram = 1200
    /// Largest record payload that is sent, in bytes: with the 37 bytes of a record it fills a datagram (the one suite without
    /// AEAD takes up to 29 more, which still fits every path of IPv6). It bounds libssl's write buffer too.
    static let maximumFragment = 1160
    /// The first retransmission timeout. RFC 6347 §4.2.4.1 suggests 1 s, doubled to 60 s; a call is set up on paths whose
    /// round trip ICE has just measured, as RFC 9147 §5.8.2 allows to use.
    package static let initialTimeout: Duration = .milliseconds(250)
    /// Twelve retransmissions at most; libssl gives up then.
    private static let maximumTimeout: UInt32 = 4_000_000
    /// A handshake that takes longer has failed.
    package static let handshakeLimit: Duration = .seconds(30)
    /// Datagrams' worth of application data that wait for ``pollEvent()``; more are dropped, as a network would.
    private static let maximumPendingEvents = 64

    package private(set) var state: State
    /// When ``handleTimeout(now:)`` is due; nil where nothing is awaited.
    package private(set) var deadline: Instant?
    package let role: Role

    private let connection: OpaquePointer
    /// Owned by `connection`.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let context: DTLSContext
    private let remoteFingerprints: [CertificateFingerprint]
    private let givesUpAt: Instant
    private var transmits: [[UInt8]]
    private var events: [Event]

    /// `initialTimeout` is a parameter for tests, whose virtual network loses datagrams faster than time passes.
    package init(
        context: DTLSContext, role: Role, remoteFingerprints: [CertificateFingerprint], now: Instant,
        initialTimeout: Duration = Self.initialTimeout
    ) throws(DTLSError) {
        guard let connection = unsafe SSL_new(context.context) else { throw .library(OpenSSLErrors.take()) }
        guard let incoming = unsafe BIO_new(BIO_s_mem()), let outgoing = unsafe BIO_new(BIO_s_mem()) else {
            unsafe SSL_free(connection)
            throw .library(OpenSSLErrors.take())
        }
        unsafe SSL_set_bio(connection, incoming, outgoing)
        unsafe dtls_set_mtu(connection, Self.maximumDatagram)
        switch role {
        case .server: unsafe SSL_set_accept_state(connection)
        case .client: unsafe SSL_set_connect_state(connection)
        }
        // The timer's callback carries no context of its own; the first timeout travels as the connection's app data.
        let microseconds = max(1, initialTimeout.nanoseconds / 1000)
        unsafe _ = SSL_set_ex_data(connection, 0, UnsafeMutableRawPointer(bitPattern: Int(microseconds)))
        unsafe DTLS_set_timer_cb(connection) { connection, current in
            let stored = unsafe SSL_get_ex_data(connection, 0)
            let first = UInt32(truncatingIfNeeded: UInt(bitPattern: stored))
            return current == 0 ? first : min(current &* 2, DTLSConnection.maximumTimeout)
        }
        state = .handshaking
        self.role = role
        unsafe self.connection = connection
        unsafe self.incoming = incoming
        unsafe self.outgoing = outgoing
        self.context = context
        self.remoteFingerprints = remoteFingerprints
        givesUpAt = now + Self.handshakeLimit
        deadline = givesUpAt
        transmits = []
        events = []
        if role == .client { advance(now: now) }
    }

    deinit {
        unsafe SSL_free(connection)
    }

    /// Takes one datagram whose first byte is 20...63 (RFC 7983). Damaged records are dropped in silence.
    package mutating func handle(_ datagram: UnsafeRawBufferPointer, now: Instant) {
        guard state == .handshaking || state == .connected, datagram.count > 0, datagram.count <= 0xFFFF else { return }
        guard unsafe BIO_write(incoming, datagram.baseAddress, Int32(datagram.count)) == datagram.count else { return }
        advance(now: now)
    }

    package mutating func handleTimeout(now: Instant) {
        guard let due = deadline, now >= due, state == .handshaking else { return }
        guard now < givesUpAt else { return fail(.timeout) }
        ERR_clear_error()
        if unsafe dtls_handle_timeout(connection) < 0 {
            OpenSSLErrors.drop()
            return fail(.timeout)
        }
        collectTransmits()
        armDeadline(now: now)
    }

    /// Sends application data. False where the connection is not up or the data does not fit one datagram.
    package mutating func send(_ data: [UInt8]) -> Bool {
        guard state == .connected, !data.isEmpty, data.count <= Self.maximumFragment else { return false }
        ERR_clear_error()
        let written = unsafe SSL_write(connection, data, Int32(data.count))
        collectTransmits()
        return written == data.count
    }

    /// Says goodbye with a close_notify alert, which is then in ``pollTransmit()``.
    package mutating func close() {
        guard state == .handshaking || state == .connected else { return }
        if state == .connected { sendCloseNotify() }
        state = .closed
        deadline = nil
    }

    package mutating func pollTransmit() -> [UInt8]? {
        transmits.isEmpty ? nil : transmits.removeFirst()
    }

    package mutating func pollEvent() -> Event? {
        events.isEmpty ? nil : events.removeFirst()
    }

    // MARK: - libssl

    private mutating func advance(now: Instant) {
        ERR_clear_error()
        if state == .handshaking {
            let status = unsafe SSL_do_handshake(connection)
            if status == 1 {
                collectTransmits()
                finishHandshake()
            } else if unsafe SSL_get_error(connection, status) != SSL_ERROR_WANT_READ {
                let reason = OpenSSLErrors.take()
                collectTransmits()
                return fail(.handshake(reason))
            }
        }
        if state == .connected { readApplicationData() }
        collectTransmits()
        armDeadline(now: now)
    }

    private mutating func finishHandshake() {
        guard isRemoteCertificateExpected() else {
            sendCloseNotify()
            return fail(.fingerprintMismatch)
        }
        let number = UInt16(truncatingIfNeeded: unsafe dtls_srtp_profile(connection))
        guard let profile = SRTPProfile(rawValue: number) else { return fail(.noCommonSRTPProfile) }
        var exported = [UInt8](repeating: 0, count: SRTPKeyingMaterial.exportLength(profile))
        let label = "EXTRACTOR-dtls_srtp"
        let status = unsafe SSL_export_keying_material(
            connection, &exported, exported.count, label, label.utf8.count, nil, 0, 0)
        guard status == 1,
            let keys = SRTPKeyingMaterial(exported: exported, profile: profile, isClient: role == .client)
        else { return fail(.handshake(OpenSSLErrors.take())) }
        state = .connected
        events.append(.connected(keys))
    }

    /// True where the certificate's digest is one that the remote description promised (RFC 8122 §6.2: any of them).
    private func isRemoteCertificateExpected() -> Bool {
        guard let certificate = unsafe SSL_get1_peer_certificate(connection) else { return false }
        defer { unsafe X509_free(certificate) }
        return remoteFingerprints.contains { expected in
            guard let actual = unsafe DTLSCertificate.fingerprint(of: certificate, expected.algorithm) else {
                return false
            }
            return constantTimeEquals(actual.digest, expected.digest)
        }
    }

    private mutating func readApplicationData() {
        unsafe withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 8) { buffer in
            while true {
                ERR_clear_error()
                let count = unsafe SSL_read(connection, buffer.baseAddress, Int32(buffer.count))
                if count > 0 {
                    if events.count < Self.maximumPendingEvents {
                        events.append(.applicationData(unsafe [UInt8](buffer[0..<Int(count)])))
                    }
                    continue
                }
                switch unsafe SSL_get_error(connection, count) {
                case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
                case SSL_ERROR_ZERO_RETURN:
                    unsafe _ = SSL_shutdown(connection)
                    state = .closed
                    deadline = nil
                    events.append(.closed)
                    return
                default: return fail(.connection(OpenSSLErrors.take()))
                }
            }
        }
    }

    private mutating func sendCloseNotify() {
        ERR_clear_error()
        unsafe _ = SSL_shutdown(connection)
        OpenSSLErrors.drop()
        collectTransmits()
    }

    private mutating func fail(_ failure: DTLSFailure) {
        state = .failed(failure)
        deadline = nil
        events.append(.failed(failure))
    }

    private mutating func armDeadline(now: Instant) {
        guard state == .handshaking else {
            deadline = nil
            return
        }
        var left = timeval()
        guard unsafe dtls_get_timeout(connection, &left) == 1 else {
            deadline = givesUpAt
            return
        }
        let microseconds = Int64(left.tv_sec) * 1_000_000 + Int64(left.tv_usec)
        deadline = min(givesUpAt, now + .microseconds(microseconds))
    }

    /// Takes what libssl has written. A memory buffer forgets where one datagram ended, so the flight is cut anew
    /// between records (RFC 6347 §4.1: several may share a datagram, none may span two).
    private mutating func collectTransmits() {
        let pending = unsafe BIO_ctrl_pending(outgoing)
        guard pending > 0 else { return }
        var flight = [UInt8](repeating: 0, count: pending)
        let count = unsafe BIO_read(outgoing, &flight, Int32(pending))
        guard count > 0 else { return }
        transmits.append(contentsOf: Self.datagrams(of: flight[0..<Int(count)]))
    }

    /// Cuts a run of records into datagrams of at most ``maximumDatagram`` bytes.
    static func datagrams(of flight: ArraySlice<UInt8>) -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        var start = flight.startIndex
        var end = start
        while end < flight.endIndex {
            // type(1) version(2) epoch(2) sequence(6) length(2)
            let isWhole = flight.endIndex - end >= 13
            let length = isWhole ? 13 + (Int(flight[end + 11]) << 8 | Int(flight[end + 12])) : flight.endIndex - end
            let next = min(end + length, flight.endIndex)
            if next - start > maximumDatagram, end > start {
                datagrams.append(Array(flight[start..<end]))
                start = end
            }
            end = next
        }
        if end > start { datagrams.append(Array(flight[start..<end])) }
        return datagrams
    }
}

/// Why a DTLS connection ended badly.
package enum DTLSFailure: Error, Equatable, Sendable {
    /// What libssl said of the handshake: an alert, no common cipher.
    case handshake(String)
    /// The certificate is not the one that the remote description promised.
    case fingerprintMismatch
    /// The other side speaks no SRTP profile of ours.
    case noCommonSRTPProfile
    /// No answer within ``DTLSConnection/handshakeLimit`` or after the last retransmission.
    case timeout
    /// What libssl said after the handshake.
    case connection(String)

    /// One sentence for a log line.
    package var reason: String {
        switch self {
        case .handshake(let reason): "the DTLS handshake failed: \(reason)"
        case .fingerprintMismatch: "the peer's certificate does not match the fingerprint in its description"
        case .noCommonSRTPProfile: "the peer offers no SRTP profile that this server speaks"
        case .timeout: "the DTLS handshake was not answered"
        case .connection(let reason): "the DTLS connection failed: \(reason)"
        }
    }
}
