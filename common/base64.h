/* Base64 (RFC 4648, section 4, with padding), strict: no other characters, no stray bits. */
#ifndef BATCHD_COMMON_BASE64_H
#define BATCHD_COMMON_BASE64_H

#include "common/error.h"

#include <stddef.h>

char *base64_encode(const void *data, size_t bytes); /* the caller frees */

/* *ret has a NUL behind it and is the caller's. 0, or -1 with ERROR_INVALID. */
int base64_decode(const char *text, size_t length, char **ret, size_t *ret_bytes,
                  struct error *err);

#endif
