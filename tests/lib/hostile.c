/* hostile MODE LOCK READY: a process tree that does not want to end. Every process of it holds the
 * lock, and nothing else of ours, so whoever gets it knows that none is left. READY is made when
 * the tree stands. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Whoever does not end it has this long to live with it. */
#define LIFE_SECONDS 60
#define OTHER_UID 54321
#define BOMB 120

static const char *ready_path;
static const char *log_path;

static void ready(void)
{
    (void)close(open(ready_path, O_WRONLY | O_CREAT, 0666));
}

static time_t dies_at;

static void grow_old(void)
{
    if (time(NULL) > dies_at)
        _exit(1);
}

static void for_ever(void)
{
    for (;;) {
        (void)usleep(500000);
        grow_old();
    }
}

static void after(long ms)
{
    (void)usleep((useconds_t)ms * 1000);
}

/* 0 in the child. */
static pid_t split(void)
{
    grow_old();
    pid_t pid = fork();
    return pid < 0 ? 1 : pid;
}

static void stand(void)
{
    ready();
    for_ever();
}

static void children(int count)
{
    for (int i = 0; i < count; i++) {
        if (split() == 0)
            for_ever();
    }
}

/* In the daemon 0: an orphan with a session of its own. */
static pid_t daemonise(void)
{
    pid_t pid = split();
    if (pid != 0)
        return pid;
    (void)setsid();
    if (split() != 0)
        _exit(0);
    return 0;
}

static void plain(void)
{
    stand();
}

static void wide(void)
{
    children(300);
    stand();
}

static void deep(void)
{
    for (int i = 0; i < 200; i++) {
        if (split() != 0)
            for_ever();
    }
    stand();
}

static void orphan(void)
{
    if (daemonise() == 0) {
        children(3);
        stand();
    }
    for_ever();
}

static void sessions(void)
{
    for (int i = 0; i < 20; i++) {
        if (split() != 0)
            for_ever();
        (void)setsid();
    }
    stand();
}

static void bomb(void)
{
    const struct rlimit most = {BOMB, BOMB};
    ready();
    (void)setrlimit(RLIMIT_NPROC, &most);
    if (setgroups(0, NULL) < 0 || setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0)
        abort(); /* root's has no such limit */
    for (;;) {
        (void)fork();
        grow_old();
    }
}

/* Never older than a moment: each makes the next and ends. */
static void comet(void)
{
    ready();
    if (split() != 0)
        for_ever();
    for (;;) {
        if (split() != 0)
            _exit(0);
    }
}

static void comets(void)
{
    for (int i = 0; i < 10; i++) {
        if (split() == 0) {
            for (;;) {
                (void)setsid();
                if (split() != 0)
                    _exit(0);
            }
        }
    }
    stand();
}

static void respawner(void)
{
    ready();
    for (;;) {
        pid_t pid = split();
        if (pid == 0)
            for_ever();
        (void)waitpid(pid, NULL, 0);
    }
}

/* Each is the other's keeper: whoever is left alone makes another. */
static void twins(void)
{
    ready();
    for (;;) {
        pid_t pid = split();
        if (pid != 0) {
            (void)waitpid(pid, NULL, 0);
        } else {
            (void)setsid();
            pid_t parent = getppid();
            while (getppid() == parent) {
                after(1);
                grow_old();
            }
        }
    }
}

static void traced(void)
{
    pid_t pid = split();
    if (pid == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        for_ever();
    }
    (void)waitpid(pid, NULL, 0);
    (void)ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)PTRACE_O_TRACEFORK);
    ready();
    for (;;) { /* swallows every signal that the child is sent */
        int status;
        (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            for_ever();
    }
}

static void stopped(void)
{
    for (int i = 0; i < 5; i++) {
        if (split() == 0) {
            (void)raise(SIGSTOP);
            for_ever();
        }
    }
    ready();
    (void)raise(SIGSTOP);
    for_ever();
}

/* The parent cannot be interrupted until the child execs or ends. */
static void vforked(void)
{
    ready();
    pid_t pid = vfork();
    if (pid == 0) {
        for (;;)
            (void)syscall(SYS_pause);
    }
    for_ever();
}

static void *forking_thread(void *arg)
{
    (void)arg;
    children(3);
    for_ever();
    return NULL;
}

static void threads(void)
{
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        (void)pthread_create(&thread, NULL, forking_thread, NULL);
    }
    after(100);
    stand();
}

/* The process goes on without its first thread, which is all that most of /proc shows. */
static void leaderless(void)
{
    pthread_t thread;
    (void)pthread_create(&thread, NULL, forking_thread, NULL);
    after(50);
    ready();
    pthread_exit(NULL);
}

