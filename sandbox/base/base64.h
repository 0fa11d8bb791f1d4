/* Base64 (RFC 4648 §4, and the URL alphabet of §5). */
#ifndef SANDBOX_BASE_BASE64_H
#define SANDBOX_BASE_BASE64_H

#include "base/buf.h"

/* Standard alphabet with padding. Free with free(). */
char *base64_encode(const void *bytes, size_t length);
/*
 * Appends the decoded bytes. Both alphabets are taken, padding may be missing, line breaks between characters are
 * skipped; -1 for anything else that is not Base64, or when the buffer's maximum would be exceeded.
 */
int base64_decode(const char *text, size_t length, struct buf *ret_bytes);

#endif
