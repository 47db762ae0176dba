/* How many workers there should be: figures and a time come in, a number comes out. No clock, no
 * I/O; what has to be remembered is in struct scaler.
 *
 * Up at once: as many as have something to do, and one for each job more that could start now.
 * Jobs that are expected to be short share one, since a worker costs SCALER_START_US itself, and
 * one that is free sooner than that takes them.
 * Down slowly: as many are kept as were needed at a time within the last `hold_us`, as the
 * stabilization window of Kubernetes' horizontal autoscaler does ("the highest recommendation of
 * the window", autoscaling/v2 behavior.scaleDown). What is above that goes in steps, half of it at
 * a time, each a sixteenth of that time after the one before.
 * So after a step up no step down follows within hold_us: in any such span the number turns down
 * at most once, and at most once up.
 *
 * What that costs: the number needed varies about its mean m by sqrt(m), as that of all that comes
 * by chance does (Poisson), and the longer hold_us is beside a job, the more of this is within it.
 * Simulated, 16 workers, busy 47 % in a day that rises and falls as a sine, jobs of 20 s: 64 % of
 * the worker-seconds of 16 that always stay with a hold_us of 60 s (idle 1.0 sqrt(m)), 57 % with
 * 15 s, 55 % with 10 s (0.5 sqrt(m)), 50 % with 2 s; jobs of 2 s: 67 % with 10 s, 58 % with 2 s.
 * It is the span and not the rule: one that lets all go that have no job at the first moment which
 * the line above allows needs 61 % with 60 s, since for that long after a step the number can only
 * rise. All that a long span saves is starts: with 10 s one start in each is a 500th of it. */
#ifndef BATCHD_DAEMON_CORE_SCALER_H
#define BATCHD_DAEMON_CORE_SCALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the request to the worker's first word, rounded up: 5 to 15 ms on two busy processors. */
#define SCALER_START_US INT64_C(20000)
/* Tasks that wait for a processor, for each of them, from which on the number at most doubles in a
 * second: what is started on such a machine slows down what runs. Slow start, as TCP's (RFC 5681).
 */
#define SCALER_LOAD_MAX 16.0
#define SCALER_DOUBLE_US INT64_C(1000000)

/* Why there are to be so many. */
enum scaler_reason {
    SCALER_MINIMUM, /* as few as there may be */
    SCALER_WORK,    /* so many have a job, or there are jobs for them */
    SCALER_LATELY,  /* so many had a job within the last hold_us */
    SCALER_MAXIMUM, /* as many as there may be: there is work for more */
    SCALER_CLOSED,  /* the machine takes no job (admission.h) */
    SCALER_LOAD,    /* there is work for more, and the machine's load is high */
    SCALER_REASON_COUNT
};
const char *scaler_reason_word(enum scaler_reason reason); /* "minimum" */

/* Jobs that wait and are alike. */
struct scaler_class {
    uint64_t waiting;
    int64_t estimate_us; /* how long one runs; < 0: nobody knows */
};

struct scaler_input {
    int64_t now;       /* monotonic */
    uint32_t min, max; /* 0 <= min <= max */
    uint32_t busy;     /* workers that have a job, or cannot be handed one; not those that leave */
    uint32_t workers;  /* all of them, those that are still to come included */
    uint32_t leaving;  /* beside these: finish a job and leave; they count against max */
    uint32_t soon;     /* of the busy, those expected to be free within SCALER_START_US */
    uint64_t room;     /* so many of the jobs that wait fit beside what runs */
    const struct scaler_class *classes; /* what waits */
    size_t class_count;
    bool open;   /* the machine takes jobs */
    double load; /* tasks that run or wait for each processor; < 0: not known */
};

struct scaler_decision {
    uint32_t needed; /* fewer than this: one is made */
    uint32_t kept;   /* more than this: one leaves; needed <= kept */
    uint32_t most;   /* as many as there may be beside those that leave */
    enum scaler_reason reason;
};

/* Sixteenths of hold_us: as many as are whole, and the one that has begun. */
#define SCALER_SLOTS 17U

struct scaler {
    int64_t hold_us; /* the caller's to set, > 0; all else is zeroed at first */
    /* The most that were needed in each sixteenth of hold_us. */
    uint32_t peaks[SCALER_SLOTS];
    int64_t slot; /* the number of the newest: time / sixteenth */
    uint32_t kept;
    int64_t raised_at, lowered_at;
    bool begun;
};

void scaler_step(struct scaler *scaler, const struct scaler_input *input,
                 struct scaler_decision *ret);

#endif
