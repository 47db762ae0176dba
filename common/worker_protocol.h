/* What batchd says to the spawner and to the workers, and what they answer; and what a worker's log
 * holds. Both sides of the socket and the reader of the log use these same structs and codecs.
 *
 *   STATE/workers/spawner.lock   flock held by the spawner for life
 *   STATE/workers/spawner.sock   SPAWN, REMOVE and SWEEP requests
 *   STATE/workers/N/lock         flock taken by the spawner before the fork; the open file
 *                                description is shared by spawner and worker, so the lock is free
 *                                only when the worker is dead AND the spawner has swept its tree
 *   STATE/workers/N/log          append-only records GO, EXIT, SWEPT
 *   STATE/workers/N/cgroup       the control group that holds it and its job, if it has one
 *   STATE/workers/N/sock         the worker listens; one batchd at a time is served, the next one
 *                                is accepted only after the one before was read to its end
 *
 * One job through a worker:
 *   batchd RUN -> worker queues it -> forks a child that waits -> writes GO to its log -> lets the
 *   child go on to its exec -> (STARTED if the job lasts longer than STARTED_DELAY_MS) -> the main
 *   process ends, the rest of its tree is killed, output is read to its end -> writes EXIT to its
 *   log -> EXITED -> batchd commits the result -> ACK -> the worker forgets it.
 * A job without GO was never started: DROPPED, or simply not listed in HELLO. */
#ifndef BATCHD_COMMON_WORKER_PROTOCOL_H
#define BATCHD_COMMON_WORKER_PROTOCOL_H

#include "common/cpu_list.h"
#include "common/job_limits.h"
#include "common/job_usage.h"
#include "common/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A job that ends sooner than this is reported by EXITED alone: one wake-up of batchd, not two. */
#define STARTED_DELAY_MS 20
/* Jobs a worker holds at a time: one running and those handed over ahead of time. */
#define WORKER_QUEUE_MAX 8
#define JOB_ARGS_MAX 65536U
/* Of a processor's line that asks for a checkpoint, its newline not counted; longer ones are told
 * to be so. */
#define CHECKPOINT_LINE_MAX 8192U
/* In system mode no job runs as a lower uid: those are system accounts (Debian policy 9.2.2). */
#define JOB_UID_MIN 1000U
/* Nor as nobody: what the kernel calls a uid that it cannot tell. */
#define JOB_UID_OVERFLOW 65534U

