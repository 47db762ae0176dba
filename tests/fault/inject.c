/* Preloaded into a program (LD_PRELOAD): the nth call of a chosen libc function fails, once or from
 * then on, or reads or writes one byte only, or the program is killed right before or after it.
 *
 * In and out by a file that is mapped by all processes and by the test (FAULT_CONTROL; its layout
 * is struct control, world.py knows it too): the test says which kind of process is meant and
 * switches faults on and off while they run; counts, the place of each call (a hash of its callers)
 * and what was done come back. A call of libc from inside libc is not seen, except of the
 * allocator. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What can be made to fail; the order is the number in the control file. */
/* clang-format off */
#define CALLS(X) \
    X(malloc) X(calloc) X(realloc) X(reallocarray) X(read) X(write) X(readv) X(writev) \
    X(pread) X(pread64) X(pwrite) X(pwrite64) X(send) X(recv) X(sendto) X(sendmsg) \
    X(recvmsg) X(open) X(open64) X(openat) X(openat64) X(fopen) X(fopen64) X(fsync) \
    X(fdatasync) X(ftruncate) X(ftruncate64) X(fallocate) X(mkdir) X(mkdirat) X(rmdir) \
    X(unlink) X(unlinkat) X(rename) X(fchown) X(lchown) X(fchmod) X(flock) X(fcntl) \
    X(fcntl64) X(dup2) X(pipe2) X(socket) X(socketpair) X(bind) X(listen) X(connect) \
    X(accept4) X(getsockopt) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) \
    X(timerfd_create) X(signalfd) X(memfd_create) X(poll) X(fork) X(clone) X(posix_spawn) \
    X(waitpid) X(waitid) X(wait4) X(kill) X(setsid) X(chdir) X(fchdir) X(prctl) X(mmap) \
    X(mmap64) X(mremap) X(opendir) X(fdopendir) X(stat) X(stat64) X(fstat) X(fstat64) \
    X(lstat) X(lstat64) X(statvfs) X(access) X(readlink) X(getcwd) X(lseek) X(getrandom) \
    X(execv) X(execve) X(setrlimit) X(sigtimedwait) X(shutdown) X(chmod) X(renameat2) \
    X(symlink) X(pidfd_open) X(pidfd_send_signal) X(renameat) X(fstatat) X(fstatat64) \
    X(fchownat)
/* clang-format on */

enum call {
#define X(name) CALL_##name,
    CALLS(X)
#undef X
        CALL_COUNT
};

enum role { ROLE_OTHER, ROLE_DAEMON, ROLE_SPAWNER, ROLE_WORKER, ROLE_CLIENT, ROLE_STEP };
enum mode { MODE_OFF, MODE_ONCE, MODE_ON };

#define SITES_MAX 65536U
#define FRAMES 24
#define IN_GLIB 1000U
#define CONTROL_BYTES ((size_t)4 << 20)

struct site {
    uint32_t call, hash; /* of a call from GLib: IN_GLIB + call */
    uint64_t nth;
};

struct control {
    uint32_t armed; /* else nothing is counted */
    uint32_t role;  /* of the process that is meant */
    uint32_t call;
    uint32_t mode;
    uint64_t nth;    /* from 1 */
    int32_t number;  /* errno; 0: one byte is read or written */
    uint32_t fired;  /* how often it was done */
    uint32_t record; /* note each call's place */
    uint32_t site_count;
    uint32_t place; /* instead of nth: the first call from there; or 0 */
    uint32_t unused;
    uint64_t counts[128];
    char names[128][16];
    struct site sites[SITES_MAX];
};

static struct control *control;
static enum role role;
static __thread bool inside; /* of our own calls nothing is counted */

static const char *const names[] = {
#define X(name) #name,
    CALLS(X)
#undef X
};

/* dlsym wants memory before we know where to get it. */
static char early[65536] __attribute__((aligned(16)));
static size_t early_used;
static bool resolving;

static void *early_memory(size_t bytes)
{
    size_t at = early_used;
    early_used += (bytes + 15) & ~(size_t)15;
    return early_used <= sizeof(early) ? early + at : NULL;
}

static void *resolve(const char *name)
{
    resolving = true;
    void *found = dlsym(RTLD_NEXT, name);
    resolving = false;
    return found;
}

