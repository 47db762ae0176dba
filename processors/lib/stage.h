/* The staging folder of a job: its names (staging.h), its making, what earlier attempts left in it,
 * and the lock that keeps another run out. */
#ifndef BATCHD_PROCESSORS_LIB_STAGE_H
#define BATCHD_PROCESSORS_LIB_STAGE_H

#include "processors/lib/publisher.h"

#include <limits.h>

struct request;

struct stage {
    char path[PATH_MAX];
    char name[NAME_MAX + 1]; /* of it, in the folder that it is in */
    int lock;                /* the caller's, to hold as long as it works; -1 */
    /* What the publisher needs: the descriptors are closed by stage_done, `work` is the caller's.
     */
    struct publisher_place place;
};

/* For the absolute path of the output; `several`: it is a folder, or is to become one. What an
 * earlier attempt left is in it then. An errno, or 0; EWOULDBLOCK: another run is at work, path
 * tells where. stage_done in any case; `output` must live as long as *ret. */
int stage_open(const struct request *request, const char *output, bool several, struct stage *ret);
void stage_done(const struct stage *stage);

#endif