static void siblings(void)
{
    for (int i = 0; i < 10; i++) {
        if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0)
            for_ever();
    }
    stand();
}

/* Orphans below it are its own. */
static void reaper(void)
{
    if (split() != 0)
        for_ever();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 3; i++) {
        if (daemonise() == 0)
            for_ever();
    }
    stand();
}

static void namespaced(void)
{
    if (unshare(CLONE_NEWPID) < 0)
        (void)unshare(CLONE_NEWUSER | CLONE_NEWPID);
    if (split() != 0)
        for_ever();
    children(5);
    if (daemonise() == 0)
        for_ever();
    stand();
}

static void another_user(void)
{
    if (split() == 0) {
        (void)setsid();
        (void)setgroups(0, NULL);
        (void)setresuid(OTHER_UID, OTHER_UID, OTHER_UID);
        children(3);
        for_ever();
    }
    stand();
}

static void zombies(void)
{
    for (int i = 0; i < 200; i++) {
        if (split() == 0)
            _exit(0);
    }
    children(3);
    stand();
}

/* Another session and another name all the time. */
static void chameleon(void)
{
    for (int i = 0; i < 5; i++) {
        if (split() == 0) {
            for (int n = 0;; n++) {
                char name[16];
                (void)snprintf(name, sizeof(name), "(%d) x ", n);
                (void)prctl(PR_SET_NAME, name);
                if (split() != 0)
                    _exit(0);
                (void)setsid();
                after(1);
            }
        }
    }
    stand();
}

/* Ends well by itself and leaves something. */
static void leaver(void)
{
    for (int i = 0; i < 3; i++) {
        if (daemonise() == 0) {
            children(3);
            for_ever();
        }
    }
    ready();
    _exit(0);
}

static void note_pid(void)
{
    char line[32];
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int bytes = snprintf(line, sizeof(line), "%d\n", getpid());
    ssize_t ignored = write(fd, line, (size_t)bytes);
    (void)ignored;
    (void)close(fd);
}

static void note_term(int number)
{
    (void)number;
    note_pid();
}

/* The last of a long chain, which is found last, notes that the first has died; who is halted
 * cannot. */
static void mourner(void)
{
    int ends[2];
    char byte;
    if (pipe(ends) < 0)
        abort();
    if (split() != 0) {
        (void)close(ends[0]);
        for_ever();
    }
    (void)close(ends[1]);
    for (int i = 0; i < 100; i++) {
        if (split() != 0)
            for_ever();
    }
    ready();
    while (read(ends[0], &byte, 1) < 0)
        grow_old();
    note_pid();
    for_ever();
}

/* Everybody notes each TERM; READY lists who there is. */
static void polite(void)
{
    const struct sigaction action = {.sa_handler = note_term};
    (void)sigaction(SIGTERM, &action, NULL);
    FILE *list = fopen(ready_path, "w");
    (void)fprintf(list, "%d\n", getpid());
    (void)fflush(list);
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0 ? daemonise() == 0 : split() == 0) {
            (void)setsid();
            (void)fprintf(list, "%d\n", getpid());
            (void)fflush(list);
            if (i == 0 && split() == 0) {
                (void)fprintf(list, "%d\n", getpid());
                (void)fflush(list);
            }
            for_ever();
        }
    }
    for_ever();
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"plain", plain},
    {"wide", wide},
    {"deep", deep},
    {"orphan", orphan},
    {"sessions", sessions},
    {"bomb", bomb},
    {"comet", comet},
    {"comets", comets},
    {"respawner", respawner},
    {"twins", twins},
    {"traced", traced},
    {"stopped", stopped},
    {"vforked", vforked},
    {"threads", threads},
    {"leaderless", leaderless},
    {"siblings", siblings},
    {"reaper", reaper},
    {"namespaced", namespaced},
    {"another_user", another_user},
    {"zombies", zombies},
    {"chameleon", chameleon},
    {"leaver", leaver},
    {"polite", polite},
    {"mourner", mourner},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--modes") == 0) {
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
            (void)puts(modes[i].name);
        return 0;
    }
    if (argc != 4)
        return 64;
    int lock = open(argv[2], O_RDWR | O_CREAT, 0666);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return 74;
    dies_at = time(NULL) + LIFE_SECONDS;
    log_path = argv[2];
    ready_path = argv[3];
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGCHLD)
            (void)signal(number, SIG_IGN);
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, argv[1]) == 0)
            modes[i].run();
    }
    return 64;
}
