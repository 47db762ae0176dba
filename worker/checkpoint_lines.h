/* The lines on descriptor 3 by which a processor asks that something be made its newest checkpoint:
 *
 *   {"type":"checkpoint","path":"state"}
 *
 * With `null` for the path what came before is withdrawn. They come in any pieces, among others.
 * What a line says is read by batchd-job, as the job's user; here only its beginning is looked at.
 * Of lines that come faster than checkpoints are made the newest waits, and those before it are
 * passed over. */
#ifndef BATCHD_WORKER_CHECKPOINT_LINES_H
#define BATCHD_WORKER_CHECKPOINT_LINES_H

#include "common/worker_protocol.h"

#include <stdbool.h>
#include <stddef.h>

struct checkpoint_lines {
    char line[CHECKPOINT_LINE_MAX + 1]; /* that is coming; of a longer one its beginning */
    size_t used;
    char *waits;    /* owned; NULL: none */
    bool withdrawn; /* all that came */
};

/* A new job: what the one before left is forgotten. Also releases all of it. */
void checkpoint_lines_reset(struct checkpoint_lines *lines);
void checkpoint_lines_add(struct checkpoint_lines *lines, const char *data, size_t bytes);
/* The one that waits, now the caller's; NULL: none does. */
char *checkpoint_lines_take(struct checkpoint_lines *lines);
/* It is to wait again, unless a newer one does, or it was withdrawn. Takes it. */
void checkpoint_lines_return(struct checkpoint_lines *lines, char *line);

#endif
