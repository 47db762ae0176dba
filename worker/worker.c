#include "worker/worker.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/worker_protocol.h"
#include "worker/cgroup.h"
#include "worker/job.h"
#include "worker/journal.h"
#include "worker/link.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>

/* While batchd does not read, progress is dropped: only the newest matters. */
#define PROGRESS_UNSENT_MAX (256U << 10)
#define SHUTDOWN_GRACE_MS 5000
/* After a job could not be begun for want of disk or descriptors. */
#define REST_MS 1000
/* The job's pipes, the signals, and batchd or the listening socket. */
#define POLL_FDS (JOB_POLL_FDS + 2)

/* A result or a drop that batchd has not acknowledged. */
struct owed {
    struct owed *next;
    bool is_exit;
    union {
        struct job_exit end;
        struct job_dropped dropped;
    } news;
};

struct worker {
    struct worker_options options;
    struct link front;
    struct job *job;
    struct journal *journal;
    struct job_run queue[WORKER_QUEUE_MAX];
    unsigned queued;
    struct attempt_id limited; /* whose limits came, ahead of its RUN */
    struct job_limits limits;
    struct attempt_id bound; /* the same of its processors */
    struct cpu_list cpus;
    bool binds;                /* what runs, or ran last, is bound */
    struct cpu_list told_cpus; /* that jobs can be bound to */
    struct owed *owed, **owed_end;
    uint64_t ended, failed; /* of the jobs whose end was acknowledged (struct worker_hello) */
    int signal_fd;
    int64_t tell_started_mono; /* when STARTED is due; 0: told, or nothing runs */
    bool quitting;             /* leave when idle and nothing is owed */
    bool terminating;          /* SIGTERM: leave as soon as the job is stopped */
};

/* ---- what is owed ---- */

static void send_owed(struct worker *worker, const struct owed *owed)
{
    if (worker->front.fd < 0)
        return;
    if (owed->is_exit)
        put_exit(&worker->front.out, MESSAGE_EXITED, &owed->news.end);
    else
        put_dropped(&worker->front.out, &owed->news.dropped);
}

static struct owed *owe(struct worker *worker, bool is_exit)
{
    struct owed *owed = xcalloc(1, sizeof(*owed));
    owed->is_exit = is_exit;
    *worker->owed_end = owed;
    worker->owed_end = &owed->next;
    return owed;
}

static void owe_exit(struct worker *worker, const struct job_exit *end)
{
    struct owed *owed = owe(worker, true);
    owed->news.end = *end;
    send_owed(worker, owed);
}

static void drop(struct worker *worker, const struct attempt_id *id, uint32_t rest_ms,
                 const char *text)
{
    struct owed *owed = owe(worker, false);
    owed->news.dropped = (struct job_dropped){.id = *id, .rest_ms = rest_ms};
    (void)snprintf(owed->news.dropped.text, sizeof(owed->news.dropped.text), "%.199s", text);
    send_owed(worker, owed);
}

static const struct attempt_id *owed_id(const struct owed *owed)
{
    return owed->is_exit ? &owed->news.end.id : &owed->news.dropped.id;
}

static void acknowledge(struct worker *worker, const struct attempt_id *id)
{
    struct owed **link = &worker->owed;
    while (*link != NULL && !attempt_equal(owed_id(*link), id))
        link = &(*link)->next;
    struct owed *owed = *link;
    if (owed == NULL)
        return;
    *link = owed->next;
    if (worker->owed_end == &owed->next)
        worker->owed_end = link;
    worker->ended += owed->is_exit;
    worker->failed += owed->is_exit && job_exit_failed(&owed->news.end);
    free(owed);
}

/* ---- processors ---- */

/* The processors that a job can be bound to: of those of our group that we are kept to ourselves,
 * which may be less where no group is made for us. Empty: any. */
static void find_bindable(struct cpu_list *ret)
{
    struct cpu_list own;
    cgroup_cpus(ret);
    cgroup_own_cpus(NULL, &own);
    if (cpu_list_is_empty(ret))
        *ret = own;
    else if (!cpu_list_is_empty(&own))
        cpu_list_keep(ret, &own);
}

/* What our group has of them can change (AllowedCPUs= of systemd.resource-control(5)), and nobody
 * says so: it is looked at for each batchd, behind what was bound, since that may have been refused
 * for it, and when batchd has too few. */
static void tell_cpus(struct worker *worker, bool anew)
{
    struct cpu_list cpus;
    find_bindable(&cpus);
    if (worker->front.fd < 0 || (!anew && cpu_list_equal(&cpus, &worker->told_cpus)))
        return;
    worker->told_cpus = cpus;
    put_binds(&worker->front.out, &cpus);
}

