#include "worker/server.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/job_usage.h"
#include "common/log.h"
#include "common/process_stat.h"
#include "worker/cgroup.h"
#include "worker/job_end.h"
#include "worker/job_group.h"
#include "worker/step.h"
#include "worker/tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* To start a processor of many libraries takes some 60 ms, of a script 20: behind a job of more
 * than this nobody would notice. */
#define SHORT_JOB_US (2 * US_PER_SECOND)
/* It ends by itself after 1,000 (processors/lib/serve.c); ended before that it has no job then. */
#define JOBS_MAX 900U
/* What it holds is for others when no job came for this long. */
#define IDLE_US (5 * US_PER_SECOND)
/* It closed its files, and was asked for nothing: it has this long for its end. */
#define ENDING_US (2 * US_PER_SECOND)
/* One that was killed is gone within a few ms, unless the kernel holds it: then it is looked at
 * this often. */
#define END_TRIES 50U
#define DYING_US (500 * US_PER_MS)
/* Of its exit codes: it began nothing that it did not answer (processors/README.md). */
#define EXIT_RECYCLE 80
/* Above what place_descriptors (child.c) writes to. */
#define FD_MIN 10

/* What jobs of one server have in common. */
struct key {
    char *bytes; /* owned; NULL: none */
    size_t count;
};

struct server {
    const struct job_options *options;
    struct child_starter *starter;
    struct job_group *group;
    struct key last;  /* of the job before; it ran so long: */
    uint64_t last_us; /* running time */
    bool refused;     /* such jobs are their own processes: no server of theirs lives */
    /* Of the server: argv and env are owned, the texts of env borrowed at its start. */
    struct job_run run;
    pid_t pid;        /* 0: there is none */
    struct talk talk; /* ours; -1 */
    unsigned jobs;    /* that it had */
    int status;       /* of wait4, when `ended`, as the next */
    struct rusage used;
    bool ended;
    bool dying;                  /* killed, and not dead yet */
    uint64_t user_us, system_us; /* what the jobs before used in it */
    int64_t idle_since;          /* on clock_running_us */
    int64_t kill_at;             /* it was told to end; 0: it was not */
};

/* ---- which jobs ---- */

/* Its name: what of the environment is of one attempt stands in the job's line instead. */
static bool is_of_attempt(const char *variable)
{
    static const char *const common[] = {"BATCHD_CPUS=", "BATCHD_MEMORY_BYTES=", "BATCHD_SOCKET="};
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (strncmp(variable, common[i], strlen(common[i])) == 0)
            return false;
    }
    return strncmp(variable, "BATCHD_", 7) == 0;
}

static void key_done(struct key *key)
{
    free(key->bytes);
    *key = (struct key){.bytes = NULL};
}

/* A server has those of all its jobs. */
static void add_limits(FILE *out, const struct job_limits *limits)
{
    struct record_writer writer = {0};
    job_limits_put(&writer, limits);
    (void)fwrite(writer.data, 1, writer.used, out);
    record_writer_done(&writer);
}

/* After an upgrade the program is another, and whoever was taken out of a group is not in it. */
static void add_origin(FILE *out, const struct job_run *run, const struct user *user)
{
    struct stat info = {.st_ino = 0};
    (void)stat(run->program, &info);
    (void)fprintf(out, "%llu %llu %lld.%09ld", (unsigned long long)info.st_dev,
                  (unsigned long long)info.st_ino, (long long)info.st_mtim.tv_sec,
                  info.st_mtim.tv_nsec);
    for (int i = 0; i < user->group_count; i++)
        (void)fprintf(out, " %u", user->groups[i]);
}

