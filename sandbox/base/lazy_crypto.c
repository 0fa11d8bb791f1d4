/* libcrypto, loaded when needed. */
#include "base/lazy.h"

#include <openssl/evp.h>

static struct lazy_library library = LAZY_LIBRARY("libcrypto.so.3", "libssl3", "libcrypto.3.dylib", "openssl@3");

LAZY(&library, const EVP_MD *, EVP_md5, (void), ())
LAZY(&library, const EVP_MD *, EVP_sha256, (void), ())
LAZY(&library, EVP_MD_CTX *, EVP_MD_CTX_new, (void), ())
LAZY(&library, void, EVP_MD_CTX_free, (EVP_MD_CTX *context), (context))
LAZY(&library, int, EVP_DigestInit_ex, (EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine),
     (context, type, engine))
LAZY(&library, int, EVP_DigestUpdate, (EVP_MD_CTX *context, const void *bytes, size_t length),
     (context, bytes, length))
LAZY(&library, int, EVP_DigestFinal_ex, (EVP_MD_CTX *context, unsigned char *digest, unsigned *length),
     (context, digest, length))
LAZY(&library, int, EVP_Digest,
     (const void *bytes, size_t length, unsigned char *digest, unsigned *digest_length, const EVP_MD *type,
      ENGINE *engine),
     (bytes, length, digest, digest_length, type, engine))
