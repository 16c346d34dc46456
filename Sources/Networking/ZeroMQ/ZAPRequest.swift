/// Whether a peer may connect: one request of ZeroMQ's authentication protocol
/// ([RFC 27](https://rfc.zeromq.org/spec/27/)), which its own thread sends and we answer.
///
/// Parts: version "1.0", request id, domain, address, identity, mechanism, credentials (CURVE: the peer's public key).
package struct ZAPRequest: Equatable, Sendable {
    package let requestID: [UInt8]
    /// The peer's public key; nil for another mechanism than CURVE.
    package let publicKey: CurveKey?

    /// Nil for anything that is no request of version 1.0.
    package init?(_ parts: [[UInt8]]) {
        guard parts.count >= 6, parts[0] == Array("1.0".utf8) else { return nil }
        requestID = parts[1]
        publicKey = parts[5] == Array("CURVE".utf8) && parts.count == 7 ? CurveKey(bytes: parts[6]) : nil
    }

    /// The answer's parts: version, request id, status code, status text, user id, metadata.
    package func answer(isAllowed: Bool) -> [[UInt8]] {
        [
            Array("1.0".utf8), requestID, Array((isAllowed ? "200" : "400").utf8),
            Array((isAllowed ? "OK" : "key is not in the allow-list").utf8), [], [],
        ]
    }
}
