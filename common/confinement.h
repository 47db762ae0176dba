/* What the running kernel offers to confine a process that reads files of strangers
 * (processors/lib/sandbox.h uses it, batchctl processors tells it). Asking changes nothing. */
#ifndef BATCHD_COMMON_CONFINEMENT_H
#define BATCHD_COMMON_CONFINEMENT_H

#include <stdbool.h>

/* The version of landlock's interface, 0 where the kernel has none or it is switched off. */
int confinement_landlock(void);

/* Whether a filter of system calls can be set (seccomp). */
bool confinement_seccomp(void);

/* Whether one of them may not be asked for by this process, which a filter keeps from it (EPERM):
 * their answers say nothing of the kernel then. */
bool confinement_is_denied(void);

#endif
