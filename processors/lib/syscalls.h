/* The system calls that a processor keeps while it reads files of strangers (seccomp): memory,
 * threads, files, the clock. Not among them: sockets, starting programs or processes, signals to
 * others, ptrace, mounts, owners and modes of files, io_uring. */
#ifndef BATCHD_PROCESSORS_LIB_SYSCALLS_H
#define BATCHD_PROCESSORS_LIB_SYSCALLS_H

#include <stdbool.h>

/* Whether this is a build with AddressSanitizer: its shadow is terabytes of address space, and its
 * leak checker starts a process that looks into this one with ptrace. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

struct syscalls;

/* The list as the kernel will want it, made once for many processes that are forked. NULL where it
 * cannot be made. */
struct syscalls *syscalls_prepare(void);
void syscalls_done(struct syscalls *prepared);

/* For this thread and all others, for good; sets no_new_privs. What is not allowed fails with
 * EPERM and does not kill: libraries try what they can do without (huge pages, NUMA, a name for a
 * thread) and go on when told no, and an update of one must not turn into jobs that die. 0, or -1
 * with errno. Once for what was prepared. `gpu`: with what its drivers need. */
int syscalls_restrict(struct syscalls *prepared, bool gpu);

#endif
