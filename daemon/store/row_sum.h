/* Checksums of rows: over fixed-width little-endian numbers and length-prefixed texts. */
#ifndef BATCHD_DAEMON_STORE_ROW_SUM_H
#define BATCHD_DAEMON_STORE_ROW_SUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum of what had `sum` (0: nothing yet) with this behind it. */
uint32_t sum_number(uint32_t sum, int64_t value);
uint32_t sum_numbers(uint32_t sum, const int64_t *numbers, size_t count);
uint32_t sum_text(uint32_t sum, const char *text); /* NULL is allowed */

#endif
