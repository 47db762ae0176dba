/* The process beside the one that works, which alone puts outputs in their places: the one that
 * reads files of strangers may write in its staging folder (staging.h) and nowhere else, so it
 * cannot rename what it made. It is forked before the sandbox is entered, and takes orders by a
 * pipe from somebody who may have been taken over: of a job whose output is a file it renames to
 * that name alone, of one whose output is a folder to names in it that its inputs give it
 * (output_names.h); never what is no regular file or can be executed, never over what is none.
 *
 * It outlives all signals and ends with the one that works, or at once where it only looks, without
 * a trace of what the other left: a staging file that is there tells the next attempt where this
 * one was ended. */
#ifndef BATCHD_PROCESSORS_LIB_PUBLISHER_H
#define BATCHD_PROCESSORS_LIB_PUBLISHER_H

#include "processors/lib/source.h"

#include <stdbool.h>
#include <stdint.h>

struct output_names;

/* Where it works; all are borrowed, and needed for publisher_start alone. */
struct publisher_place {
    int parent; /* of the output */
    const char *name;
    bool several;                     /* the output is a folder, or is to become one */
    int folder;                       /* then: if it is one; else -1 */
    const struct output_names *names; /* then: those in it; NULL: none */
    int stage;
    int lock;         /* of the stage: held while the process lives, whoever else has ended */
    int stage_parent; /* where the staging folder has its name */
    const char *stage_name;
    const char *work; /* another folder that goes, too, if it is empty; NULL: none */
};

struct publisher {
    int orders, answers; /* ends of pipes; -1: there is none */
};

struct publisher_answer {
    int failed;    /* an errno; 0: it was done */
    int64_t bytes; /* by publisher_look */
    char sha256[SOURCE_SUM_BYTES];
};

/* Forks it; call with no thread but this one. 0, or -1 with errno. */
int publisher_start(const struct publisher_place *place, struct publisher *ret);

/* Whether it looks at how much the other writes (stage_watch.h). Call once, before all others. */
bool publisher_watches(const struct publisher *publisher);

/* Renames STAGE/name to its place; then the folder is synced. ENOTUNIQ: something is in that place
 * that is no regular file. Each of these calls: EPERM for a name that it must not take, EPIPE when
 * it is gone. */
struct publisher_answer publisher_place(const struct publisher *publisher, const char *name);
/* What is in its place. */
struct publisher_answer publisher_look(const struct publisher *publisher, const char *name);
/* Makes the output a folder, if it is none yet; from then on names are in it. EPERM where it is to
 * be a file. */
struct publisher_answer publisher_make_folder(const struct publisher *publisher);
/* Removes the staging folder with all that is in it, and takes no orders any more; safe in a signal
 * handler. */
void publisher_end(struct publisher *publisher);

#endif
