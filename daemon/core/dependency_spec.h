/* What a job waits for: "afterok:41,afternotok:42_7", Slurm's notation. Each id behind a type is
 * one dependency; all must be fulfilled when commas stand between them, any one when question marks
 * do. Ids without a type are of the type before them, and where there is none they mean afterany.
 * Pure. */
#ifndef BATCHD_DAEMON_CORE_DEPENDENCY_SPEC_H
#define BATCHD_DAEMON_CORE_DEPENDENCY_SPEC_H

#include "common/error.h"
#include "daemon/core/job_state.h"

#include <stddef.h>
#include <stdint.h>

/* Each is looked up at the submit, most from memory, an ended one from the store (some 10 us). */
#define DEPENDENCIES_MAX 1000U
/* Room for that many of the longest. */
#define DEPENDENCY_TEXT_MAX 65536U

/* The numbers are those of the store. */
enum dependency_type {
    DEPENDENCY_AFTER,      /* it has started, or ended */
    DEPENDENCY_AFTERANY,   /* it has ended */
    DEPENDENCY_AFTEROK,    /* it has ended well */
    DEPENDENCY_AFTERNOTOK, /* it has ended otherwise */
    DEPENDENCY_AFTERCORR,  /* task by task: its task of the same index has ended well */
    DEPENDENCY_SINGLETON,  /* no earlier job of the same user and name is unfinished */
    DEPENDENCY_TYPE_COUNT
};

/* As a parent: this and more is not an id but the place, from 0, among jobs that are submitted
 * together and have no ids yet. Ids are below 2^53. */
#define DEPENDENCY_SIBLING (UINT64_C(1) << 54U)

struct dependency {
    enum dependency_type type;
    bool is_task;
    uint64_t parent; /* 0: singleton */
    uint64_t index;  /* of the task, 0 when it is none */
};

struct dependency_spec {
    struct dependency *items; /* owned */
    size_t count;
    bool any; /* one is enough */
};

/* Reads `text`. 0, or -1 with ERROR_INVALID that names the field "depends"; *ret is set only on
 * success. */
int dependency_spec_parse(const char *text, struct dependency_spec *ret, struct error *err);
/* The same where these names (NULL-terminated), too, stand for jobs: "afterok:encode:41",
 * "encode_7" for a task of it, where no name is that as a whole. What a name stands for is
 * DEPENDENCY_SIBLING and its place in the list. */
int dependency_spec_parse_named(const char *text, const char *const *names,
                                struct dependency_spec *ret, struct error *err);
/* Whether a word may be such a name: 1 to 64 of A-Z, a-z, 0-9, "_" and "-", a letter first,
 * none that is a type. */
bool dependency_name_valid(const char *word);
void dependency_spec_done(struct dependency_spec *spec);

/* The text for it, with types spelled out; NULL when there are none. The caller frees. */
char *dependency_spec_text(const struct dependency_spec *spec);
/* "afterok:41_7"; at most 64 bytes with the NUL. */
void dependency_format(const struct dependency *dependency, char *ret, size_t bytes);

/* Whether the end of what it names, in this terminal state, fulfils it; if not, nothing ever will.
 * Not for aftercorr and singleton, which look at more than one end. */
bool dependency_fulfilled(enum dependency_type type, enum job_state ended);

#endif