/* ---- jobs ---- */

static struct job_run take_queued(struct worker *worker, unsigned at)
{
    struct job_run run = worker->queue[at];
    worker->queued--;
    memmove(&worker->queue[at], &worker->queue[at + 1],
            (worker->queued - at) * sizeof(worker->queue[0]));
    return run;
}

/* Between two jobs a long log is cut. While batchd is there to acknowledge, the next job waits the
 * moment that this takes, once in some three thousand jobs; without it the log grows. */
static bool log_ready(struct worker *worker)
{
    if (!journal_long(worker->journal))
        return true;
    if (worker->owed == NULL)
        journal_trim(worker->journal);
    return worker->owed == NULL || worker->front.fd < 0;
}

static void start_next(struct worker *worker)
{
    while (!job_running(worker->job) && worker->queued > 0 && !worker->terminating &&
           log_ready(worker)) {
        struct job_run run = take_queued(worker, 0);
        struct job_exit end;
        struct error err;
        worker->binds = !cpu_list_is_empty(&run.bound);
        int started = job_start(worker->job, &run, worker->journal, &end, &err);
        if (started > 0)
            worker->tell_started_mono = clock_monotonic_us() + STARTED_DELAY_MS * US_PER_MS;
        else if (started == 0)
            owe_exit(worker, &end);
        else
            drop(worker, &run.id, REST_MS, err.text);
        job_run_done(&run);
    }
}

static void on_lines(void *arg, const struct attempt_id *id, const void *data, size_t bytes)
{
    struct worker *worker = arg;
    if (worker->front.fd >= 0 && link_unsent(&worker->front) < PROGRESS_UNSENT_MAX)
        put_progress(&worker->front.out, id, data, bytes);
}

static void on_notes(void *arg, const struct attempt_id *id, const struct job_notes *notes)
{
    struct worker *worker = arg;
    if (worker->front.fd >= 0)
        put_notes(&worker->front.out, id, notes);
}

static void on_usage(void *arg, const struct attempt_id *id, const struct job_usage *usage)
{
    struct worker *worker = arg;
    if (worker->front.fd >= 0 && link_unsent(&worker->front) < PROGRESS_UNSENT_MAX)
        put_usage(&worker->front.out, id, usage);
}

static const struct job_events job_calls = {
    .lines = on_lines, .notes = on_notes, .usage = on_usage};

static void tell_started(struct worker *worker, int *wait_ms)
{
    if (worker->tell_started_mono == 0 || !job_running(worker->job))
        return;
    int64_t left = worker->tell_started_mono - clock_monotonic_us();
    if (left > 0) {
        int ms = (int)(left / US_PER_MS) + 1;
        *wait_ms = *wait_ms < 0 || ms < *wait_ms ? ms : *wait_ms;
        return;
    }
    const struct job_started started = job_started_record(worker->job);
    worker->tell_started_mono = 0;
    if (worker->front.fd >= 0)
        put_started(&worker->front.out, MESSAGE_STARTED, &started);
}

static void finish_job(struct worker *worker, const struct job_exit *end)
{
    struct error err;
    worker->tell_started_mono = 0;
    /* Room was made before the GO. Should it fail all the same, the result is still told and kept
     * in memory until it is acknowledged. */
    if (journal_exit(worker->journal, end, &err) < 0)
        log_error("the end of job %llu is not in the log: %s", (unsigned long long)end->id.job,
                  err.text);
    if (worker->binds)
        tell_cpus(worker, false);
    owe_exit(worker, end);
}

static void terminate(struct worker *worker)
{
    if (worker->terminating)
        return;
    worker->terminating = true;
    while (worker->queued > 0) {
        struct job_run run = take_queued(worker, 0);
        drop(worker, &run.id, 0, "the worker was told to end");
        job_run_done(&run);
    }
    job_stop(worker->job, EXIT_CAUSE_SHUTDOWN, SHUTDOWN_GRACE_MS);
}

/* There are two: SIGCHLD, which only wakes us, and SIGTERM. One read takes both. */
static void take_signals(struct worker *worker)
{
    struct signalfd_siginfo infos[2];
    ssize_t bytes = read(worker->signal_fd, infos, sizeof(infos));
    for (size_t i = 0; bytes > 0 && i < (size_t)bytes / sizeof(infos[0]); i++) {
        if (infos[i].ssi_signo == SIGTERM)
            terminate(worker);
    }
}

/* Looks after the running job, then starts what waits. Returns how long poll may wait, -1 for ever.
 */
