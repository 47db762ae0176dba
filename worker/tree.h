/* The process tree of a job, seen from a child subreaper: everything below us, found by parentage
 * (a descendant whose parent died is our direct child; a new session hides nobody).
 *
 * A pid is never a decision. A direct, unreaped child cannot be anybody else. Anything further down
 * is held by a pidfd before its parent is looked at, and is signalled through it, if the parent is
 * the one that we came from: what has died and whose number another has since is left alone. */
#ifndef BATCHD_WORKER_TREE_H
#define BATCHD_WORKER_TREE_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Whether a direct child is left alone, with all that is below it. NULL: none is. */
typedef bool (*tree_skip_fn)(void *arg, pid_t child);

enum tree_found {
    TREE_EMPTY,  /* there is certainly nobody */
    TREE_ALL,    /* a whole look found nobody new */
    TREE_OUTRUN, /* they fork faster than we look: to be called again after a short while */
};

/* Sends a signal once to every process below us: SIGSTOP and SIGKILL also to those that they make
 * meanwhile, any other only to those that were there before the first was told. After a SIGSTOP
 * that reached all nothing moves any more, since who has it pending cannot fork. */
enum tree_found tree_signal(int number, tree_skip_fn skip, void *arg);

/* Each process below us, once, as far as one short look finds them. */
typedef void (*tree_each_fn)(void *arg, pid_t pid);
void tree_each(tree_each_fn each, void *arg);

/* Halts all of it, so that nothing can outrun us by forking, and kills it. False only when
 * there is certainly nothing, else to be called again after SIGCHLD or a short while. */
bool tree_kill(tree_skip_fn skip, void *arg);

/* So many of the dead are reaped before the caller has its turn again, some 50 ms: a job may leave
 * more. Fewer, and one that forks for all it is worth would leave them faster than they go. */
#define TREE_REAPS_MAX 16384U

/* Kills and reaps what is left below us, one round: true when nothing is, but a direct child that
 * is spared (0: none). What is below that is not. Who is reaped is told. */
typedef void (*tree_reaped_fn)(void *arg, pid_t pid, const struct rusage *usage);
bool tree_sweep(pid_t spared, tree_reaped_fn reaped, void *arg);

#endif