enum worker_message {
    /* batchd -> spawner */
    MESSAGE_SPAWN = 1, /* u64 worker id, u32 protocol version */
    /* spawner -> batchd */
    MESSAGE_SPAWNED,      /* u64 worker id */
    MESSAGE_SPAWN_FAILED, /* u64 worker id, string text */
    /* batchd -> worker */
    MESSAGE_RUN,    /* struct job_run */
    MESSAGE_STOP,   /* struct job_stop: TERM, grace, KILL; a queued job is dropped */
    MESSAGE_SIGNAL, /* struct job_signal */
    /* struct attempt_id: its processes are halted, and go on. What is so already stays so. */
    MESSAGE_SUSPEND,
    MESSAGE_RESUME,
    MESSAGE_ACK,  /* struct attempt_id: its result is on disk, forget it */
    MESSAGE_QUIT, /* no payload: take no more, leave when idle and all is acknowledged */
    /* worker -> batchd */
    MESSAGE_HELLO,    /* struct worker_hello, first on every connection */
    MESSAGE_STARTED,  /* struct job_started */
    MESSAGE_EXITED,   /* struct job_exit; sent again on every new connection until ACK */
    MESSAGE_DROPPED,  /* struct job_dropped: it never started; sent again until ACK */
    MESSAGE_PROGRESS, /* struct attempt_id, bytes: lines that a processor wrote on fd 3 */
    MESSAGE_NOTES,    /* struct attempt_id, struct job_notes: of one that runs; again with EXITED */
    /* batchd -> spawner, about a worker whose lock is free; any other is left alone */
    MESSAGE_REMOVE = 32, /* u64 worker id: remove its folder (system mode: it is the spawner's) */
    MESSAGE_SWEEP,       /* u64 worker id: an earlier spawner died before it could write SWEPT */
    /* spawner -> batchd */
    MESSAGE_SWEEP_DONE, /* u64 worker id: its log has SWEPT if its tree could be proved dead */
    /* batchd -> spawner and back (job_folders.h) */
    MESSAGE_REMOVE_JOBS = 48, /* struct job_folders: remove these */
    MESSAGE_JOBS_REMOVED,     /* struct job_folders: which of them are */
    /* batchd -> worker: of the RUN that follows; an older worker does without */
    MESSAGE_LIMITS = 56, /* struct attempt_id, struct job_limits */
    /* batchd -> worker, after HELLO; from then on the worker tells USAGE of what it runs */
    MESSAGE_WATCH, /* u32 interval in milliseconds; 0: no more. Told again: what does BINDS say? */
    MESSAGE_USAGE, /* struct attempt_id, struct job_usage */
    /* batchd -> worker: of the RUN that follows */
    MESSAGE_BIND, /* struct attempt_id, string: a list of processors (cpu_list.h) */
    /* worker -> batchd, ahead of HELLO: it heeds BIND, as those of before do not; string: the list
     * of processors that its control group has, "" or no payload: any. Again when that changes */
    MESSAGE_BINDS,
    /* log only */
    LOG_GO = 64, /* struct job_started (pid 0): written before exec */
    LOG_EXIT,    /* struct job_exit */
    LOG_SWEPT,   /* no payload; by the spawner: the worker is dead and so is its tree */
};

struct attempt_id {
    uint64_t job;
    uint64_t index;   /* array index, 0 for a plain job */
    uint32_t attempt; /* 1 for the first */
    uint8_t is_task;  /* 1 when index counts */
};

#define RUN_SERVES 1U /* its processor knows --serve */
#define RUN_FIRST 2U  /* to a worker: no attempt before this one began, so none left anything */

/* Everything a worker needs to run an attempt. Strings and arrays are owned (job_run_done).
 * argv, env and paths are bytes without NUL. */
struct job_run {
    struct attempt_id id;
    uint32_t uid, gid;    /* whom to run as; in user mode only the worker's own uid is taken */
    uint8_t is_processor; /* fd 3 is a pipe for JSON lines, stdin is `input` */
    uint32_t umask;       /* 0..0777 */
    uint64_t timeout_ms;  /* 0 = none; running time after which the job is stopped */
    uint64_t grace_ms;    /* between TERM and KILL */
    uint64_t output_max;  /* bytes kept of each stream; half head, half tail */
    char *program;        /* path to exec, or "" to search argv[0] in the env's PATH */
    char *cwd;
    char *stdin_path;   /* "" = /dev/null; opened with the user's rights */
    char *input;        /* is_processor: the text given on stdin */
    char **argv, **env; /* NULL-terminated; env as NAME=VALUE */
    uint32_t argc, envc;
    /* Not in records of before there were these: then 0. */
    uint32_t warn_signal; /* sent to the main process `warn_ms` before the timeout; 0: none */
    uint64_t warn_ms;
    char **outputs, **checks; /* NULL-terminated; paths from cwd, and what is to be true of them */
    uint32_t output_count, check_count;
    uint32_t checkpoint_signal; /* asks its main process for a checkpoint; 0: it knows none */
    uint64_t memory_bytes;      /* its limit, where memory can be limited; 0: none */
    uint8_t flags;              /* RUN_... */
    struct job_limits limits;   /* as stored: what its user asked for; to a worker: LIMITS */
    struct cpu_list bound;      /* to a worker: BIND; empty: it may run on any processor */
};

