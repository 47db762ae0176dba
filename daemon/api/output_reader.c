#include "daemon/api/output_reader.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/output_index.h"

#include <fcntl.h>

struct output_reader {
    char *base; /* see attempt_path */
    int index_fd;
    int data_fd[2];
    off_t index_at, data_at[2];
    struct output_index_entry entry; /* being read */
    uint32_t left;                   /* bytes of it not yet returned */
};

struct output_reader *output_reader_new(const char *state_dir, const struct attempt_id *id)
{
    struct output_reader *reader = xcalloc(1, sizeof(*reader));
    reader->base = attempt_path(state_dir, id);
    reader->index_fd = reader->data_fd[0] = reader->data_fd[1] = -1;
    return reader;
}

void output_reader_free(struct output_reader *reader)
{
    if (reader == NULL)
        return;
    cleanup_close(&reader->index_fd);
    cleanup_close(&reader->data_fd[0]);
    cleanup_close(&reader->data_fd[1]);
    free(reader->base);
    free(reader);
}

/* 1 open, 0 not there, -1 error. */
static int open_part(const struct output_reader *reader, const char *suffix, int *fd,
                     struct error *err)
{
    if (*fd >= 0)
        return 1;
    CLEANUP_FREE char *path = xasprintf("%s.%s", reader->base, suffix);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd >= 0)
        return 1;
    return errno == ENOENT ? 0 : error_set_errno(err, "cannot read %s", path);
}

/* 1 and reader->entry, 0 when no whole entry is there yet. */
static int next_entry(struct output_reader *reader, struct error *err)
{
    unsigned char raw[OUTPUT_INDEX_ENTRY_BYTES];
    int opened = open_part(reader, "index", &reader->index_fd, err);
    if (opened <= 0)
        return opened;
    ssize_t got = fd_read_at(reader->index_fd, raw, sizeof(raw), reader->index_at);
    if (got < 0)
        return error_set_errno(err, "cannot read %s.index", reader->base);
    if ((size_t)got < sizeof(raw))
        return 0;
    output_index_decode(raw, &reader->entry);
    reader->index_at += (off_t)sizeof(raw);
    reader->left = reader->entry.bytes;
    return 1;
}

int output_reader_next(struct output_reader *reader, struct output_chunk *ret, struct error *err)
{
    while (reader->left == 0) {
        int found = next_entry(reader, err);
        if (found <= 0)
            return found;
    }
    unsigned file = reader->entry.stream & 1U;
    int opened = open_part(reader, file == 0 ? "out" : "err", &reader->data_fd[file], err);
    if (opened <= 0)
        return opened;
    size_t wanted = reader->left < sizeof(ret->data) ? reader->left : sizeof(ret->data);
    ssize_t got = fd_read_at(reader->data_fd[file], ret->data, wanted, reader->data_at[file]);
    if (got < 0)
        return error_set_errno(err, "cannot read %s", reader->base);
    if (got == 0)
        return 0;
    reader->data_at[file] += got;
    reader->left -= (uint32_t)got;
    ret->bytes = (size_t)got;
    ret->at = reader->entry.time_us;
    ret->of_stderr = file == 1;
    ret->stream = reader->entry.stream >= 2 ? OUTPUT_NOTE
                  : file == 0               ? OUTPUT_STDOUT
                                            : OUTPUT_STDERR;
    return 1;
}
