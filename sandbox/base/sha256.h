/* SHA-256 (FIPS 180-4), for checksums of files that we write. */
#ifndef SANDBOX_BASE_SHA256_H
#define SANDBOX_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	unsigned char block[64];
};

#define SHA256_HEX_SIZE 65

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
/* Lower-case digits; the hash is used up. */
void sha256_hex(struct sha256 *hash, char text[SHA256_HEX_SIZE]);

#endif
