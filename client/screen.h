/* The whole of a terminal, drawn anew again and again: what was on it before comes back at the end,
 * also after a signal, and while we are stopped (^Z). */
#ifndef BATCHD_CLIENT_SCREEN_H
#define BATCHD_CLIENT_SCREEN_H

#include <stdbool.h>

struct screen;

/* NULL: standard input and output are no terminal, or one that cannot move its cursor. */
struct screen *screen_open(void);
void screen_close(struct screen *screen); /* NULL is allowed */

/* Lines that end in a newline; what does not fit is cut off. */
void screen_show(const struct screen *screen, const char *text);

enum screen_event {
    SCREEN_TIME, /* nothing came */
    SCREEN_KEY,
    SCREEN_CHANGED, /* it has another size, or we go on after ^Z */
    SCREEN_END      /* ^C, SIGTERM, or the terminal is gone */
};

/* Waits at most so long. *ret_key is set for SCREEN_KEY. */
enum screen_event screen_wait(struct screen *screen, int wait_ms, char *ret_key);

#endif
