// libcrypto: digests, MACs and ciphers (used by Core/Cryptography).
#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/err.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <openssl/decoder.h>

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

// An RSA public key out of a DER SubjectPublicKeyInfo; NULL for anything else. The decoder instead of d2i_PUBKEY, whose
// header would make this module the owner of the certificates' types.
static inline EVP_PKEY *crypto_rsa_public_key(const unsigned char *bytes, size_t count) {
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(
        &key, "DER", "SubjectPublicKeyInfo", "RSA", EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    size_t left = count;
    if (decoder == NULL || OSSL_DECODER_from_data(decoder, &bytes, &left) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    OSSL_DECODER_CTX_free(decoder);
    ERR_clear_error();
    return key;
}