static int tend(struct worker *worker)
{
    int wait_ms = -1;
    struct job_exit end;
    if (job_running(worker->job) && job_check(worker->job, &wait_ms, &end) > 0) {
        finish_job(worker, &end);
        take_signals(worker); /* the SIGCHLD of this end, which would only wake us once more */
    }
    start_next(worker);
    if (!job_running(worker->job))
        job_rest(worker->job, &wait_ms);
    tell_started(worker, &wait_ms);
    return wait_ms;
}

/* ---- batchd's requests ---- */

static void on_run(struct worker *worker, struct record *record)
{
    struct job_run run;
    if (get_run(record, &run) < 0) {
        log_error("a request to run a job cannot be read");
    } else if (worker->queued == WORKER_QUEUE_MAX || worker->quitting || worker->terminating) {
        drop(worker, &run.id, worker->queued == WORKER_QUEUE_MAX ? 0 : REST_MS,
             "the worker takes no more");
        job_run_done(&run);
    } else {
        if (attempt_equal(&run.id, &worker->limited))
            run.limits = worker->limits;
        if (attempt_equal(&run.id, &worker->bound))
            run.bound = worker->cpus;
        worker->limited = worker->bound =
            (struct attempt_id){.job = 0}; /* it may come again, and without any */
        worker->queue[worker->queued++] = run;
    }
}

static bool runs(const struct worker *worker, const struct attempt_id *id)
{
    return job_running(worker->job) && attempt_equal(job_id(worker->job), id);
}

static void on_stop(struct worker *worker, const struct job_stop *stop)
{
    for (unsigned i = 0; i < worker->queued; i++) {
        if (attempt_equal(&worker->queue[i].id, &stop->id)) {
            struct job_run run = take_queued(worker, i);
            drop(worker, &run.id, 0, "stopped before it started");
            job_run_done(&run);
            return;
        }
    }
    if (!stop->only_queued && runs(worker, &stop->id))
        job_stop(worker->job, EXIT_CAUSE_STOPPED, stop->grace_ms);
}

/* SUSPEND, RESUME, ACK. */
static void on_attempt(struct worker *worker, enum worker_message type, const struct attempt_id *id)
{
    if (type == MESSAGE_ACK)
        acknowledge(worker, id);
    else if (runs(worker, id) && type == MESSAGE_SUSPEND)
        job_suspend(worker->job);
    else if (runs(worker, id))
        job_resume(worker->job);
}

static void on_watch(struct worker *worker, uint32_t interval_ms)
{
    job_watch(worker->job, interval_ms * US_PER_MS);
    tell_cpus(worker, false);
}

static void handle(struct worker *worker, struct record *record)
{
    struct job_stop stop;
    struct job_signal signal;
    struct attempt_id id;
    uint32_t interval_ms;
    if (record->type == MESSAGE_RUN)
        on_run(worker, record);
    else if ((record->type == MESSAGE_LIMITS &&
              get_limits(record, &worker->limited, &worker->limits) == 0) ||
             (record->type == MESSAGE_BIND && get_bind(record, &worker->bound, &worker->cpus) == 0))
        return;
    else if (record->type == MESSAGE_WATCH && get_watch(record, &interval_ms) == 0)
        on_watch(worker, interval_ms);
    else if (record->type == MESSAGE_STOP && get_stop(record, &stop) == 0)
        on_stop(worker, &stop);
    else if ((record->type == MESSAGE_ACK || record->type == MESSAGE_SUSPEND ||
              record->type == MESSAGE_RESUME) &&
             get_attempt(record, &id) == 0)
        on_attempt(worker, (enum worker_message)record->type, &id);
    else if (record->type == MESSAGE_SIGNAL && get_signal(record, &signal) == 0) {
        if (runs(worker, &signal.id))
            job_signal(worker->job, (int)signal.number, (enum signal_whom)signal.whom);
    } else if (record->type == MESSAGE_QUIT)
        worker->quitting = true;
    else
        log_error("an unknown request of type %u", record->type);
}

/* A batchd that is gone was read to its end first: what it had sent counts. */
static void serve_front(struct worker *worker)
{
    struct record record;
    enum record_status status;
    link_read(&worker->front);
    while ((status = link_next(&worker->front, &record)) == RECORD_OK)
        handle(worker, &record);
    if (status == RECORD_BAD)
        log_error("batchd sent a damaged record; its connection is closed");
    if (status == RECORD_BAD || worker->front.ended)
        link_close(&worker->front);
}

/* ---- connections ---- */

