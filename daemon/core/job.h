/* What a job is. `struct job` is the small part that a waiting job costs in memory; its text (argv,
 * environment, names) stays in the store as `struct job_facts`; `struct job_status` is what changes
 * over its life and is kept in memory only while the job has a worker. No I/O, no clock. */
#ifndef BATCHD_DAEMON_CORE_JOB_H
#define BATCHD_DAEMON_CORE_JOB_H

#include "common/cpu_list.h"
#include "daemon/core/estimates.h"
#include "daemon/core/dependency_spec.h"
#include "daemon/core/fails_limit.h"
#include "daemon/core/job_state.h"
#include "daemon/core/outcome.h"
#include "daemon/core/retry_rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum job_priority {
    JOB_PRIORITY_URGENT,
    JOB_PRIORITY_HIGH,
    JOB_PRIORITY_NORMAL,
    JOB_PRIORITY_LOW,
    JOB_PRIORITY_BACKGROUND,
    JOB_PRIORITY_COUNT
};

#define JOB_NAME_MAX 256U
#define JOB_KEY_MAX 256U

#define ESTIMATE_UNKNOWN INT64_MAX
#define JOB_LEVEL_MASK 15U /* levels and ranks have four bits */
#define RANK_OVERDUE 15U
/* In `class` of struct job: the rest is the number of its class. */
#define JOB_OWN_ESTIMATE 0x80000000U
#define NO_ALARM UINT32_MAX

/* One unfinished job as the scheduler knows it: 48 bytes. It must not move while it waits. Times
 * and spans are microseconds. */
struct job {
    uint64_t id;         /* in the order of the submits: it breaks every tie */
    int64_t since;       /* when it could first have started: dependencies done, begin time come */
    int64_t estimate_us; /* how long it runs, or ESTIMATE_UNKNOWN */
    uint32_t cpus;       /* of its request, here because it is looked at so often */
    uint32_t request;    /* in the scheduler's request table */
    uint32_t uid;
    uint32_t alarm_at;  /* position in the alarms it is in (alarms.h), or NO_ALARM */
    uint32_t class;     /* the jobs it is like (estimates.h), and JOB_OWN_ESTIMATE: without them */
    uint8_t level : 4;  /* enum job_priority as submitted */
    uint8_t rank : 4;   /* its level now, lifted by ageing, or RANK_OVERDUE; owned by the queue */
    uint8_t packed;     /* state in the low 3 bits, enum job_block, an array; owned by the jobset */
    uint8_t queue;      /* number of its queue in the scheduler */
    bool queued : 1;    /* it stands in its queue; owned by the scheduler, as the next */
    bool parked : 1;    /* it is to, and now the GPUs, or processors, that it needs are not there */
    bool scheduled : 1; /* it is a run of a schedule; owned by engine/schedules.c */
    bool put_off : 1;   /* it waits as after a failure, and has none (engine/binding.c) */
};

/* What is submitted; of a waiting job some of it may be edited. Strings are owned
 * (job_facts_done). */
struct job_facts {
    uint64_t id;
    uint32_t uid, gid;
    enum job_priority priority;
    uint32_t cpus, gpus;
    uint32_t gpu_share; /* of one GPU, in thousandths; then gpus is 0 */
    uint64_t memory_bytes, disk_bytes, gpu_memory_bytes; /* the last of each of its GPUs */
    int64_t estimate_us;                                 /* its user's, 0: none */
    char *counters;          /* what else it asks for (resource_names.h); NULL: nothing */
    struct retry_rule retry; /* resolved as it is submitted */
    bool bound;              /* to as many processors of its own as its cpus */
    bool hold;           /* as submitted, as the next: not in the job's row (condition_rows.h) */
    int64_t begin_at;    /* 0: at once */
    int64_t deadline_at; /* 0: none */
    struct dependency_spec depends; /* as submitted (dependency_rows.h); owned */
    bool may_name_any;              /* who submits it: depends may name jobs of others */
    /* As submitted, not in the job's row either (array_rows.h, retry_rows.h). */
    struct fails_limit max_fails;    /* of an array */
    uint64_t value_set;              /* the values of its tasks (value_rows.h); 0: none */
    uint64_t retry_of;               /* 0: of none */
    int64_t submitted_at, edited_at; /* 0: never */
    char *name, *queue;              /* the queue changes when the job is moved */
    char *type;                      /* NULL for a command */
    char *key, *digest; /* NULL: none; what was asked for with the key (api/request_digest.h) */
    char *unique;       /* no other unfinished job of its user has this; NULL: none */
    char *tags;         /* a JSON object as text; opaque below the api */
    char *array;        /* which tasks it has (array_spec.h); NULL: a plain job */
    uint8_t *run;       /* an encoded struct job_run (common/worker_protocol.h) without id */
    size_t run_bytes;
};

/* How far an array is. Tasks before `next` have a row of their own, or were cancelled unstarted. */
struct array_progress {
    uint64_t next; /* position of the first task never started */
    uint64_t completed, failed, cancelled;
};

struct job_status {
    uint64_t id;
    bool is_task;   /* of one task of the array `id`, not of a job */
    uint64_t index; /* of the task */
    enum job_state state;
    uint32_t attempt;      /* attempts begun so far; numbers are never used twice */
    uint32_t charged;      /* of these, the ones that count against max_attempts */
    uint32_t losses;       /* of these, the ones the host lost */
    int64_t retry_at;      /* while it waits after a failure: not before this; else 0 */
    int64_t retry_us;      /* and so long after that failure */
    bool cancelling;       /* a cancel was acknowledged; the worker is being told */
    uint64_t worker;       /* 0: none */
    uint64_t gpu_set;      /* the GPUs of this attempt (gpus.h) */
    struct cpu_list cpus;  /* the processors that it is bound to, of its own; none: it is not */
    uint64_t memory_bytes; /* of a task that had too little: what it asks for; 0: as its array */
    int64_t predicted_us;  /* how long it was to run, as it started; 0: nobody knew */
    enum estimate_source predicted_by;
    int64_t started_at, ended_at; /* 0: not yet */
    struct outcome outcome;
    struct usage usage;
    char *result;                /* a processor's result as JSON text, owned, NULL if none */
    struct array_progress tasks; /* of an array; else all 0 */
};

void job_facts_done(struct job_facts *facts);
void job_status_done(struct job_status *status);

/* Words of the wire; -1 when the word is none of them. */
const char *job_priority_word(enum job_priority priority);
int job_priority_parse(const char *word, enum job_priority *ret);

static inline enum job_state job_state_of(const struct job *job)
{
    return (enum job_state)(job->packed & 7U);
}

/* What keeps a waiting job out of its queue; bits of `packed`. */
enum job_block {
    JOB_DEPENDS = 0x08,
    JOB_BREAKER = 0x10,
    JOB_LATER = 0x20,
    JOB_HELD = 0x40,
    JOB_BLOCKS = 0x78
};

static inline bool job_blocked_by(const struct job *job, enum job_block blocks)
{
    return (job->packed & (unsigned)blocks) != 0;
}

/* The number of its class (estimates.h), 0: none. */
static inline uint32_t job_class(const struct job *job)
{
    return job->class & ~JOB_OWN_ESTIMATE;
}

static inline bool job_is_array(const struct job *job)
{
    return (job->packed & 0x80U) != 0;
}

#endif