/* What follows the program's name decides: the spawner and the workers are one program. */
static enum role find_role(void)
{
    char words[256] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, words, sizeof(words) - 1);
    if (fd >= 0)
        (void)close(fd);
    const char *slash = strrchr(words, '/');
    const char *program = slash == NULL ? words : slash + 1;
    const char *first = words + strlen(words) + 1;
    if (bytes <= 0)
        return ROLE_OTHER;
    if (strcmp(program, "batchd") == 0)
        return ROLE_DAEMON;
    if (strcmp(program, "batchctl") == 0)
        return ROLE_CLIENT;
    if (strcmp(program, "batchd-job") == 0)
        return ROLE_STEP;
    if (strcmp(program, "batchd-worker") == 0)
        return strcmp(first, "--worker") == 0 ? ROLE_WORKER : ROLE_SPAWNER;
    return ROLE_OTHER;
}

__attribute__((constructor)) static void begin(void)
{
    void *frames[FRAMES];
    const char *path = getenv("FAULT_CONTROL");
    inside = true;
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *memory =
        fd < 0 ? MAP_FAILED : mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        (void)close(fd);
    role = find_role();
    (void)backtrace(frames, FRAMES); /* loads what it needs now */
    if (memory != MAP_FAILED) {
        control = memory;
        for (size_t i = 0; i < CALL_COUNT; i++)
            (void)strncpy(control->names[i], names[i], sizeof(control->names[i]) - 1);
    }
    inside = false;
}

/* Behind place_of, strike and the function that stands in the place of libc's. */
#define DIRECT_CALLER 3

enum caller { CALLER_OTHER, CALLER_GLIB, CALLER_LIBEVENT, CALLER_NSSWITCH };

static enum caller caller_among(void *const *frames, int count)
{
    Dl_info info;
    for (int i = 2; i < count; i++) {
        if (dladdr(frames[i], &info) == 0)
            continue;
        const char *name = info.dli_sname == NULL ? "" : info.dli_sname;
        if (strcmp(name, "__nss_database_get") == 0 || strcmp(name, "__nss_passwd_lookup2") == 0)
            return CALLER_NSSWITCH;
        if (i < 6 && strstr(info.dli_fname, "libglib") != NULL)
            return CALLER_GLIB;
        if (i == DIRECT_CALLER && strstr(info.dli_fname, "libevent") != NULL)
            return CALLER_LIBEVENT;
    }
    return CALLER_OTHER;
}

/* Whom a call comes from decides by itself. */
static bool asks_caller(enum call call)
{
    return call == CALL_write || role == ROLE_CLIENT;
}

/* Names of functions are looked up slowly: where nothing hangs on them they are not. */
static bool is_of_interest(enum call call, uint32_t place)
{
    return control->record != 0 || asks_caller(call) || place == control->place;
}

/* A hash of the callers. Never 0. */
__attribute__((noinline)) static uint32_t place_of(enum call call, enum caller *ret_caller)
{
    void *frames[FRAMES];
    uint32_t hash = 2166136261U ^ (uint32_t)call;
    inside = true;
    int count = backtrace(frames, FRAMES);
    for (int i = 2; i < count; i++)
        hash = (hash ^ (uint32_t)((uintptr_t)frames[i] >> 1U)) * 16777619U;
    hash |= 1U;
    if (is_of_interest(call, hash))
        *ret_caller = caller_among(frames, count);
    inside = false;
    return hash;
}

static void note_place(uint32_t call, uint64_t nth, uint32_t hash)
{
    for (uint32_t i = 0; i < control->site_count; i++) {
        if (control->sites[i].hash == hash && control->sites[i].call == call)
            return;
    }
    if (control->site_count < SITES_MAX)
        control->sites[control->site_count++] = (struct site){call, hash, nth};
}

/* A pipe and a socket know no disk that is full or broken, and a file never asks to try again. */
static bool is_file(int fd)
{
    struct stat info;
    inside = true;
    bool file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    inside = false;
    return file;
}

static bool can_be(int fd)
{
    int number = control == NULL ? 0 : control->number;
    if (number == EIO || number == ENOSPC)
        return is_file(fd);
    return (number != EAGAIN && number != EINTR && number != EPIPE) || !is_file(fd);
}

static bool is_called_for(enum call call)
{
    return control->mode != MODE_OFF && control->call == call;
}

/* Whether it is this one: by its place where one is told, as what comes before it is not always as
 * much. */
static bool is_meant(uint64_t nth, uint32_t place)
{
    if (control->place == 0)
        return control->mode == MODE_ONCE ? nth == control->nth : nth >= control->nth;
    return control->fired > 0 ? control->mode == MODE_ON : place == control->place;
}

