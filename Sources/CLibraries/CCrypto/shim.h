// libcrypto: digests, MACs and ciphers (used by Core/Cryptography).
#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/err.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

// A SHA-1 state that is a plain value. EVP allocates on every copy of a keyed state, which HMAC needs twice a packet;
// libcrypto marks these functions deprecated, but they are the same assembly, so the mark is silenced here only.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
static inline int crypto_sha1_init(SHA_CTX *state) { return SHA1_Init(state); }
static inline int crypto_sha1_update(SHA_CTX *state, const void *bytes, size_t count) {
    return SHA1_Update(state, bytes, count);
}
static inline int crypto_sha1_final(unsigned char *digest, SHA_CTX *state) { return SHA1_Final(digest, state); }
#pragma clang diagnostic pop
