/* A processor whose decoder was taken over: it tries what a hostile file would like, and tells how
 * each attempt ended ({"tries":{NAME:errno, 0 for done}}). Linked to processors/lib as any other.
 * The program's parameters are in test_sandbox.py, which writes the manifest. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "processors/lib/processor.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void note(json_t *tries, const char *name, long done)
{
    json_put_int(tries, name, done < 0 ? errno : 0);
}

static long open_and_close(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : close(fd);
}

static void files(const struct request *request, json_t *tries)
{
    const char *secret = request_string(request, "secret", "");
    const char *input = request_string(request, "input", "");
    char beside[4096];
    char other[4096];
    struct timeval times[2] = {{0}};
    (void)snprintf(beside, sizeof(beside), "%s.made", secret);
    (void)snprintf(other, sizeof(other), "%s.link", request_string(request, "output", ""));
    note(tries, "read_secret", open_and_close(secret, O_RDONLY));
    note(tries, "write_secret", open_and_close(secret, O_WRONLY));
    note(tries, "make_beside_secret", open_and_close(beside, O_WRONLY | O_CREAT));
    note(tries, "make_folder_beside_secret", mkdir(beside, 0700));
    note(tries, "list_outside",
         open_and_close(request_string(request, "folder", ""), O_RDONLY | O_DIRECTORY));
    note(tries, "write_input", open_and_close(input, O_WRONLY));
    note(tries, "empty_input", open_and_close(input, O_RDONLY | O_TRUNC));
    note(tries, "truncate_input", truncate(input, 0));
    note(tries, "truncate_secret", truncate(secret, 0));
    note(tries, "chmod_secret", chmod(secret, 0777));
    note(tries, "touch_secret", utimes(secret, times));
    note(tries, "link_secret", link(secret, other));
    note(tries, "symlink_to_secret", symlink(secret, other));
    note(tries, "rename_secret", rename(secret, other));
    note(tries, "remove_secret", unlink(secret));
    note(tries, "read_passwd", open_and_close("/etc/passwd", O_RDONLY));
    note(tries, "list_root", open_and_close("/", O_RDONLY | O_DIRECTORY));
}

/* Of the user's other files in the folder that the output is in. */
static void neighbours(const struct request *request, const char *staged, json_t *tries)
{
    char inside[4096];
    CLEANUP_FREE char *output = request_path(request, "output");
    char beside[4096];
    char made[4096];
    (void)snprintf(beside, sizeof(beside), "%s.other", output);
    (void)snprintf(made, sizeof(made), "%s.new", output);
    note(tries, "read_beside_output", open_and_close(beside, O_RDONLY));
    note(tries, "write_beside_output", open_and_close(beside, O_WRONLY));
    note(tries, "make_beside_output", open_and_close(made, O_WRONLY | O_CREAT));
    (void)snprintf(inside, sizeof(inside), "%s.made", staged);
    note(tries, "make_folder_in_stage", mkdir(inside, 0700));
    note(tries, "rename_beside_output", rename(beside, made));
    note(tries, "remove_beside_output", unlink(beside));
    (void)snprintf(beside, sizeof(beside), "%s.neighbour", request_string(request, "input", ""));
    note(tries, "read_beside_input", open_and_close(beside, O_RDONLY));
    char *slash = strrchr(beside, '/');
    (void)snprintf(slash == NULL ? beside : slash, sizeof("/."), "%s", slash == NULL ? "." : "/.");
    note(tries, "list_beside_input", open_and_close(beside, O_RDONLY | O_DIRECTORY));
}

/* What is copied by somebody who is not confined comes back to be read. */
static void checkpoints(json_t *tries)
{
    char other[4096];
    const char *folder = getenv("BATCHD_CHECKPOINT_DIR");
    (void)snprintf(other, sizeof(other), "%s/other", folder == NULL ? "" : folder);
    if (folder == NULL)
        return;
    note(tries, "list_checkpoints", open_and_close(folder, O_RDONLY | O_DIRECTORY));
    note(tries, "make_checkpoint", mkdir(other, 0700));
}