/* The stack is gone through slowly, too: until the place has failed, and not long before its turn.
 * Not inline: strike is to have one call of place_of, for with ASan, which has a backtrace of its
 * own, the place of that is in the hash. */
__attribute__((noinline)) static bool wants_place(enum call call, uint64_t nth)
{
    if (control->record != 0)
        return true;
    bool soon = nth + nth / 8 + 256 >= control->nth;
    return control->place != 0 && is_called_for(call) &&
           (asks_caller(call) || (control->fired == 0 && soon));
}

/* True when this call is to fail; *ret_short when it is to do one byte. */
__attribute__((noinline)) static bool strike(enum call call, bool *ret_short)
{
    if (control == NULL || control->armed == 0 || inside || control->role != role)
        return false;
    uint64_t nth = __atomic_add_fetch(&control->counts[call], 1, __ATOMIC_RELAXED);
    enum caller caller = CALLER_OTHER;
    uint32_t place = wants_place(call, nth) ? place_of(call, &caller) : 0;
    /* By it a signal's handler tells the loop of one process something: there is always room. */
    if (call == CALL_write && caller == CALLER_LIBEVENT)
        return false;
    /* glibc asserts that it has memory while it reads nsswitch.conf (2.36, nss_database.c:291):
     * batchd does at its start (api/users.c). */
    if (caller == CALLER_NSSWITCH && call <= CALL_reallocarray)
        return false;
    if (control->record != 0)
        note_place((uint32_t)call + (caller == CALLER_GLIB ? IN_GLIB : 0), nth, place);
    if (!is_called_for(call) || !is_meant(nth, place))
        return false;
    (void)__atomic_add_fetch(&control->fired, 1, __ATOMIC_RELAXED);
    *ret_short = control->number == 0;
    errno = control->number;
    return control->number != 0;
}

#define REAL(name)                                \
    static __typeof__(&name) real;                \
    if (real == NULL)                             \
        *(void **)(void *)&real = resolve(#name); \
    bool little = false;                          \
    (void)little

/* ---- the allocator ----
 *
 * We stand before that of AddressSanitizer, where the program has it: what does not fail comes from
 * there, so that it sees each use of it. */

/* NOLINTBEGIN(bugprone-reserved-identifier): so libasan calls them */
__typeof__(malloc) __interceptor_malloc __attribute__((weak));
__typeof__(calloc) __interceptor_calloc __attribute__((weak));
__typeof__(realloc) __interceptor_realloc __attribute__((weak));
__typeof__(reallocarray) __interceptor_reallocarray __attribute__((weak));
__typeof__(free) __interceptor_free __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier) */

/* ASan's own by its name: dlsym wants memory, and ASan asks for it while it starts. */
#define REAL_MEMORY(name)                         \
    static __typeof__(&name) real;                \
    if (real == NULL)                             \
        real = __interceptor_##name;              \
    if (real == NULL)                             \
        *(void **)(void *)&real = resolve(#name); \
    bool little = false;                          \
    (void)little

void *malloc(size_t bytes)
{
    if (resolving)
        return early_memory(bytes);
    REAL_MEMORY(malloc);
    return strike(CALL_malloc, &little) ? NULL : real(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    if (resolving)
        return early_memory(count * bytes);
    REAL_MEMORY(calloc);
    return strike(CALL_calloc, &little) ? NULL : real(count, bytes);
}

void *realloc(void *pointer, size_t bytes)
{
    REAL_MEMORY(realloc);
    return strike(CALL_realloc, &little) ? NULL : real(pointer, bytes);
}

void *reallocarray(void *pointer, size_t count, size_t bytes)
{
    REAL_MEMORY(reallocarray);
    return strike(CALL_reallocarray, &little) ? NULL : real(pointer, count, bytes);
}

/* ASan's takes its memory past malloc. */
char *strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    return copy == NULL ? NULL : memcpy(copy, text, bytes);
}

void free(void *pointer)
{
    if ((char *)pointer >= early && (char *)pointer < early + sizeof(early))
        return;
    REAL_MEMORY(free);
    real(pointer);
}

/* ---- calls with a plain list of arguments ---- */

#define WRAP(type, failed, name, parameters, arguments)                  \
    type name parameters                                                 \
    {                                                                    \
        REAL(name);                                                      \
        return strike(CALL_##name, &little) ? (failed) : real arguments; \
    }

/* One byte of `bytes` when so told. */
#define WRAP_BYTES(name, parameters, arguments)         \
    ssize_t name parameters                             \
    {                                                   \
        REAL(name);                                     \
        if (can_be(fd) && strike(CALL_##name, &little)) \
            return -1;                                  \
        bytes = little && bytes > 1 ? 1 : bytes;        \
        return real arguments;                          \
    }

WRAP_BYTES(read, (int fd, void *data, size_t bytes), (fd, data, bytes))
WRAP_BYTES(write, (int fd, const void *data, size_t bytes), (fd, data, bytes))
WRAP_BYTES(pread, (int fd, void *data, size_t bytes, off_t at), (fd, data, bytes, at))
WRAP_BYTES(pread64, (int fd, void *data, size_t bytes, off64_t at), (fd, data, bytes, at))
WRAP_BYTES(pwrite, (int fd, const void *data, size_t bytes, off_t at), (fd, data, bytes, at))
WRAP_BYTES(pwrite64, (int fd, const void *data, size_t bytes, off64_t at), (fd, data, bytes, at))
WRAP_BYTES(send, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags))
WRAP_BYTES(recv, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags))
WRAP(ssize_t, -1, sendto,
     (int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t room),
     (fd, data, bytes, flags, to, room))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))

