/* Long readings of the store, part by part: one part in a turn of the loop, whoever asked, however
 * many are being made; at most so many for one user. */
#ifndef BATCHD_DAEMON_API_SLICES_H
#define BATCHD_DAEMON_API_SLICES_H

#include "common/error.h"

#include <stdint.h>

struct event_base;
struct slices;
struct slice;

/* Reads the next part. It is called again until its slice is freed, which it may do itself. */
typedef void (*slice_fn)(void *arg);

struct slices *slices_new(struct event_base *base, unsigned most_of_user);
void slices_free(struct slices *all); /* none is left */

/* NULL with ERROR_BUSY: the user has as many as one may. */
struct slice *slice_new(struct slices *all, uint32_t uid, slice_fn read, void *arg,
                        struct error *err);
void slice_free(struct slice *slice);

#endif
