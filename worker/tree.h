/* The process tree of a job, seen from a child subreaper: every descendant whose parent died is our
 * direct child. Only direct, unreaped children are ever signalled: their pids cannot be anybody
 * else's. */
#ifndef BATCHD_WORKER_TREE_H
#define BATCHD_WORKER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Calls `each` with the pid of every direct child, dead ones included. */
typedef void (*tree_child_fn)(void *arg, pid_t pid);
void tree_each_child(tree_child_fn each, void *arg);

/* Sends a signal to every direct child. */
void tree_signal_children(int number);

/* Kills and reaps what is left below us, one round: true when nothing is. To be called again after
 * SIGCHLD or a short while: killing a parent makes its children ours. */
bool tree_sweep(void);

#endif
