// libssl: DTLS 1.2 and certificates (used by PeerConnection/DTLS).
#pragma once
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/bio.h>
