internal import COpenSSL

/// What all DTLS connections share: certificate, ciphers, SRTP profiles. One per process.
// SAFETY: the context is not changed after `init`; libssl guards what connections share in it with its own locks.
@safe package final class DTLSContext: @unchecked Sendable {
    /// In order of preference; as server we choose. The counter-mode profile is three times dearer per packet.
    private static let profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
    /// Suites with forward secrecy only (RFC 8827 §6.5 demands the first).
    private static let ciphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
        + "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        + "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"

    package let certificate: DTLSCertificate
    let context: OpaquePointer

    package init(certificate: DTLSCertificate) throws(DTLSError) {
        // What follows every handshake, at a moment when no peer waits.
        SRTPReceiveContext.startLibrary()
        guard let context = unsafe SSL_CTX_new(DTLS_method()) else { throw .library(OpenSSLErrors.take()) }
        // Level 1: old devices have RSA keys of 1,024 bits, and it is the fingerprint that says who they are.
        unsafe SSL_CTX_set_security_level(context, 1)
        unsafe dtls_configure(context, DTLSConnection.maximumFragment)
        // The other side must show a certificate; who it is, its fingerprint tells after the handshake.
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT) { _, _ in 1 }
        let isConfigured =
            unsafe dtls_require_version_1_2(context) == 1
            && SSL_CTX_use_certificate(context, certificate.certificate) == 1
            && SSL_CTX_use_PrivateKey(context, certificate.key) == 1
            && SSL_CTX_set_cipher_list(context, Self.ciphers) == 1
            && dtls_set_groups(context, "X25519:P-256:P-384") == 1
            // This one call returns 0 for success.
            && SSL_CTX_set_tlsext_use_srtp(context, Self.profiles) == 0
        guard isConfigured else {
            unsafe SSL_CTX_free(context)
            throw .library(OpenSSLErrors.take())
        }
        self.certificate = certificate
        unsafe self.context = context
    }

    deinit {
        unsafe SSL_CTX_free(context)
    }
}