static void say_hello(struct worker *worker)
{
    struct worker_hello hello = {.worker = worker->options.id,
                                 .pid = (uint32_t)getpid(),
                                 .ended = worker->ended,
                                 .failed = worker->failed};
    if (job_running(worker->job)) {
        const struct job_started started = job_started_record(worker->job);
        hello.jobs[hello.count].id = started.id;
        hello.jobs[hello.count].state =
            job_suspended(worker->job) ? HELLO_SUSPENDED : HELLO_RUNNING;
        hello.jobs[hello.count++].started_at = started.started_at;
        worker->tell_started_mono = 0;
    }
    for (unsigned i = 0; i < worker->queued && hello.count < WORKER_QUEUE_MAX; i++) {
        hello.jobs[hello.count].id = worker->queue[i].id;
        hello.jobs[hello.count++].state = HELLO_QUEUED;
    }
    tell_cpus(worker, true);
    put_hello(&worker->front.out, &hello);
    for (const struct owed *owed = worker->owed; owed != NULL; owed = owed->next)
        send_owed(worker, owed);
}

static void accept_front(struct worker *worker)
{
    const int fd = link_accept(WORKER_FD_LISTEN, worker->options.front_uid);
    if (fd < 0)
        return;
    link_open(&worker->front, fd);
    say_hello(worker);
}

/* ---- the loop ---- */

static bool leaving(const struct worker *worker)
{
    if (job_running(worker->job))
        return false;
    return worker->terminating || (worker->quitting && worker->queued == 0 && worker->owed == NULL);
}

static void turn(struct worker *worker, int wait_ms)
{
    struct pollfd fds[POLL_FDS];
    nfds_t job_fds = job_poll(worker->job, fds);
    nfds_t count = job_fds;
    fds[count++] = (struct pollfd){.fd = worker->signal_fd, .events = POLLIN};
    nfds_t socket_at = count;
    /* The next batchd waits until the one before was read to its end. */
    bool connected = worker->front.fd >= 0;
    fds[count++] =
        connected ? (struct pollfd){.fd = worker->front.fd, .events = link_events(&worker->front)}
                  : (struct pollfd){.fd = WORKER_FD_LISTEN, .events = POLLIN};
    if (poll(fds, count, wait_ms) <= 0)
        return;
    job_handle(worker->job, fds, job_fds);
    if (fds[job_fds].revents != 0)
        take_signals(worker);
    if (fds[socket_at].revents != 0 && connected)
        serve_front(worker);
    else if (fds[socket_at].revents != 0)
        accept_front(worker);
}

/* Whatever batchd was started with (a shell ignores SIGINT and SIGQUIT for what it puts into the
 * background), jobs get the defaults; the three ignored here are reset in the child (child.c). */
static void set_dispositions(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
}

static int prepare(struct worker *worker)
{
    sigset_t wanted;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_NAME, "batchd-worker");
    set_dispositions();
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigprocmask(SIG_SETMASK, &wanted, NULL);
    int last = worker->options.system_mode ? WORKER_FD_USERS : WORKER_FD_JOBS;
    for (int fd = WORKER_FD_LOCK; fd <= last; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return -1;
    }
    /* Everything opened later lies above what a child's dup2 writes to. */
    CLEANUP_CLOSE int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEANUP_CLOSE int low = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    worker->signal_fd = fcntl(low, F_DUPFD_CLOEXEC, 10);
    CLEANUP_FREE char *group = cgroup_of_worker(worker->options.id);
    const struct job_options options = {.jobs_fd = WORKER_FD_JOBS,
                                        .users_fd =
                                            worker->options.system_mode ? WORKER_FD_USERS : -1,
                                        .null_fd = fcntl(null_fd, F_DUPFD_CLOEXEC, 10),
                                        .group = worker->options.group,
                                        .system_mode = worker->options.system_mode,
                                        .allow_setuid = worker->options.allow_setuid,
                                        .step_program = worker->options.step_program,
                                        .worker_group = group};
    worker->job = job_new(&options, &job_calls, worker);
    worker->journal = journal_new(WORKER_FD_LOG);
    return worker->signal_fd < 0 || options.null_fd < 0 ? -1 : 0;
}

int worker_run(const struct worker_options *options)
{
    struct worker worker = {.options = *options, .front.fd = -1, .signal_fd = -1};
    worker.owed_end = &worker.owed;
    if (prepare(&worker) < 0) {
        log_error("worker %llu cannot begin: %s", (unsigned long long)options->id,
                  strerrordesc_np(errno));
        return EX_OSERR;
    }
    for (;;) {
        int wait_ms = tend(&worker);
        link_flush(&worker.front);
        if (leaving(&worker))
            break;
        turn(&worker, wait_ms);
    }
    link_close(&worker.front);
    while (worker.owed != NULL) /* it is in the log */
        acknowledge(&worker, owed_id(worker.owed));
    job_free(worker.job);
    journal_free(worker.journal);
    return EX_OK;
}