struct job_stop {
    struct attempt_id id;
    uint64_t grace_ms;
    uint8_t only_queued; /* 1: take it back if it has not begun, else leave it alone */
};

/* The first process of a job, or all of its tree. */
enum signal_whom { SIGNAL_TREE, SIGNAL_MAIN, SIGNAL_WHOM_COUNT };

struct job_signal {
    struct attempt_id id;
    uint32_t number;
    uint8_t whom; /* enum signal_whom */
};

struct job_started {
    struct attempt_id id;
    int64_t started_at; /* microseconds since the epoch */
    uint32_t pid;       /* for display only, never a decision */
};

enum exit_cause {
    EXIT_CAUSE_NORMAL,   /* it ended by itself: `status` is from waitid */
    EXIT_CAUSE_STOPPED,  /* it was stopped by MESSAGE_STOP; `status` is still what it did */
    EXIT_CAUSE_TIMEOUT,  /* it was stopped by its timeout */
    EXIT_CAUSE_SPAWN,    /* it never ran: `text` says why, `spawn_errno` is the cause */
    EXIT_CAUSE_SHUTDOWN, /* the worker was told to end (SIGTERM) and ended the job */
    EXIT_CAUSE_OUTPUT,   /* it ended well, and its outputs are not as declared: `text` says how */
    /* It failed, and that is known of it; `status` is what it did, `text` says it. */
    EXIT_CAUSE_OOM,       /* the kernel killed some of it for want of memory */
    EXIT_CAUSE_DISK_FULL, /* the disk was full and took not all of its output */
    EXIT_CAUSE_COUNT
};

/* What is known of an attempt beside how it ended. */
struct job_notes {
    uint64_t resumed_number;  /* the checkpoint that it went on from; 0: none */
    uint32_t resumed_attempt; /* and the attempt that made that */
    char text[200];           /* what show tells, else "" */
};

struct job_exit {
    struct attempt_id id;
    uint8_t cause;         /* enum exit_cause */
    uint8_t has_code;      /* exit_code counts */
    uint8_t has_signal;    /* signal counts; never both */
    uint8_t core;          /* it dumped core */
    uint8_t memory_source; /* enum memory_source of max_rss_bytes */
    uint32_t exit_code, signal, spawn_errno;
    int64_t started_at, ended_at; /* microseconds since the epoch */
    uint64_t run_us;              /* monotonic */
    uint64_t user_us, system_us, max_rss_bytes, read_blocks, write_blocks;
    uint64_t stdout_bytes, stderr_bytes; /* what the job wrote */
    uint64_t cut_bytes;                  /* of these, left out by the cap */
    uint64_t lost_bytes;                 /* of these, not written because the disk refused */
    char text[200];         /* why it could not start, or what is wrong with its outputs, else "" */
    struct job_notes notes; /* empty in records of before there were these */
};

struct job_dropped {
    struct attempt_id id;
    uint32_t rest_ms; /* the worker should be given nothing for this long; 0: it is well */
    char text[200];   /* "stopped before it started", or why it could not be begun */
};

#define HELLO_RUNNING 1
#define HELLO_QUEUED 2
#define HELLO_SUSPENDED 3

struct worker_hello {
    uint64_t worker;
    uint32_t pid;
    uint32_t count; /* jobs that have no result yet, at most WORKER_QUEUE_MAX */
    struct {
        struct attempt_id id;
        uint8_t state; /* HELLO_RUNNING, HELLO_QUEUED or HELLO_SUSPENDED */
        int64_t started_at;
    } jobs[WORKER_QUEUE_MAX];
    uint64_t ended, failed; /* of its jobs, those acknowledged; not in older records: then 0 */
};

/* Codecs. put_* append a whole record to `writer`. get_* read the payload of one whose type the
 * caller has looked at; 0, or -1 when it is not exactly that (nothing is left to free). */
