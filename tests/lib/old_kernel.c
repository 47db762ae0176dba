/* For LD_PRELOAD: a kernel that has less. OLD_LANDLOCK=N: the version that landlock says it has (0:
 * there is none); OLD_SECCOMP=0: there are no filters of system calls.
 * OLD_PIDFD=0: no descriptors of processes.
 * OLD_DENIED=1: a filter answers in its place, as in a service of systemd's. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>

long syscall(long number, ...)
{
    long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    const char *landlock = getenv("OLD_LANDLOCK");
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_landlock_create_ruleset && landlock != NULL) {
        if (atoi(landlock) == 0) {
            errno = ENOSYS;
            return -1;
        }
        if (a[2] == LANDLOCK_CREATE_RULESET_VERSION)
            return atoi(landlock);
    }
    if ((number == SYS_seccomp || number == SYS_landlock_create_ruleset) &&
        getenv("OLD_DENIED") != NULL) {
        errno = EPERM;
        return -1;
    }
    if (number == SYS_seccomp && getenv("OLD_SECCOMP") != NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (number == SYS_pidfd_open && getenv("OLD_PIDFD") != NULL) {
        errno = ENOSYS;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
