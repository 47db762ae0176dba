/* The pipes that a job writes to, our ends: stdout, stderr, for processors the lines of descriptor
 * 3, and the notes of batchd-job (step/notes.h). What is read goes to the sink. */
#ifndef BATCHD_WORKER_PIPES_H
#define BATCHD_WORKER_PIPES_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum pipe_kind { PIPE_STDOUT, PIPE_STDERR, PIPE_LINES, PIPE_NOTES };
#define PIPES_MAX 4

struct pipes;

typedef void (*pipes_sink_fn)(void *arg, enum pipe_kind which, const char *data, size_t bytes);

struct pipes *pipes_new(pipes_sink_fn sink, void *arg);
void pipes_free(struct pipes *pipes);

/* A pipe whose writing end, ret[1], is that user's, so that it may open /dev/stderr once more; of
 * (uid_t)-1 it stays ours. 0, or -1 with errno. */
int pipes_make(uid_t uid, gid_t gid, int ret[2]);

/* Makes stdout, stderr and those of the others that are asked for; the job's ends go to `writers`,
 * the caller's to close, others are -1. They are the user's unless it is (uid_t)-1. 0, or -1 with
 * errno: whatever was made stays, for the caller to close. */
struct pipes_wanted {
    bool lines, notes;
    uid_t uid;
    gid_t gid;
};
int pipes_open(struct pipes *pipes, const struct pipes_wanted *wanted, int writers[PIPES_MAX]);
void pipes_close(struct pipes *pipes);
/* Reads what is still there when no writer is left, and closes them. */
void pipes_drain(struct pipes *pipes);

/* For poll: fills up to PIPES_MAX entries and returns how many; then the same entries back. */
nfds_t pipes_poll(const struct pipes *pipes, struct pollfd *fds);
void pipes_handle(struct pipes *pipes, const struct pollfd *fds, nfds_t count);

#endif
