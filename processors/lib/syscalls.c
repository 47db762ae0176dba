#include "processors/lib/syscalls.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whatever their arguments. */
static const int allowed[] = {
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mbind),
    SCMP_SYS(membarrier),
    SCMP_SYS(mlock),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(msync),
    SCMP_SYS(munlock),
    SCMP_SYS(munmap),
    SCMP_SYS(get_mempolicy),
    SCMP_SYS(set_mempolicy),
    /* what is open */
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(eventfd2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(pselect6),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(select),
    SCMP_SYS(sendfile),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* names: landlock says which */
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getcwd),
    SCMP_SYS(lstat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(rmdir),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    /* threads */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_get_priority_max),
    SCMP_SYS(sched_get_priority_min),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    /* signals to itself; tgkill: keep_signals_here */
    SCMP_SYS(tgkill),
    SCMP_SYS(pause),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    /* the clock, chance, who and where it is */
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getcpu),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),
    SCMP_SYS(nanosleep),
    SCMP_SYS(sysinfo),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(uname),
#if SANITIZED
    /* LeakSanitizer stops the process from a second one as it ends, and looks into it. */
    SCMP_SYS(clone),
    SCMP_SYS(getdents),
    SCMP_SYS(kill),
    SCMP_SYS(open),
    SCMP_SYS(prctl),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
#endif
};

/* With one argument, where (argument & mask) == value. */
struct rule {
    int call;
    unsigned argument;
    scmp_datum_t mask, value;
};

static const struct rule rules[] = {
    /* A thread, never a process. */
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD},
    /* Of this thread, for libnuma and x265; not of other processes. */
    {SCMP_SYS(sched_setaffinity), 0, UINT32_MAX, 0},
    /* Not F_SETOWN and F_SETSIG, by which what can be read or written sends any signal to any
     * process of the user; landlock sees that from version 6 on. */
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_DUPFD},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFD},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETFD},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFL},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETFL},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETLK},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETLK},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_SETLKW},
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_ADD_SEALS}, /* of memory that drivers share with the GPU */
    {SCMP_SYS(fcntl), 1, UINT32_MAX, F_GET_SEALS},
    {SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS}, /* isatty */
    {SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, UINT32_MAX, PR_GET_NAME},
    {SCMP_SYS(prlimit64), 2, UINT64_MAX, 0}, /* getrlimit */
    /* Not O_RDONLY | O_TRUNC, which empties an input: landlock sees that from version 3 on. */
    {SCMP_SYS(openat), 2, O_TRUNC, 0},
    {SCMP_SYS(openat), 2, O_TRUNC | O_ACCMODE, O_TRUNC | O_WRONLY},
    {SCMP_SYS(openat), 2, O_TRUNC | O_ACCMODE, O_TRUNC | O_RDWR},
};

/* What drivers of GPUs are told by ioctl, of which there are hundreds: by the letter of whose they
 * are (_IOC_TYPE, bits 8 to 15; Documentation/userspace-api/ioctl/ioctl-number.rst). Not among them
 * those of terminals ('T': TIOCSTI types for the user, TIOCLINUX pastes), of consoles ('V', 'K'),
 * of block devices and file systems: somebody may have left one of these open. */
#define KIND ((scmp_datum_t)0xff00)
#define KIND_OF(letter) ((scmp_datum_t)(letter) << 8)
/* nvidia-uvm numbers its own from 1 on and has no letter, but for the first and the last
 * (kernel-open/nvidia-uvm/uvm_ioctl.h, uvm_linux_ioctl.h). Of other drivers there are FIBMAP, for
 * root alone, and FIGETBSZ, the size of a block. */
#define UVM_KIND ((scmp_datum_t)0xffffff00)
#define UVM_INITIALIZE 0x30000001U
#define UVM_DEINITIALIZE 0x30000002U