static struct key key_of(const struct job_run *run, const struct user *user)
{
    char *const *env = user->env != NULL ? user->env : run->env;
    struct key key = {.bytes = NULL};
    FILE *out = open_memstream(&key.bytes, &key.count);
    if (out == NULL)
        out_of_memory();
    (void)fprintf(out, "%u %u %o %llu %s", run->uid, run->gid, run->umask,
                  (unsigned long long)run->memory_bytes, run->program);
    add_origin(out, run, user);
    add_limits(out, &run->limits);
    for (uint32_t i = 0; i < run->argc; i++)
        (void)fprintf(out, "%c%s", '\0', run->argv[i]);
    for (size_t i = 0; env[i] != NULL; i++) {
        if (!is_of_attempt(env[i]))
            (void)fprintf(out, "%c%s", '\0', env[i]);
    }
    if (fclose(out) != 0) /* the buffer is not to move any more */
        out_of_memory();
    return key;
}

static bool key_equal(const struct key *a, const struct key *b)
{
    return a->bytes != NULL && b->bytes != NULL && a->count == b->count &&
           memcmp(a->bytes, b->bytes, a->count) == 0;
}

/* What is a line of at most 1 MiB (processors/README.md) with all that batchd-job adds. */
#define INPUT_MAX ((size_t)512 << 10)

/* Between two jobs what a server holds is nobody's: on a GPU it would be in the way of the next. */
static bool has_gpus(const struct job_run *run)
{
    for (uint32_t i = 0; i < run->envc; i++) {
        if (strncmp(run->env[i], "BATCHD_GPUS=", 12) == 0)
            return true;
    }
    return false;
}

/* A server is on whatever processors, and a job's own are its own. */
static bool is_bound(const struct job_run *run)
{
    return !cpu_list_is_empty(&run->bound);
}

/* What a server cannot do: what comes before and with the processor, and signals of its own. */
static bool may_serve(const struct job_run *run)
{
    return (run->flags & RUN_SERVES) != 0 && !has_gpus(run) && !is_bound(run) &&
           run->is_processor && !step_begins(run) && run->argc == 1 &&
           strlen(run->input) <= INPUT_MAX && run->stdin_path[0] == '\0' && run->warn_signal == 0 &&
           run->checkpoint_signal == 0;
}

/* ---- its life ---- */

struct server *server_new(const struct job_options *options)
{
    struct server *server = xcalloc(1, sizeof(*server));
    *server = (struct server){.options = options, .talk = TALK_NONE};
    server->group = job_group_new(options->worker_group, CGROUP_SERVER_NAME);
    return server;
}

static void forget(struct server *server)
{
    talk_close(&server->talk);
    job_group_end(server->group);
    free(server->run.argv);
    free(server->run.env);
    server->run = (struct job_run){.argv = NULL};
    server->pid = 0;
    server->jobs = 0;
    server->kill_at = 0;
    server->dying = false;
    server->user_us = server->system_us = 0;
}

/* Whether it still is as it was: it may have died behind its last answer, and been reaped with what
 * was left of the job. */
static bool lives(struct server *server)
{
    siginfo_t info = {.si_pid = 0};
    if (server->pid == 0 || server->ended)
        return false;
    server->ended = waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
    return !server->ended && info.si_pid == 0;
}

static void ignore(void *arg, pid_t pid, const struct rusage *usage)
{
    (void)arg;
    (void)pid;
    (void)usage;
}

/* False: it is not gone yet. What hangs in the kernel must not keep us, who have a daemon to serve.
 * With it goes what it made, which would stand in the tree of the next job. */
static bool end_now(struct server *server)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned i = 0; i < END_TRIES && lives(server); i++) {
        server->dying = true;
        (void)job_group_kill(server->group);
        (void)kill(server->pid, SIGKILL); /* ours and unreaped, so it is nobody else */
        (void)nanosleep(&pause, NULL);
    }
    if (lives(server))
        return false;
    if (server->pid != 0)
        (void)tree_sweep(0, ignore, NULL);
    forget(server);
    return true;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    (void)end_now(server); /* else the spawner's */
    key_done(&server->last);
    job_group_free(server->group);
    child_starter_free(server->starter);
    free(server);
}