#define WRAP_VECTOR(name)                                             \
    ssize_t name(int fd, const struct iovec *parts, int count)        \
    {                                                                 \
        REAL(name);                                                   \
        if (can_be(fd) && strike(CALL_##name, &little))               \
            return -1;                                                \
        struct iovec one = {.iov_base = parts[0].iov_base,            \
                            .iov_len = parts[0].iov_len > 0 ? 1 : 0}; \
        return little ? real(fd, &one, 1) : real(fd, parts, count);   \
    }
WRAP_VECTOR(readv)
WRAP_VECTOR(writev)

#define WRAP_OPEN(name, parameters, arguments)                          \
    int name parameters                                                 \
    {                                                                   \
        REAL(name);                                                     \
        mode_t mode = 0;                                                \
        va_list list;                                                   \
        va_start(list, flags);                                          \
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) \
            mode = va_arg(list, mode_t);                                \
        va_end(list);                                                   \
        return strike(CALL_##name, &little) ? -1 : real arguments;      \
    }
WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
WRAP_OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

#define WRAP_FCNTL(name)                                                        \
    int name(int fd, int command, ...)                                          \
    {                                                                           \
        REAL(name);                                                             \
        va_list list;                                                           \
        va_start(list, command);                                                \
        void *argument = va_arg(list, void *);                                  \
        va_end(list);                                                           \
        return strike(CALL_##name, &little) ? -1 : real(fd, command, argument); \
    }
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

int prctl(int option, ...);
int prctl(int option, ...)
{
    REAL(prctl);
    va_list list;
    va_start(list, option);
    unsigned long given[4];
    for (int i = 0; i < 4; i++)
        given[i] = va_arg(list, unsigned long);
    va_end(list);
    return strike(CALL_prctl, &little) ? -1 : real(option, given[0], given[1], given[2], given[3]);
}

int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    REAL(clone);
    va_list list;
    va_start(list, argument);
    pid_t *told = (flags & CLONE_PARENT_SETTID) != 0 ? va_arg(list, pid_t *) : NULL;
    va_end(list);
    return strike(CALL_clone, &little) ? -1 : real(run, stack, flags, argument, told);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    REAL(posix_spawn);
    return strike(CALL_posix_spawn, &little) ? errno
                                             : real(pid, path, actions, attributes, argv, envp);
}

WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(int, -1, ftruncate, (int fd, off_t bytes), (fd, bytes))
WRAP(int, -1, ftruncate64, (int fd, off64_t bytes), (fd, bytes))
WRAP(int, -1, fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
WRAP(int, -1, rmdir, (const char *path), (path))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to))
WRAP(int, -1, renameat2,
     (int from_folder, const char *from, int to_folder, const char *to, unsigned flags),
     (from_folder, from, to_folder, to, flags))
WRAP(int, -1, renameat, (int from_folder, const char *from, int to_folder, const char *to),
     (from_folder, from, to_folder, to))
WRAP(int, -1, fstatat, (int folder, const char *path, struct stat *ret, int flags),
     (folder, path, ret, flags))
WRAP(int, -1, fstatat64, (int folder, const char *path, struct stat64 *ret, int flags),
     (folder, path, ret, flags))
WRAP(int, -1, fchownat, (int folder, const char *path, uid_t uid, gid_t gid, int flags),
     (folder, path, uid, gid, flags))
WRAP(int, -1, symlink, (const char *target, const char *path), (target, path))
WRAP(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(int, -1, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, -1, flock, (int fd, int operation), (fd, operation))
WRAP(int, -1, dup2, (int from, int to), (from, to))
WRAP(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
WRAP(int, -1, bind, (int fd, const struct sockaddr *to, socklen_t bytes), (fd, to, bytes))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, connect, (int fd, const struct sockaddr *to, socklen_t bytes), (fd, to, bytes))
WRAP(int, -1, accept4, (int fd, struct sockaddr *from, socklen_t *bytes, int flags),
     (fd, from, bytes, flags))
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *bytes),
     (fd, level, name, value, bytes))
