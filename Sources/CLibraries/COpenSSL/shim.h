// libssl: DTLS 1.2 and certificates (used by PeerConnection/DTLS).
#pragma once
#include <openssl/ssl.h>
#include <openssl/srtp.h>
#include <openssl/x509.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/bio.h>
#include <openssl/rand.h>
#include <sys/time.h>

// The generator is a variadic function behind a macro.
static inline EVP_PKEY *dtls_generate_p256_key(void) { return EVP_EC_gen("P-256"); }

// The options are function-like macros, the setters are macros over SSL_CTX_ctrl.
static inline void dtls_configure(SSL_CTX *context, long max_fragment) {
    // No tickets and no session cache: every connection is new, and each would cost memory.
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_send_fragment(context, max_fragment);
    SSL_CTX_set_read_ahead(context, 1);
    // Self-signed certificates are below 2 kB; libssl would collect 100 kB of a hostile chain.
    SSL_CTX_set_max_cert_list(context, 16 * 1024);
}
static inline int dtls_require_version_1_2(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION);
}
static inline int dtls_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}
static inline void dtls_set_mtu(SSL *connection, long bytes) { SSL_set_mtu(connection, bytes); }
static inline int dtls_get_timeout(SSL *connection, struct timeval *left) {
    return (int)DTLSv1_get_timeout(connection, left);
}
static inline int dtls_handle_timeout(SSL *connection) { return (int)DTLSv1_handle_timeout(connection); }
static inline unsigned long dtls_srtp_profile(SSL *connection) {
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(connection);
    return profile ? profile->id : 0;
}
