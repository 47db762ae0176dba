#include "worker/journal.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>

/* A GO and an EXIT take under 500 bytes; room is made for some 130 jobs at a time. */
#define RESERVE_BYTES 65536
#define PAIR_BYTES 1024
#define TRIM_BYTES (1 << 20)

struct journal {
    int fd;
    off_t used, reserved;
    struct record_writer writer;
};

struct journal *journal_new(int fd)
{
    struct journal *journal = xcalloc(1, sizeof(*journal));
    journal->fd = fd;
    record_writer_reserve(&journal->writer, PAIR_BYTES); /* the end of a job asks for no memory */
    return journal;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL)
        return;
    (void)close(journal->fd);
    record_writer_done(&journal->writer);
    free(journal);
}

int journal_reserve(struct journal *journal, struct error *err)
{
    if (journal->reserved - journal->used >= PAIR_BYTES)
        return 0;
    if (fallocate(journal->fd, FALLOC_FL_KEEP_SIZE, journal->used, RESERVE_BYTES) == 0) {
        journal->reserved = journal->used + RESERVE_BYTES;
        return 0;
    }
    /* A file system that cannot allocate ahead: the promise is weaker there, jobs run all the same.
     */
    if (errno == EOPNOTSUPP)
        return 0;
    return error_set_errno(err, "worker log");
}

static int append(struct journal *journal, struct error *err)
{
    int result = fd_write_all(journal->fd, journal->writer.data, journal->writer.used);
    journal->used += (off_t)journal->writer.used;
    record_writer_clear(&journal->writer);
    return result < 0 ? error_set_errno(err, "worker log") : 0;
}

int journal_go(struct journal *journal, const struct job_started *started, struct error *err)
{
    put_started(&journal->writer, LOG_GO, started);
    return append(journal, err);
}

int journal_exit(struct journal *journal, const struct job_exit *end, struct error *err)
{
    put_exit(&journal->writer, LOG_EXIT, end);
    return append(journal, err);
}

bool journal_long(const struct journal *journal)
{
    return journal->used >= TRIM_BYTES;
}

void journal_trim(struct journal *journal)
{
    if (ftruncate(journal->fd, 0) < 0)
        return;
    journal->used = journal->reserved = 0;
}