static void network(json_t *tries)
{
    int pair[2];
    note(tries, "socket_inet", socket(AF_INET, SOCK_STREAM, 0));
    note(tries, "socket_inet_udp", socket(AF_INET, SOCK_DGRAM, 0));
    note(tries, "socket_inet6", socket(AF_INET6, SOCK_STREAM, 0));
    note(tries, "socket_unix", socket(AF_UNIX, SOCK_STREAM, 0));
    note(tries, "socket_netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    note(tries, "socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

/* What a child did: it tells by its exit code. */
static void programs(json_t *tries)
{
    char name[] = "true";
    char *words[] = {name, NULL};
    char *none[] = {NULL};
    pid_t child = fork();
    note(tries, "fork", child);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    else if (child == 0)
        _exit(0);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    note(tries, "clone", child);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    else if (child == 0)
        _exit(0);
    (void)execve("/bin/true", words, none); /* no return where it is done: then no result at all */
    note(tries, "execve", -1);
    int fd = (int)syscall(SYS_memfd_create, "program", 0);
    note(tries, "memfd_create", fd);
    note(tries, "execveat", syscall(SYS_execveat, fd, "", words, none, 0x1000 /* AT_EMPTY_PATH */));
}

static void processes(const struct request *request, json_t *tries)
{
    pid_t victim = request_int(request, "victim", 0);
    char path[64];
    char byte = 0;
    struct iovec here = {&byte, 1};
    struct iovec there = {&byte, 1};
    note(tries, "kill", kill(victim, SIGTERM));
    note(tries, "tgkill", syscall(SYS_tgkill, victim, victim, SIGTERM));
    note(tries, "pidfd_open", syscall(SYS_pidfd_open, victim, 0));
    note(tries, "ptrace", ptrace(PTRACE_ATTACH, victim, NULL, NULL));
    note(tries, "process_vm_readv", process_vm_readv(victim, &here, 1, &there, 1, 0));
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)victim);
    note(tries, "read_environ", open_and_close(path, O_RDONLY));
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)victim);
    note(tries, "read_cmdline", open_and_close(path, O_RDONLY));
    cpu_set_t all;
    memset(&all, 0xff, sizeof(all));
    note(tries, "set_affinity", sched_setaffinity(victim, sizeof(all), &all));
}

/* A pipe that tells the victim by a deadly signal that there is something to read. */
static void owner(const struct request *request, json_t *tries)
{
    pid_t victim = request_int(request, "victim", 0);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    note(tries, "set_owner", fcntl(ends[0], F_SETOWN, victim));
    note(tries, "set_signal", fcntl(ends[0], F_SETSIG, SIGKILL));
    (void)fcntl(ends[0], F_SETFL, O_ASYNC);
    ssize_t ignored = write(ends[1], "x", 1);
    (void)ignored;
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void kernel(json_t *tries)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    int waiting = 0;
    note(tries, "unshare", unshare(CLONE_NEWUSER));
    note(tries, "io_uring", syscall(SYS_io_uring_setup, 1, NULL));
    note(tries, "bpf", syscall(SYS_bpf, 0, NULL, 0));
    note(tries, "userfaultfd", syscall(SYS_userfaultfd, 0));
    note(tries, "keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    note(tries, "device_control", ioctl(STDOUT_FILENO, FIONREAD, &waiting));
    note(tries, "type_into_terminal", ioctl(STDIN_FILENO, TIOCSTI, "x"));
    note(tries, "paste_into_console", ioctl(STDIN_FILENO, TIOCLINUX, "\3"));
    note(tries, "control_drm", ioctl(STDOUT_FILENO, _IOWR('d', 0, char[64]), &waiting));
    note(tries, "control_nvidia", ioctl(STDOUT_FILENO, _IOWR('F', 200, int), &waiting));
    note(tries, "control_nvidia_uvm", ioctl(STDOUT_FILENO, 0x30000001, &waiting));
    note(tries, "fallocate", fallocate(STDERR_FILENO, 0, 0, 1));
    note(tries, "core_limit", setrlimit(RLIMIT_CORE, &limit));
}

static void *nothing(void *arg)
{
    return arg;
}

/* What is open, without the folder that is read for it. */
static json_t *descriptors(void)
{
    json_t *list = json_array();
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder))
            (void)json_array_append_new(list, json_integer(atoi(entry->d_name)));
    }
    if (folder != NULL)
        (void)closedir(folder);
    return list;
}