void put_spawn(struct record_writer *writer, uint64_t worker);
int get_spawn(struct record *record, uint64_t *ret_worker);
/* SPAWNED, REMOVE, SWEEP, SWEEP_DONE: a worker id and nothing else. */
void put_worker_id(struct record_writer *writer, enum worker_message type, uint64_t worker);
int get_worker_id(struct record *record, uint64_t *ret_worker);
void put_spawn_failed(struct record_writer *writer, uint64_t worker, const char *text);
int get_spawn_failed(struct record *record, uint64_t *ret_worker, char text[200]);
void put_run(struct record_writer *writer, const struct job_run *run);
int get_run(struct record *record, struct job_run *ret);
void job_run_done(struct job_run *run);
void put_limits(struct record_writer *writer, const struct attempt_id *id,
                const struct job_limits *limits);
int get_limits(struct record *record, struct attempt_id *ret_id, struct job_limits *ret);
void put_bind(struct record_writer *writer, const struct attempt_id *id,
              const struct cpu_list *cpus);
int get_bind(struct record *record, struct attempt_id *ret_id, struct cpu_list *ret);
void put_binds(struct record_writer *writer, const struct cpu_list *cpus);
int get_binds(struct record *record, struct cpu_list *ret); /* empty: any */
void job_run_add_env(struct job_run *run, char *text);      /* takes NAME=VALUE */
void put_stop(struct record_writer *writer, const struct job_stop *stop);
int get_stop(struct record *record, struct job_stop *ret);
void put_signal(struct record_writer *writer, const struct job_signal *signal);
int get_signal(struct record *record, struct job_signal *ret);
/* SUSPEND, RESUME, ACK: an attempt and nothing else. */
void put_attempt(struct record_writer *writer, enum worker_message type,
                 const struct attempt_id *id);
int get_attempt(struct record *record, struct attempt_id *ret);
void put_empty(struct record_writer *writer, enum worker_message type); /* QUIT, SWEPT */
void put_hello(struct record_writer *writer, const struct worker_hello *hello);
int get_hello(struct record *record, struct worker_hello *ret);
/* `type` is MESSAGE_STARTED or LOG_GO. */
void put_started(struct record_writer *writer, enum worker_message type,
                 const struct job_started *started);
int get_started(struct record *record, struct job_started *ret);
/* `type` is MESSAGE_EXITED or LOG_EXIT. */
void put_exit(struct record_writer *writer, enum worker_message type, const struct job_exit *end);
int get_exit(struct record *record, struct job_exit *ret);
void put_dropped(struct record_writer *writer, const struct job_dropped *dropped);
int get_dropped(struct record *record, struct job_dropped *ret);
void put_notes(struct record_writer *writer, const struct attempt_id *id,
               const struct job_notes *notes);
int get_notes(struct record *record, struct attempt_id *ret_id, struct job_notes *ret);
void put_watch(struct record_writer *writer, uint32_t interval_ms);
int get_watch(struct record *record, uint32_t *ret_interval_ms);
void put_usage(struct record_writer *writer, const struct attempt_id *id,
               const struct job_usage *usage);
int get_usage(struct record *record, struct attempt_id *ret_id, struct job_usage *ret);
void put_progress(struct record_writer *writer, const struct attempt_id *id, const void *data,
                  size_t bytes);
int get_progress(struct record *record, struct attempt_id *ret_id, const void **ret_data,
                 size_t *ret_bytes);

bool job_exit_failed(const struct job_exit *end); /* also: its outputs are not as declared */
bool attempt_equal(const struct attempt_id *a, const struct attempt_id *b);

/* STATE/jobs/ID[/INDEX], where its attempts' files are (worker/output.h). The caller frees both. */
char *job_folder(const char *state_dir, const struct attempt_id *id);
/* There, ATTEMPT: its files without their suffix. */
char *attempt_path(const char *state_dir, const struct attempt_id *id);

#endif
