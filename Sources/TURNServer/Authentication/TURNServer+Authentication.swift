internal import Core
internal import TURNClient

/// Who asks: the long-term credential mechanism, with nonces that are bound to the client's path.
///
/// - SeeAlso: [RFC 8489 §9.2.4](https://www.rfc-editor.org/rfc/rfc8489#section-9.2.4)
extension TURNServer {
    struct Client {
        let username: String
        let key: [UInt8]
    }

    /// A longer username was not issued by us; the RFC allows 508 bytes.
    static let maximumUsernameByteCount = 256

    /// The client of an authentic request; nil where it was refused, and answered as it should be.
    mutating func authenticate(
        _ request: STUNMessage, bytes: Span<UInt8>, from path: TURNClientPath, slot: Int?, now: Instant,
        wallTime: WallTime
    ) -> Client? {
        guard request.carriesIntegrity else {
            counters.challenged &+= 1
            challenge(request, code: 401, path: path, now: now)
            return nil
        }
        guard let username = request.username, request.realm != nil, let nonce = request.nonce,
            username.utf8.count <= Self.maximumUsernameByteCount
        else {
            counters.refusedRequest &+= 1
            answerUnauthenticated(
                .error(to: request, code: 400, reason: ""), request: request, path: path, now: now)
            return nil
        }
        // Before the credential: it costs less, and a forged source learns nothing of credentials.
        let verdict = nonces.verdict(on: nonce, for: path, now: now)
        // A browser does not repeat its closing Refresh: without this, its allocation would stay for ten minutes.
        let isReleasing = request.method == .refresh && request.lifetime == .zero
        guard verdict == .fresh || (verdict == .stale && isReleasing) else {
            counters.refusedStaleNonce &+= 1
            challenge(request, code: 438, path: path, now: now)
            return nil
        }
        guard let key = key(of: username, slot: slot, wallTime: wallTime),
            STUNMessage.hasValidIntegrity(bytes, key: key)
        else {
            counters.refusedCredential &+= 1
            challenge(request, code: 401, path: path, now: now)
            return nil
        }
        ledger.prove(path.address.ip, until: now + NonceIssuer.leastLifetime, now: now)
        return Client(username: username, key: key)
    }

    /// The key of a username; nil where it has expired. The holder of an allocation may outlive its credential.
    private func key(of username: String, slot: Int?, wallTime: WallTime) -> [UInt8]? {
        if let slot, allocations[slot].username == username { return allocations[slot].key }
        guard let expiry = ExpiringCredential.expiry(ofUsername: username), expiry > wallTime else { return nil }
        return LongTermCredential.key(
            username: username, realm: configuration.realm,
            password: ExpiringCredential.password(secret: configuration.sharedSecret, username: username))
    }

    // MARK: Answers

    /// 401 or 438: without a reason phrase, for an answer to an unproven address is to be short.
    private mutating func challenge(_ request: STUNMessage, code: Int, path: TURNClientPath, now: Instant) {
        let nonce = nonces.nonce(for: path, now: now)
        answerUnauthenticated(
            .error(
                to: request, code: code, reason: "", attributes: [.realm(configuration.realm), .nonce(nonce)]),
            request: request, path: path, now: now)
    }

    /// Sends what the client's address can pay for.
    mutating func answerUnauthenticated(
        _ response: STUNMessage, request: STUNMessage, path: TURNClientPath, now: Instant
    ) {
        let bytes = response.encoded(fingerprint: request.carriesFingerprint)
        guard ledger.payForAnswer(to: path.address.ip, byteCount: bytes.count, now: now) else {
            counters.droppedAmplification &+= 1
            return
        }
        transmits.append(Transmit(bytes: bytes, path: path))
    }

    /// Sends a signed answer; browsers ignore one that is not.
    mutating func answer(_ response: STUNMessage, to client: Client, request: STUNMessage, path: TURNClientPath) {
        transmits.append(
            Transmit(
                bytes: response.encoded(key: client.key, fingerprint: request.carriesFingerprint), path: path))
    }
}
