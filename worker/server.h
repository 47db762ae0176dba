/* The server of a worker: a processor that was started with --serve (processors/README.md) and does
 * one job of the worker after another, so that what it is made of is loaded once. It is a child of
 * the worker, as the same user as the jobs that it does; each of those still has a process of its
 * own here, batchd-job (step/serve.c), which speaks with the server and ends as the job ends.
 *
 * It is begun for the second of two jobs that differ only in what they are to do, if the first was
 * short. It ends with a job that did not end by itself, before one that it cannot do, and when
 * there is nothing to do for a while. */
#ifndef BATCHD_WORKER_SERVER_H
#define BATCHD_WORKER_SERVER_H

#include "worker/start.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct server;

/* `options` is borrowed. */
struct server *server_new(const struct job_options *options);
/* Kills it, if it is there. */
void server_free(struct server *server);

/* Before each job. 1: there is a server, which does it; its ends for batchd-job are in *ret_talk.
 * 0: there is none any more, and the job is its own process. -1 with err: one that was killed does
 * not end (a file system or a driver holds it), so no job can begin here; it passes. */
int server_takes(struct server *server, const struct job_run *run, const struct user *user,
                 struct talk *ret_talk, struct error *err);
/* After each job. `kept`: it is as it was before, and nothing that the job made is left. Else it is
 * killed, if it is not dead yet. */
void server_release(struct server *server, bool kept, uint64_t run_us);

/* 0: it is not there. It is unreaped. */
pid_t server_pid(const struct server *server);
/* wait4 gave it. */
void server_ended(struct server *server, int status, const struct rusage *usage);
/* Of the job that it had and did not answer: it did not begin it. */
bool server_declined(const struct server *server);
/* How it ended while it had the job; -1: it did not end by itself, or as if all was well. */
int server_status(const struct server *server);
/* What a job used in it, as it told. */
void server_note_usage(struct server *server, uint64_t user_us, uint64_t system_us);
/* Adds what it used since then, of a job of which it told nothing, as far as that can be known. */
void server_usage(const struct server *server, struct job_exit *end);

/* What it used of processors so far, with the children that it waited for. A short look. */
uint64_t server_cpu_us(const struct server *server);
/* Its group, borrowed, and an empty one where it has none. */
const struct job_group *server_group(const struct server *server);

/* Between two jobs: ends it when it had nothing to do for long. *ret_wait_ms is lowered to when it
 * wants to be called again. */
void server_rest(struct server *server, int *ret_wait_ms);

/* Its control group: as job_group_freeze and job_group_kill, true where there is no server. */
bool server_freeze(const struct server *server, bool frozen);
bool server_kill(const struct server *server);
/* The kernel killed some of it for want of memory. */
bool server_out_of_memory(const struct server *server);

#endif