/* What a processor needs all the same. */
static void needed(const struct request *request, json_t *done)
{
    char work[4096];
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, nothing, NULL);
    json_put_int(done, "thread", failed);
    if (failed == 0)
        (void)pthread_join(thread, NULL);
    note(done, "read_input", open_and_close(request_string(request, "input", ""), O_RDONLY));
    note(done, "read_library", open_and_close("/usr/lib/os-release", O_RDONLY));
    const char *folder = getenv("BATCHD_CHECKPOINT_DIR");
    (void)snprintf(work, sizeof(work), "%s/work/unit", folder == NULL ? "" : folder);
    if (folder != NULL)
        note(done, "work_folder", open_and_close(work, O_WRONLY | O_CREAT));
}

/* Speaks for another job, says what is no JSON, and gives a second result. */
static void lie(void)
{
    static const char lines[] =
        "{\"job\":7,\"type\":\"result\",\"result\":{\"lie\":1}}\n"
        "{\"type\":\"log\",\"text\":\"x\",\"job\":7}\n"
        "nonsense\n"
        "{\"type\":\"log\",\"text\":\"a\"} {\"job\":7,\"type\":\"result\"}\n"
        "{\"type\":\"log\",\"text\":\"mine\"}\n"
        "{\"type\":\"result\",\"usage\":{\"user_us\":7},\"result\":{\"first\":1}} \r\n";
    ssize_t ignored = write(3, lines, sizeof(lines) - 1);
    ignored += write(STDOUT_FILENO, lines, sizeof(lines) - 1);
    (void)ignored;
}

/* A result whose line has so many bytes. */
static void speak(size_t bytes)
{
    static const char start[] = "{\"type\":\"result\",\"result\":{\"fill\":\"";
    static const char end[] = "\"}}\n";
    char *line = xmalloc(bytes + 1);
    memset(line, 'x', bytes + 1);
    memcpy(line, start, sizeof(start) - 1);
    memcpy(line + bytes + 1 - (sizeof(end) - 1), end, sizeof(end) - 1);
    (void)fd_write_all(3, line, bytes + 1);
    free(line);
}

/* Names in the output folder that no input gives. */
static void other_names(const char *output, json_t *tries)
{
    static const char *const names[] = {".bashrc", "other", "clip.sh"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err = {0};
        CLEANUP_FREE char *path = xasprintf("%s/%s", output, names[i]);
        const bool placed = staging_open(path, &err) != NULL && staging_commit(&err) == 0;
        json_put_int(tries, names[i], placed ? 0 : err.saved_errno);
    }
}

/* As large as a file may be; the caller closes. */
static int fill(const char *staged)
{
    static char block[1 << 20];
    int fd = open(staged, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (ssize_t wrote = 1; wrote > 0;)
        wrote = write(fd, block, sizeof(block));
    return fd;
}

/* Files that are in no folder any more, nor open: what is mapped is kept all the same. No faster
 * than a disk bears until somebody looks. */
static void hide(const char *staged)
{
    const struct timespec pace = {.tv_nsec = 20000000};
    for (;;) {
        int fd = fill(staged);
        (void)mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
        (void)unlink(staged);
        (void)close(fd);
        (void)nanosleep(&pace, NULL);
    }
}

/* What was written stays in its folder. */
static void keep(const char *staged)
{
    const struct timespec pace = {.tv_nsec = 20000000};
    for (unsigned i = 0;; i++) {
        CLEANUP_FREE char *path = xasprintf("%s.%u", staged, i);
        (void)close(fill(path));
        (void)nanosleep(&pace, NULL);
    }
}

/* As if a call that makes a file were always under way. */
static void *litter(void *staged)
{
    CLEANUP_FREE char *path = xasprintf("%s.litter.%ld", (char *)staged, syscall(SYS_gettid));
    for (;;) {
        (void)open_and_close(path, O_WRONLY | O_CREAT);
        (void)unlink(path);
    }
    return NULL;
}

static void begin_thread(void *(*work)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, arg) == 0)
        (void)pthread_detach(thread);
}

/* In a file of its own it writes until somebody looks: it is emptied before that is on the disk. */
static void litter_and_write(char *staged)
{
    static char block[1 << 16];
    int fd = open(staged, O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 16; i++)
        begin_thread(litter, staged);
    for (;;) {
        while (write(fd, block, sizeof(block)) > 0) {
        }
        (void)ftruncate(fd, 0);
        (void)lseek(fd, 0, SEEK_SET);
    }
}