WRAP(int, -1, epoll_create1, (int flags), (flags))
/* The kernel wants memory to add one, not to change or remove it. */
int epoll_ctl(int fd, int operation, int of, struct epoll_event *event)
{
    REAL(epoll_ctl);
    return operation == EPOLL_CTL_ADD && strike(CALL_epoll_ctl, &little)
               ? -1
               : real(fd, operation, of, event);
}
WRAP(int, -1, epoll_wait, (int fd, struct epoll_event *events, int most, int wait_ms),
     (fd, events, most, wait_ms))
int eventfd(unsigned count, int flags);
WRAP(int, -1, eventfd, (unsigned count, int flags), (count, flags))
int timerfd_create(int clock, int flags);
WRAP(int, -1, timerfd_create, (int clock, int flags), (clock, flags))
int signalfd(int fd, const sigset_t *set, int flags);
WRAP(int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t count, int wait_ms), (fds, count, wait_ms))
WRAP(pid_t, -1, fork, (void), ())
WRAP(pid_t, -1, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
WRAP(int, -1, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
     (type, id, info, options))
WRAP(pid_t, -1, wait4, (pid_t pid, int *status, int options, struct rusage *usage),
     (pid, status, options, usage))
WRAP(int, -1, kill, (pid_t pid, int number), (pid, number))
WRAP(pid_t, -1, setsid, (void), ())
WRAP(int, -1, chdir, (const char *path), (path))
WRAP(int, -1, fchdir, (int fd), (fd))
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t bytes, int prot, int flags, int fd, off_t offset),
     (at, bytes, prot, flags, fd, offset))
WRAP(void *, MAP_FAILED, mmap64,
     (void *at, size_t bytes, int prot, int flags, int fd, off64_t offset),
     (at, bytes, prot, flags, fd, offset))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(int, -1, stat, (const char *path, struct stat *ret), (path, ret))
WRAP(int, -1, stat64, (const char *path, struct stat64 *ret), (path, ret))
WRAP(int, -1, fstat, (int fd, struct stat *ret), (fd, ret))
WRAP(int, -1, fstat64, (int fd, struct stat64 *ret), (fd, ret))
WRAP(int, -1, lstat, (const char *path, struct stat *ret), (path, ret))
WRAP(int, -1, lstat64, (const char *path, struct stat64 *ret), (path, ret))
WRAP(int, -1, statvfs, (const char *path, struct statvfs *ret), (path, ret))
WRAP(int, -1, access, (const char *path, int mode), (path, mode))
WRAP(ssize_t, -1, readlink, (const char *path, char *data, size_t bytes), (path, data, bytes))
WRAP(char *, NULL, getcwd, (char *data, size_t bytes), (data, bytes))
WRAP(off_t, -1, lseek, (int fd, off_t at, int whence), (fd, at, whence))
ssize_t getrandom(void *data, size_t bytes, unsigned flags);
WRAP(ssize_t, -1, getrandom, (void *data, size_t bytes, unsigned flags), (data, bytes, flags))
WRAP(int, -1, execv, (const char *path, char *const argv[]), (path, argv))
WRAP(int, -1, execve, (const char *path, char *const argv[], char *const envp[]),
     (path, argv, envp))
WRAP(int, -1, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit),
     (resource, limit))
WRAP(int, -1, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *span),
     (set, info, span))

WRAP(int, -1, shutdown, (int fd, int how), (fd, how))
int pidfd_open(pid_t pid, unsigned flags);
WRAP(int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
int pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags);
WRAP(int, -1, pidfd_send_signal, (int fd, int number, siginfo_t *info, unsigned flags),
     (fd, number, info, flags))

void *mremap(void *at, size_t from, size_t to, int flags, ...)
{
    REAL(mremap);
    return strike(CALL_mremap, &little) ? MAP_FAILED : real(at, from, to, flags);
}