/* Ours in *ret, the server's in `theirs`, of which [0] is read and written. */
static int open_talk(const struct server *server, struct talk *ret, struct talk *theirs)
{
    const struct job_run *run = &server->run;
    const uid_t uid = server->options->system_mode ? run->uid : (uid_t)-1;
    for (int i = 0; i < TALK_MAX; i++) {
        int pair[2];
        if ((i == 0 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
                    : pipes_make(uid, run->gid, pair)) < 0)
            return -1;
        theirs->fds[i] = pair[1];
        ret->fds[i] = fcntl(pair[0], F_DUPFD_CLOEXEC, FD_MIN);
        (void)close(pair[0]);
        if (ret->fds[i] < 0)
            return -1;
    }
    return 0;
}

static int start_process(struct server *server, const struct user *user, struct error *err)
{
    CLEANUP(talk_close) struct talk theirs = TALK_NONE;
    if (open_talk(server, &server->talk, &theirs) < 0)
        return error_set_errno(err, "cannot make its pipes");
    struct user whose = *user;
    whose.env = NULL; /* run.env has what of it is not of one attempt */
    const struct start start = {.user = &whose,
                                .no_new_privs = user->change && !server->options->allow_setuid,
                                .input = theirs.fds[0],
                                .talk = TALK_NONE,
                                .group_fd = job_group_fd(server->group),
                                .writers = {[PIPE_STDOUT] = theirs.fds[1],
                                            [PIPE_STDERR] = theirs.fds[2],
                                            [PIPE_LINES] = theirs.fds[0],
                                            [PIPE_NOTES] = -1}};
    return start_child(&start, server->starter, &server->run, &server->pid, err);
}

static char **env_of(char *const *env, uint32_t *ret_count)
{
    size_t count = 0;
    uint32_t kept = 0;
    while (env[count] != NULL)
        count++;
    char **ret = xcalloc(count + 1, sizeof(*ret));
    for (size_t i = 0; i < count; i++) {
        if (!is_of_attempt(env[i]))
            ret[kept++] = env[i];
    }
    *ret_count = kept;
    return ret;
}

/* It has executed, or failed to, when the job has a process: till then what `run` holds stays. */
static bool start(struct server *server, const struct job_run *run, const struct user *user)
{
    static char serve[] = "--serve";
    struct error err;
    server->run = *run;
    server->run.argv = xcalloc(3, sizeof(char *));
    server->run.argv[0] = run->argv[0];
    server->run.argv[1] = serve;
    server->run.argc = 2;
    server->run.env = env_of(user->env != NULL ? user->env : run->env, &server->run.envc);
    server->ended = false;
    job_group_begin(server->group, run->memory_bytes, &run->limits);
    if (server->starter == NULL) /* most workers never have a server */
        server->starter = child_starter_new(!server->options->system_mode);
    if (server->starter == NULL)
        (void)error_set_errno(&err, "%s", "cannot make a thread");
    else if (start_process(server, user, &err) == 0) {
        child_go_on(server->starter);
        return true;
    }
    log_warning("a processor is not started with --serve: %s", err.text);
    server->pid = 0;
    forget(server);
    return false;
}

int server_takes(struct server *server, const struct job_run *run, const struct user *user,
                 struct talk *ret_talk, struct error *err)
{
    struct key key = {.bytes = NULL};
    if (may_serve(run))
        key = key_of(run, user);
    const bool same = key_equal(&key, &server->last) && server->last_us < SHORT_JOB_US;
    key_done(&server->last);
    server->last = key;
    server->refused = server->refused && same;
    const bool worn = server->jobs >= JOBS_MAX || server->kill_at != 0 || server->dying;
    if ((!same || worn || !lives(server)) && !end_now(server))
        return error_set(err, ERROR_BUSY, "%s", "a processor that was killed does not end");
    if (!same || server->refused)
        return 0;
    if (server->pid == 0 && !start(server, run, user)) {
        server->refused = true;
        return 0;
    }
    server->jobs++;
    *ret_talk = server->talk;
    return 1;
}

