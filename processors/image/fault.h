/* What vips says of failures and of oddities, in the project's words: one line of error text, and
 * log lines for warnings (on stderr they would hide the one reason that a failed job gives). */
#ifndef BATCHD_PROCESSORS_IMAGE_FAULT_H
#define BATCHD_PROCESSORS_IMAGE_FAULT_H

#include "common/error.h"

#include <glib.h>

/* Fills err with the text, ": " and what vips collected, made one line; vips's buffer is emptied.
 * Returns -1. */
int fault_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends GLib's messages to the report, at most a handful: a damaged file may cause thousands.
 * `count` must live until fault_stop. */
void fault_watch(gint *count);
void fault_stop(void);

#endif
