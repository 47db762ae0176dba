/* Jobs that go: by the ages of [retention], or because somebody asked for it. Never one that has
 * not ended, nor one that an unfinished job still depends on. Rows go in the turn's transaction,
 * files after its commit (store/removal_rows.h), all of it so much a turn that nobody waits for it.
 */
#ifndef BATCHD_DAEMON_ENGINE_REMOVAL_H
#define BATCHD_DAEMON_ENGINE_REMOVAL_H

#include "common/error.h"
#include "daemon/core/job_state.h"
#include "daemon/store/usage_rows.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct event_base;
struct timer;

struct removal_rule {
    bool all_users;
    uint32_t uid;                          /* counts without all_users */
    int64_t ended_before[JOB_STATE_COUNT]; /* by the state it ended in; 0: none goes */
    bool dry_run;                          /* they are only counted */
};

/* All jobs are gone through by id, some of them in a turn. Zero-initialise but for the rule. */
struct removal_walk {
    struct removal_rule rule;
    uint64_t after;   /* how far it is */
    uint64_t removed; /* so far */
    uint64_t kept;    /* would have gone, but unfinished jobs depend on them */
};

/* What goes by the configuration, of all users. False: nothing ever does. */
bool engine_retention(const struct engine *engine, int64_t now, struct removal_rule *ret);
/* The next part of a walk, a few milliseconds at most. 1: there is more; 0: it is done; -1. */
int engine_remove_some(struct engine *engine, struct removal_walk *walk, struct error *err);
/* The same of one job: counted in *walk, whose place does not change. */
int engine_remove_one(struct engine *engine, uint64_t id, struct removal_walk *walk,
                      struct error *err);

/* Owned by the engine. */
struct removals {
    struct timer *timer;      /* the next walk, or its next part */
    struct removal_walk walk; /* by the configuration; counts while `walking` */
    bool walking;
    bool rows_left;       /* some may have rows yet */
    bool files_left;      /* some with an id beyond `asked_after` may have files */
    bool files_again;     /* and so may some with a lower one */
    bool asked;           /* the pool is removing some */
    uint64_t asked_after; /* an id */
};

/* usage.c: what was used by jobs that are being removed is noted by user, so that fair share knows
 * of it after the next start, too. `arg` of the first is a struct use_note, zero-initialised; the
 * second writes it. */
struct use_note {
    struct engine *engine;
    struct past_use past; /* of one user; at 0: none */
};
void engine_note_use(void *arg, const struct use *use);
void engine_write_use(struct use_note *note);
/* At the start. */
int engine_charge_past(struct engine *engine, struct error *err);

void removals_begin(struct engine *engine, struct event_base *base);
void removals_free(struct engine *engine);
/* At the end of the turn. */
void removals_go_on(struct engine *engine);

struct job_folders;
/* There is something that the next turn can do at once. */
bool removals_unfinished(const struct engine *engine);
void removals_on_folders(struct engine *engine, const struct job_folders *folders);

#endif
