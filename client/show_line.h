/* The lines of `batchctl show`: a label, right-aligned, and what others wrote, made fit for a
 * terminal. What is empty has no line. */
#ifndef BATCHD_CLIENT_SHOW_LINE_H
#define BATCHD_CLIENT_SHOW_LINE_H

#include "common/json.h"

void show_text(const char *text); /* without a label and a line's end */
void show_line(const char *label, const char *text);
/* JSON as people write it: 0.9 is no 0.90000000000000002; the caller frees. */
char *show_readable(const json_t *value);
/* A text as it is, anything else as JSON; nothing for null and what is empty. */
void show_value(const char *label, const json_t *value);

#endif
