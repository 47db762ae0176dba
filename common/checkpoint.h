/* A job's checkpoints: copies of a file or folder, each complete and with its checksum, or not
 * there.
 *
 *   FOLDER/N/manifest    number, attempt, time, bytes, the sum of `data`, and a sum of these lines
 *   FOLDER/N/data/NAME   the copy
 *   FOLDER/.new          one that is being made; whoever holds the folder's flock owns it
 *
 * N counts up and is never used twice while a higher one is there. A checkpoint is copied and
 * synced under .new and renamed to its number, so it counts from the moment of the rename; what is
 * older than the newest CHECKPOINTS_KEPT valid ones is removed then. Reading takes the newest whose
 * sums are right and passes over the others.
 *
 * The folder is the job's user's, and only processes of that user work in it. */
#ifndef BATCHD_COMMON_CHECKPOINT_H
#define BATCHD_COMMON_CHECKPOINT_H

#include "common/error.h"

#include <stdint.h>

/* Two: should the newest prove to be damaged there is one more. */
#define CHECKPOINTS_KEPT 2

struct checkpoint {
    uint64_t number;
    uint32_t attempt; /* that made it */
    int64_t made_at;  /* microseconds since the epoch */
    uint64_t bytes;   /* of the files in it */
    char *path;       /* FOLDER/N/data/NAME; owned */
};

void checkpoint_done(struct checkpoint *checkpoint);

/* Whether what is copied stands still until it is done. What moves is compared once more after it
 * was copied, so that the copy is what it was at one moment; else ERROR_CONFLICT. */
enum checkpoint_source { CHECKPOINT_OF_STANDING, CHECKPOINT_OF_MOVING };

/* Makes `source` the newest checkpoint of `folder`, which is made if it is not there. */
int checkpoint_commit(const char *folder, const char *source, enum checkpoint_source kind,
                      uint32_t attempt, struct checkpoint *ret, struct error *err);

/* One that is passed over, and why. */
typedef void (*checkpoint_note_fn)(void *arg, uint64_t number, const char *why);

/* The newest valid one. 1 and *ret, which the caller releases; 0: there is none. */
int checkpoint_newest(const char *folder, checkpoint_note_fn note, void *arg,
                      struct checkpoint *ret);

#endif