static atomic_uint looks;

/* The publisher reads nearly always. */
static void *ask_for_looks(void *target)
{
    json_t *found;
    while ((found = staging_look(target)) != NULL) {
        json_decref(found);
        atomic_fetch_add(&looks, 1);
    }
    return NULL;
}

static void *hide_beside(void *staged)
{
    hide(staged);
    return NULL;
}

/* The thread that forked the publisher ends while that one reads, and others write on: nobody
 * learns of a process's end before they have ended. */
static int leave(char *target, char *staged, struct error *err)
{
    (void)close(fill(staged));
    if (staging_commit(err) < 0)
        return -1;
    begin_thread(hide_beside, staged);
    begin_thread(ask_for_looks, target);
    while (atomic_load(&looks) < 10)
        (void)sched_yield();
    return (int)syscall(SYS_exit, 0);
}

/* As one that is honest does whose output is as large as it may be: chunks, all of them together,
 * and that once more with its index in front; looked at in the end, too. */
static void write_three_times(const char *staged)
{
    const struct timespec looked_at = {.tv_sec = 2};
    CLEANUP_FREE char *chunk = xasprintf("%s.chunk", staged);
    (void)close(fill(chunk));
    (void)close(fill(staged));
    (void)close(fill(staged));
    (void)unlink(chunk);
    (void)nanosleep(&looked_at, NULL);
}

/* Whoever is at the other ends of its pipes takes it for dead. */
static void close_all(void)
{
    for (int fd = 3; fd < 256; fd++)
        (void)close(fd);
}

static json_t *empty_result(void)
{
    return json_pack("{s[],s[]}", "inputs", "outputs");
}

static int run(const struct request *request, json_t **ret, struct error *err)
{
    if (request_bool(request, "crash", 0))
        abort();
    if (request_bool(request, "lie", 0))
        lie();
    if (request_int(request, "line_bytes", 0) > 0)
        speak((size_t)request_int(request, "line_bytes", 0));
    if (request_int(request, "megabytes", 0) > 0) {
        size_t bytes = (size_t)request_int(request, "megabytes", 0) << 20;
        void *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *ret = empty_result();
        json_put(*ret, "memory", json_boolean(memory != MAP_FAILED));
        json_put_int(*ret, "cpus", request->cpus);
        return 0;
    }
    CLEANUP_FREE char *output = request_path(request, "output");
    bool several = json_object_get(request->params, "more") != NULL;
    CLEANUP_FREE char *target = xasprintf("%s%s", output, several ? "/clip" : "");
    if (several && staging_make_folder(output, err) < 0)
        return -1;
    const char *staged = staging_open(target, err);
    if (staged == NULL)
        return -1;
    if (request_bool(request, "sleep", 0)) {
        report_log("asleep");
        for (;;)
            (void)pause();
    }
    if (request_bool(request, "close", 0))
        close_all();
    if (request_bool(request, "hide", 0))
        hide(staged);
    if (request_bool(request, "keep", 0))
        keep(staged);
    CLEANUP_FREE char *own = xasprintf("%s", staged);
    if (request_bool(request, "litter", 0))
        litter_and_write(own);
    if (request_bool(request, "leave", 0))
        return leave(target, own, err);
    if (request_bool(request, "honest", 0)) {
        write_three_times(staged);
        *ret = empty_result();
        return staging_commit(err);
    }
    json_t *tries = json_object();
    json_t *done = json_object();
    needed(request, done);
    files(request, tries);
    neighbours(request, staged, tries);
    checkpoints(tries);
    owner(request, tries);
    network(tries);
    programs(tries);
    processes(request, tries);
    kernel(tries);
    *ret = empty_result();
    json_put(*ret, "tries", tries);
    json_put(*ret, "needed", done);
    json_put(*ret, "descriptors", descriptors());
    const int placed = staging_commit(err);
    if (several)
        other_names(output, tries);
    return placed;
}

static bool uses_gpu(const struct request *request)
{
    return strcmp(request_string(request, "hardware", "never"), "never") != 0;
}

int main(int argc, char **argv)
{
    static const struct processor processor = {
        .name = "hostile", .version = "1", .run = run, .uses_gpu = uses_gpu};
    return processor_main(argc, argv, &processor);
}