static const struct rule gpu_rules[] = {
    {SCMP_SYS(ioctl), 1, KIND, KIND_OF('d')}, /* DRM: uapi/drm/drm.h */
    {SCMP_SYS(ioctl), 1, KIND, KIND_OF('b')}, /* memory shared with it: uapi/linux/dma-buf.h */
    {SCMP_SYS(ioctl), 1, KIND, KIND_OF('>')}, /* and when that is ready: uapi/linux/sync_file.h */
    {SCMP_SYS(ioctl), 1, KIND,
     KIND_OF('F')}, /* NVIDIA: kernel-open/common/inc/nv-ioctl-numbers.h */
    {SCMP_SYS(ioctl), 1, KIND, KIND_OF('m')}, /* nvidia-modeset: nvkms-ioctl.h */
    {SCMP_SYS(ioctl), 1, UVM_KIND, 0},
    {SCMP_SYS(ioctl), 1, UINT32_MAX, UVM_INITIALIZE},
    {SCMP_SYS(ioctl), 1, UINT32_MAX, UVM_DEINITIALIZE},
    {SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO}, /* as F_SETFL does */
};

static int add_where(scmp_filter_ctx filter, const struct rule *added, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = seccomp_rule_add(
            filter, SCMP_ACT_ALLOW, added[i].call, 1,
            SCMP_CMP(added[i].argument, SCMP_CMP_MASKED_EQ, added[i].mask, added[i].value));
    return failed;
}

static int add_rules(scmp_filter_ctx filter)
{
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A tree: the kernel tries the filter with every call's number when it is loaded, which of a
     * list takes 0.2 ms of each job. */
    if (failed == 0)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (failed == 0)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && failed == 0; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (failed == 0)
        failed = add_where(filter, rules, sizeof(rules) / sizeof(rules[0]));
    /* Its flags lie in memory, which a filter cannot see: glibc goes on with clone. */
    if (failed == 0)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return failed;
}

struct syscalls {
    scmp_filter_ctx filter;   /* for those with a GPU, who add to it */
    struct sock_filter *code; /* for the others; owned */
    unsigned short count;     /* of its instructions */
};

void syscalls_done(struct syscalls *prepared)
{
    if (prepared == NULL)
        return;
    if (prepared->filter != NULL)
        seccomp_release(prepared->filter);
    free(prepared->code);
    free(prepared);
}

/* libseccomp writes it into a file alone. -1 with nothing made. */
static int export_code(struct syscalls *ret)
{
    struct stat is;
    CLEANUP_CLOSE int fd = memfd_create("syscalls", MFD_CLOEXEC);
    if (fd < 0 || seccomp_export_bpf(ret->filter, fd) != 0 || fstat(fd, &is) < 0 ||
        is.st_size / (off_t)sizeof(*ret->code) > BPF_MAXINSNS)
        return -1;
    ret->code = xcalloc(1, (size_t)is.st_size);
    ret->count = (unsigned short)((size_t)is.st_size / sizeof(*ret->code));
    return fd_read_at(fd, ret->code, (size_t)is.st_size, 0) == is.st_size ? 0 : -1;
}

struct syscalls *syscalls_prepare(void)
{
    struct syscalls *made = xcalloc(1, sizeof(*made));
    made->filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (made->filter != NULL && add_rules(made->filter) == 0 && export_code(made) == 0)
        return made;
    syscalls_done(made);
    return NULL;
}

static int add_gpu(scmp_filter_ctx filter)
{
    int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 0);
    if (failed == 0) /* of that memory; of files it takes room that is counted nowhere */
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fallocate), 0);
    return failed != 0 ? failed
                       : add_where(filter, gpu_rules, sizeof(gpu_rules) / sizeof(gpu_rules[0]));
}

/* 0, or -1 with errno. */
static int load(struct sock_filter *code, unsigned short count)
{
    const struct sock_fprog program = {.len = count, .filter = code};
    const long rc =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (rc > 0) /* the number of a thread that has a filter of its own */
        errno = ESRCH;
    return rc == 0 ? 0 : -1;
}

/* abort() and the like: a signal to this process alone, whose number was not known before. (The
 * number is an int: the low half of the argument, which lies first on x86 and ARM.) */
static int keep_signals_here(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return load(code, sizeof(code) / sizeof(code[0]));
}

static int load_for_gpu(scmp_filter_ctx filter)
{
    int failed = add_gpu(filter);
    if (failed == 0)
        failed = seccomp_load(filter);
    errno = -failed;
    return failed == 0 ? 0 : -1;
}

int syscalls_restrict(struct syscalls *prepared, bool gpu)
{
    if (prepared == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || keep_signals_here() < 0)
        return -1;
    return gpu ? load_for_gpu(prepared->filter) : load(prepared->code, prepared->count);
}
