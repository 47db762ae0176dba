/* Message framing on the Unix socket (batchd-protocol(7)): a frame is one JSON text that ends in
 * NUL (Varlink) or LF (shell tools). The first terminator seen fixes the framing for the
 * connection.
 *
 * The scanner looks at bytes only: it bounds length, nesting and the number of JSON values before
 * jansson sees anything, because jansson needs up to 79 times the input in memory ("{}," repeated,
 * measured on 2.14). 65,536 values of about 80 bytes bound one message at about 6 MiB. */
#ifndef BATCHD_COMMON_FRAME_H
#define BATCHD_COMMON_FRAME_H

#include "common/error.h"

#include <stddef.h>

#define FRAME_BYTES_MAX (1U << 20)          /* Submit and SubmitMany */
#define FRAME_BYTES_MAX_CONTROL (64U << 10) /* every other method */
#define FRAME_DEPTH_MAX 16U
#define FRAME_NODES_MAX 65536U

enum frame_status { FRAME_READY, FRAME_MORE, FRAME_REFUSED };

/* One connection's framing; zero-initialise. `scanned` remembers how far the search went, so that a
 * frame that comes byte by byte is searched once. */
struct frame_scanner {
    int terminator; /* -1 or 0 .. set by the first frame: '\0' or '\n' */
    int known;      /* terminator counts */
    size_t scanned;
};

/* Looks for a whole frame at the start of `data`. FRAME_READY: *ret_length is the length of the
 * JSON text, which is followed by one terminator byte. FRAME_REFUSED: err is ERROR_LIMIT. */
enum frame_status frame_find(struct frame_scanner *scanner, const char *data, size_t bytes,
                             size_t *ret_length, struct error *err);

/* Checks depth and node count of a JSON text without parsing it. 0, or -1 with ERROR_LIMIT. */
int frame_check(const char *text, size_t bytes, struct error *err);

#endif
