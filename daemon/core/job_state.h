/* The job's states and the only table that says how they follow each other. Pure. The same table
 * stands in batchd-protocol(7); tests/unit/test_job_state.c compares the two. */
#ifndef BATCHD_DAEMON_CORE_JOB_STATE_H
#define BATCHD_DAEMON_CORE_JOB_STATE_H

#include <stdbool.h>

enum job_state {
    JOB_STATE_PENDING,
    JOB_STATE_STARTING, /* committed to a worker; it may have started */
    JOB_STATE_RUNNING,
    JOB_STATE_SUSPENDED,
    JOB_STATE_COMPLETED, /* the first terminal state */
    JOB_STATE_FAILED,
    JOB_STATE_CANCELLED,
    JOB_STATE_COUNT
};

enum job_event {
    JOB_EVENT_ASSIGN, /* a worker was chosen */
    JOB_EVENT_GO,     /* the worker says that it runs */
    JOB_EVENT_RETURN, /* back to the queue: never started, lost, or to be tried again */
    JOB_EVENT_SUCCEED,
    JOB_EVENT_FAIL,
    JOB_EVENT_CANCEL,
    JOB_EVENT_SUSPEND,
    JOB_EVENT_RESUME,
    JOB_EVENT_COUNT
};

/* The state after `event`, or -1 when the event is not allowed in this state. */
int job_state_next(enum job_state state, enum job_event event);

static inline bool job_state_terminal(enum job_state state)
{
    return state >= JOB_STATE_COMPLETED;
}

const char *job_state_word(enum job_state state);
const char *job_event_word(enum job_event event);
int job_state_parse(const char *word, enum job_state *ret); /* 0, or -1: no such state */

#endif
