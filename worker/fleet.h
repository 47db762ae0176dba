/* All workers below our control group, those that an earlier spawner made included: when the
 * machine goes down every job is to be ended in order, not only the jobs of our own children.
 * Without a control group (NULL) there are none. */
#ifndef BATCHD_WORKER_FLEET_H
#define BATCHD_WORKER_FLEET_H

#include <stdbool.h>

/* Sends SIGTERM to each worker, not to its job: that is the worker's to end. `program` is what
 * workers execute. */
void fleet_terminate(const char *own_group, const char *program);
/* Kills workers and jobs. True while something is left. */
bool fleet_kill(const char *own_group);
/* True while there is a worker or a job. */
bool fleet_alive(const char *own_group);

#endif
