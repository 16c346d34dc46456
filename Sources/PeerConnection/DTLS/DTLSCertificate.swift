internal import COpenSSL
internal import Core

/// Our own key and certificate: ECDSA on P-256, self-signed, known to the other side by its fingerprint alone.
///
/// One per process is enough; it names no one and is made anew at every start.
/// - SeeAlso: [RFC 8827 §6.5](https://www.rfc-editor.org/rfc/rfc8827#section-6.5)
// SAFETY: key and certificate are not changed after `init`, and libcrypto counts references atomically.
@safe package final class DTLSCertificate: @unchecked Sendable {
    /// 365 days, in seconds. Other sides check the fingerprint, not the dates; a process that runs longer is still known.
    private static let lifetime = 365 * 86_400

    let key: OpaquePointer
    let certificate: OpaquePointer
    /// The SHA-256 fingerprint for `a=fingerprint`.
    package let fingerprint: CertificateFingerprint

    /// Makes a new key and a certificate for it; the library draws the randomness itself.
    package init() throws(DTLSError) {
        guard let key = unsafe dtls_generate_p256_key() else { throw .library(OpenSSLErrors.take()) }
        guard let certificate = unsafe Self.makeCertificate(key: key) else {
            unsafe EVP_PKEY_free(key)
            throw .library(OpenSSLErrors.take())
        }
        guard let fingerprint = unsafe Self.fingerprint(of: certificate, .sha256) else {
            unsafe EVP_PKEY_free(key)
            unsafe X509_free(certificate)
            throw .library(OpenSSLErrors.take())
        }
        unsafe self.key = key
        unsafe self.certificate = certificate
        self.fingerprint = fingerprint
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    private static func makeCertificate(key: OpaquePointer) -> OpaquePointer? {
        guard let certificate = unsafe X509_new() else { return nil }
        var serial: UInt64 = 0
        unsafe withUnsafeMutableBytes(of: &serial) { bytes in
            unsafe _ = RAND_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count))
        }
        // Serial numbers are positive (RFC 5280 §4.1.2.2). Yesterday as the first day forgives clocks that are behind.
        let isBuilt =
            unsafe X509_set_version(certificate, 2) == 1
            && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1
            && X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400) != nil
            && X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime) != nil
            && X509_set_pubkey(certificate, key) == 1
            && setName(certificate)
            && X509_sign(certificate, key, EVP_sha256()) > 0
        guard isBuilt else {
            unsafe X509_free(certificate)
            return nil
        }
        return unsafe certificate
    }

    private static func setName(_ certificate: OpaquePointer) -> Bool {
        let name = unsafe X509_get_subject_name(certificate)
        return unsafe X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, "WebRTC", -1, -1, 0) == 1
            && X509_set_issuer_name(certificate, name) == 1
    }

    /// The digest of `certificate`, which is borrowed.
    static func fingerprint(
        of certificate: OpaquePointer, _ algorithm: CertificateFingerprint.Algorithm
    ) -> CertificateFingerprint? {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let function =
            switch algorithm {
            case .sha256: unsafe EVP_sha256()
            case .sha384: unsafe EVP_sha384()
            case .sha512: unsafe EVP_sha512()
            }
        guard unsafe X509_digest(certificate, function, &digest, &length) == 1 else { return nil }
        return CertificateFingerprint(algorithm: algorithm, digest: Array(digest.prefix(Int(length))))
    }
}

/// Why DTLS could not be set up.
package enum DTLSError: Error, Equatable, Sendable {
    /// What libssl said.
    case library(String)
}

/// The library's error queue of the calling thread.
enum OpenSSLErrors {
    /// The last error's reason, and an empty queue.
    static func take() -> String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "unknown error" }
        return unsafe String(cString: reason)
    }

    /// Empties the queue where its content says nothing new.
    static func drop() { ERR_clear_error() }
}
