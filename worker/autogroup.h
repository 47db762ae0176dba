/* Where the kernel groups processes by session (sched(7), "The autogroup feature"), the niceness of
 * a job, which has a session of its own, would count among its own processes alone: it is said of
 * the session's group, too. The kernel takes one such word in a tenth of a second from all of them
 * that have no rights, so it may have to be said again. What the job puts into further sessions is
 * not reached, nor where its control group has shares of processors of its own. */
#ifndef BATCHD_WORKER_AUTOGROUP_H
#define BATCHD_WORKER_AUTOGROUP_H

#include <stdint.h>
#include <sys/types.h>

struct autogroup {
    pid_t leader; /* ours and unreaped as long as this is tended */
    unsigned nice, tries;
    int64_t next_at; /* when it is to be said, on clock_running_us; INT64_MAX: it is done with */
};

/* nice 0: there is nothing to say. */
void autogroup_begin(struct autogroup *autogroup, pid_t leader, unsigned nice, int64_t now);
/* Says it if it is time to; returns when to call again, INT64_MAX: never. */
int64_t autogroup_tend(struct autogroup *autogroup, int64_t now);

#endif