void server_release(struct server *server, bool kept, uint64_t run_us)
{
    server->last_us = run_us;
    server->idle_since = clock_running_us();
    if (server->jobs <= 1 && server_declined(server))
        server->refused = true; /* it never did any */
    if (!kept || !lives(server))
        (void)end_now(server);
}

pid_t server_pid(const struct server *server)
{
    return server->ended ? 0 : server->pid;
}

void server_ended(struct server *server, int status, const struct rusage *usage)
{
    server->ended = true;
    server->status = status;
    server->used = *usage;
}

static bool exited_with(const struct server *server, int code)
{
    return WIFEXITED(server->status) && WEXITSTATUS(server->status) == code;
}

bool server_declined(const struct server *server)
{
    struct error ignored;
    if (!server->ended || server->pid == 0)
        return false;
    return child_failed(server->starter, &server->run, &ignored) < 0 || exited_with(server, 0) ||
           exited_with(server, EXIT_RECYCLE);
}

int server_status(const struct server *server)
{
    return server->pid != 0 && server->ended && !exited_with(server, 0) ? server->status : -1;
}

/* ---- what it used ---- */

void server_note_usage(struct server *server, uint64_t user_us, uint64_t system_us)
{
    server->user_us += user_us;
    server->system_us += system_us;
}

void server_usage(const struct server *server, struct job_exit *end)
{
    struct job_exit all = {.id = end->id};
    if (server->pid == 0)
        return;
    if (server->ended)
        job_end_status(&all, server->status, &server->used);
    (void)job_group_usage(server->group, &all);
    end->user_us += usage_without(all.user_us, server->user_us);
    end->system_us += usage_without(all.system_us, server->system_us);
    if (all.max_rss_bytes > end->max_rss_bytes) {
        end->max_rss_bytes = all.max_rss_bytes;
        end->memory_source = all.memory_source;
    }
}

uint64_t server_cpu_us(const struct server *server)
{
    struct job_usage usage;
    struct process_stat stat;
    if (job_group_sample(server->group, &usage)) /* else its processes are looked at, too */
        return usage.cpu_us;
    return server_pid(server) != 0 && process_stat_read(server->pid, &stat) == 0
               ? stat.user_us + stat.system_us
               : 0;
}

const struct job_group *server_group(const struct server *server)
{
    return server->group;
}

/* ---- between jobs ---- */

/* At the end of its input it ends by itself. */
static void ask_to_end(struct server *server, int64_t now)
{
    talk_close(&server->talk);
    server->kill_at = now + ENDING_US;
}

void server_rest(struct server *server, int *ret_wait_ms)
{
    const int64_t now = clock_running_us();
    if (server->pid == 0)
        return;
    if ((!lives(server) || server->dying || (server->kill_at != 0 && now >= server->kill_at)) &&
        end_now(server))
        return;
    if (server->kill_at == 0 && now >= server->idle_since + IDLE_US)
        ask_to_end(server, now);
    int64_t until = server->dying          ? now + DYING_US
                    : server->kill_at != 0 ? server->kill_at
                                           : server->idle_since + IDLE_US;
    int ms = (int)((until - now) / US_PER_MS) + 1;
    if (*ret_wait_ms < 0 || ms < *ret_wait_ms)
        *ret_wait_ms = ms;
}

/* ---- its group ---- */

bool server_freeze(const struct server *server, bool frozen)
{
    return server_pid(server) == 0 || job_group_freeze(server->group, frozen);
}

bool server_kill(const struct server *server)
{
    return server_pid(server) == 0 || job_group_kill(server->group);
}

bool server_out_of_memory(const struct server *server)
{
    struct job_exit ignored;
    return server->pid != 0 && job_group_usage(server->group, &ignored);
}
