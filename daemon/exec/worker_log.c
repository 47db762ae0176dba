#include "daemon/exec/worker_log.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <stdlib.h>

/* A worker empties its log at 1 MiB, but only when all is acknowledged; after a long absence of
 * batchd there may be more. 1 GiB is some 5 million attempts. */
#define LOG_BYTES_MAX ((size_t)1 << 30)

struct worker_log {
    char *data;
    size_t bytes;
};

struct worker_log *worker_log_load(const char *state_dir, uint64_t worker, struct error *err)
{
    CLEANUP_FREE char *path =
        xasprintf("%s/workers/%llu/log", state_dir, (unsigned long long)worker);
    struct worker_log *log = xcalloc(1, sizeof(*log));
    log->data = fd_read_file(AT_FDCWD, path, LOG_BYTES_MAX, &log->bytes);
    if (log->data == NULL && errno != ENOENT) {
        free(log);
        (void)error_set_errno(err, "cannot read %s", path);
        return NULL;
    }
    return log;
}

void worker_log_free(struct worker_log *log)
{
    if (log == NULL)
        return;
    free(log->data);
    free(log);
}

/* The record at *at, moving *at behind it; false at the end or at the first damage. */
static bool next_record(const struct worker_log *log, size_t *at, struct record *ret)
{
    size_t used;
    if (log->data == NULL ||
        record_parse(log->data + *at, log->bytes - *at, ret, &used) != RECORD_OK)
        return false;
    *at += used;
    return true;
}

enum attempt_fact worker_log_attempt(const struct worker_log *log, const struct attempt_id *id,
                                     struct job_started *ret_started, struct job_exit *ret_exit)
{
    enum attempt_fact fact = ATTEMPT_NEVER_STARTED;
    struct record record;
    for (size_t at = 0; next_record(log, &at, &record);) {
        struct job_started started;
        struct job_exit end;
        if (record.type == LOG_GO && get_started(&record, &started) == 0 &&
            attempt_equal(&started.id, id)) {
            fact = ATTEMPT_STARTED;
            *ret_started = started;
        } else if (record.type == LOG_EXIT && get_exit(&record, &end) == 0 &&
                   attempt_equal(&end.id, id)) {
            *ret_exit = end;
            return ATTEMPT_ENDED;
        }
    }
    return fact;
}

bool worker_log_swept(const struct worker_log *log)
{
    struct record record;
    for (size_t at = 0; next_record(log, &at, &record);) {
        if (record.type == LOG_SWEPT)
            return true;
    }
    return false;
}
