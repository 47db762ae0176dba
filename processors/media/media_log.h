/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the FFmpeg libraries say while they work. They report much damage only there (a demuxer that
 * meets the end of a file too early logs a line and returns a plain end of file), so error lines
 * are counted, and the first of each kind is kept for the error text. Nothing is printed.
 *
 * Several files may be read at the same time: what is said of one is counted in its own account,
 * which its AVFormatContext and AVCodecContext name by their member `opaque`. What is said by
 * others counts for every account. */
#ifndef BATCHD_PROCESSORS_MEDIA_MEDIA_LOG_H
#define BATCHD_PROCESSORS_MEDIA_MEDIA_LOG_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum media_log_kind { MEDIA_LOG_DEMUXER, MEDIA_LOG_DECODER, MEDIA_LOG_OTHER, MEDIA_LOG_COUNT };

#define MEDIA_LOG_LINE_BYTES 160

/* Zeroed it is empty. Read and written by these functions alone, in any thread. */
struct media_account {
    unsigned errors[MEDIA_LOG_COUNT];
    char first[MEDIA_LOG_COUNT][MEDIA_LOG_LINE_BYTES];
};

void media_log_init(void);
/* What decoders say in this thread counts for nothing while it is on: those that only probe a file
 * guess. */
void media_log_probing(bool on);
void media_log_clear(struct media_account *account, enum media_log_kind kind);
unsigned media_log_errors(const struct media_account *account, enum media_log_kind kind);
/* The first error line of the kind, copied; "" if there was none. */
void media_log_first(const struct media_account *account, enum media_log_kind kind, char *ret,
                     size_t bytes);

/* Sets err from an AVERROR: "TEXT: what the library says (first line it logged)". `code` is used
 * unless the number itself tells better (out of memory, a full disk). Returns -1. */
int media_error(struct error *err, enum error_code code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
