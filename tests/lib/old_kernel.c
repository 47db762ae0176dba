/* For LD_PRELOAD: a kernel that has less. OLD_LANDLOCK=N: the version that landlock says it has (0:
 * there is none); OLD_SECCOMP=0: there are no filters of system calls.
 * OLD_PIDFD=0: no descriptors of processes. OLD_THREADS=0: no more threads, as where the job has as
 * many as it may (a filter of system calls answers so).
 * OLD_DENIED=1: a filter answers in its place, as in a service of systemd's. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Of clone3 its flags cannot be seen; glibc goes on with clone. (The flags lie first in the
 * argument on x86 and ARM.) */
__attribute__((constructor)) static void refuse_threads(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 2),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (getenv("OLD_THREADS") != NULL && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                                          prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
        abort();
}

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
