#include "worker/output.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/output_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define EVENTS_BYTES_MAX ((size_t)1 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 10)
#define COPY_BYTES 65536U

struct stream {
    const char *suffix;
    int fd, tail_fd;     /* -1: not made yet */
    uint64_t bytes;      /* written by the job */
    uint64_t kept;       /* in the file */
    uint64_t tail_bytes; /* ever written to the ring */
    uint64_t lost;       /* refused by the disk */
    int last_errno;
};

struct output {
    int jobs_fd;
    gid_t group;
    struct attempt_id id;
    uint64_t cap;
    int folder_fd, index_fd, events_fd;
    struct stream streams[2];
    size_t events_bytes;
    char *line;  /* the last line of descriptor 3 while it is not kept in the file */
    char *block; /* COPY_BYTES. Both are there from the start: a running job asks for no memory */
    size_t line_used;
};

struct output *output_new(int jobs_fd, gid_t group)
{
    struct output *output = xcalloc(1, sizeof(*output));
    output->jobs_fd = jobs_fd;
    output->group = group;
    output->folder_fd = output->index_fd = output->events_fd = -1;
    output->line = xmalloc(LINE_BYTES_MAX);
    output->block = xmalloc(COPY_BYTES);
    output->streams[0] = (struct stream){.suffix = "out", .fd = -1, .tail_fd = -1};
    output->streams[1] = (struct stream){.suffix = "err", .fd = -1, .tail_fd = -1};
    return output;
}

static void close_fd(int *fd)
{
    cleanup_close(fd);
    *fd = -1;
}

void output_free(struct output *output)
{
    if (output == NULL)
        return;
    close_fd(&output->folder_fd);
    close_fd(&output->index_fd);
    close_fd(&output->events_fd);
    for (int i = 0; i < 2; i++) {
        close_fd(&output->streams[i].fd);
        close_fd(&output->streams[i].tail_fd);
    }
    free(output->line);
    free(output->block);
    free(output);
}

void output_begin(struct output *output, const struct attempt_id *id, uint64_t cap_bytes)
{
    output->id = *id;
    output->cap = cap_bytes;
    output->events_bytes = 0;
    output->line_used = 0;
    for (int i = 0; i < 2; i++) {
        struct stream *stream = &output->streams[i];
        *stream = (struct stream){.suffix = stream->suffix, .fd = -1, .tail_fd = -1};
    }
}

/* Lets the unprivileged batchd read it. When that fails the job's output is kept all the same. */
static void share(const struct output *output, int fd)
{
    if (fd >= 0 && output->group != (gid_t)-1 && fchown(fd, (uid_t)-1, output->group) < 0)
        log_warning("cannot give an output file to group %u: %s", output->group,
                    strerrordesc_np(errno));
}

static int make_folder(const struct output *output, int parent, uint64_t number)
{
    char name[24];
    (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)number);
    if (mkdirat(parent, name, output->group == (gid_t)-1 ? 0700 : 0750) < 0 && errno != EEXIST)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    share(output, fd);
    return fd;
}

static int open_folder(struct output *output)
{
    if (output->folder_fd >= 0)
        return 0;
    int fd = make_folder(output, output->jobs_fd, output->id.job);
    if (fd >= 0 && output->id.is_task) {
        int job_fd = fd;
        fd = make_folder(output, job_fd, output->id.index);
        (void)close(job_fd);
    }
    output->folder_fd = fd;
    return fd < 0 ? -1 : 0;
}

/* An attempt number is never used twice, so the file must be new; O_EXCL also follows no link. */
static int make_file(struct output *output, const char *suffix)
{
    char name[48];
    if (open_folder(output) < 0)
        return -1;
    (void)snprintf(name, sizeof(name), "%u.%s", output->id.attempt, suffix);
    int fd = openat(output->folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
                    output->group == (gid_t)-1 ? 0600 : 0640);
    share(output, fd);
    return fd;
}

static void add_index(struct output *output, uint32_t stream, size_t bytes)
{
    unsigned char raw[OUTPUT_INDEX_ENTRY_BYTES];
    const struct output_index_entry entry = {
        .time_us = clock_wall_us(), .bytes = (uint32_t)bytes, .stream = stream};
    if (output->index_fd < 0)
        output->index_fd = make_file(output, "index");
    output_index_encode(&entry, raw);
    if (output->index_fd >= 0)
        (void)fd_write_all(output->index_fd, raw, sizeof(raw));
}

/* Appends to the stream's file and its index; counts what the disk refuses. A short write is kept
 * and indexed as far as it went. */
static void append(struct output *output, int which, uint32_t index_stream, const char *data,
                   size_t bytes)
{
    struct stream *stream = &output->streams[which];
    size_t done = 0;
    if (stream->fd < 0)
        stream->fd = make_file(output, stream->suffix);
    while (stream->fd >= 0 && done < bytes) {
        ssize_t wrote = write(stream->fd, data + done, bytes - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            break;
        done += (size_t)wrote;
    }
    if (done < bytes) {
        stream->last_errno = errno;
        stream->lost += bytes - done;
    }
    stream->kept += done;
    if (done > 0)
        add_index(output, index_stream, done);
}

/* The ring: byte n of the part behind the head stands at n modulo half the cap. */
static void add_tail(struct output *output, struct stream *stream, const char *data, size_t bytes)
{
    uint64_t room = output->cap / 2;
    char suffix[16];
    if (stream->tail_fd < 0) {
        (void)snprintf(suffix, sizeof(suffix), "%s.tail", stream->suffix);
        stream->tail_fd = make_file(output, suffix);
        if (stream->tail_fd >= 0) /* a ring is written in place */
            (void)fcntl(stream->tail_fd, F_SETFL, 0);
    }
    while (bytes > 0) {
        uint64_t at = stream->tail_bytes % room;
        size_t here = bytes < room - at ? bytes : (size_t)(room - at);
        ssize_t wrote = stream->tail_fd < 0 ? -1 : pwrite(stream->tail_fd, data, here, (off_t)at);
        if (wrote <= 0) {
            stream->last_errno = errno;
            stream->lost += bytes;
            return;
        }
        stream->tail_bytes += (uint64_t)wrote;
        data += wrote;
        bytes -= (size_t)wrote;
    }
}

void output_add(struct output *output, int which, const void *data, size_t bytes)
{
    struct stream *stream = &output->streams[which - 1];
    uint64_t head = output->cap / 2;
    const char *at = data;
    stream->bytes += bytes;
    if (stream->tail_bytes == 0 && stream->bytes - stream->lost <= output->cap / 2) {
        append(output, which - 1, (uint32_t)which - 1, at, bytes);
        return;
    }
    size_t fits =
        stream->tail_bytes == 0 && stream->kept < head ? (size_t)(head - stream->kept) : 0;
    if (fits > bytes)
        fits = bytes;
    if (fits > 0)
        append(output, which - 1, (uint32_t)which - 1, at, fits);
    add_tail(output, stream, at + fits, bytes - fits);
}

void output_add_events(struct output *output, const void *data, size_t bytes)
{
    if (output->events_fd < 0)
        output->events_fd = make_file(output, "events");
    if (output->events_fd >= 0 && output->events_bytes + bytes <= EVENTS_BYTES_MAX) {
        output->events_bytes += bytes;
        (void)fd_write_all(output->events_fd, data, bytes);
        return;
    }
    /* Full: from here on only the last line is kept, which is the result if there is one. */
    output->events_bytes = EVENTS_BYTES_MAX;
    const char *at = data;
    for (size_t i = 0; i < bytes; i++) {
        if (output->line_used > 0 && output->line[output->line_used - 1] == '\n')
            output->line_used = 0;
        if (output->line_used < LINE_BYTES_MAX)
            output->line[output->line_used++] = at[i];
    }
}

/* Copies the ring behind the head, oldest byte first. */
static void place_tail(struct output *output, int which, uint64_t *cut)
{
    struct stream *stream = &output->streams[which];
    uint64_t room = output->cap / 2;
    uint64_t first = stream->tail_bytes > room ? stream->tail_bytes - room : 0;
    char *block = output->block;
    char name[48];
    if (first > 0) {
        int bytes =
            snprintf(block, COPY_BYTES, "\n[batchd: %llu bytes left out here: the cap is %llu]\n",
                     (unsigned long long)first, (unsigned long long)output->cap);
        append(output, which, (uint32_t)which + OUTPUT_INDEX_STDOUT_NOTE, block, (size_t)bytes);
    }
    for (uint64_t at = first; at < stream->tail_bytes;) {
        uint64_t offset = at % room;
        uint64_t left = stream->tail_bytes - at;
        uint64_t here = left < room - offset ? left : room - offset;
        ssize_t got =
            pread(stream->tail_fd, block, here < COPY_BYTES ? here : COPY_BYTES, (off_t)offset);
        if (got <= 0)
            break;
        append(output, which, (uint32_t)which, block, (size_t)got);
        at += (uint64_t)got;
    }
    *cut += first;
    (void)snprintf(name, sizeof(name), "%u.%s.tail", output->id.attempt, stream->suffix);
    (void)unlinkat(output->folder_fd, name, 0);
}

static void end_stream(struct output *output, int which, struct job_exit *end)
{
    struct stream *stream = &output->streams[which];
    char note[160];
    if (stream->tail_bytes > 0)
        place_tail(output, which, &end->cut_bytes);
    if (stream->lost > 0) {
        int bytes = snprintf(note, sizeof(note), "\n[batchd: %llu bytes lost: %s]\n",
                             (unsigned long long)stream->lost, strerrordesc_np(stream->last_errno));
        append(output, which, (uint32_t)which + OUTPUT_INDEX_STDOUT_NOTE, note, (size_t)bytes);
    }
    end->lost_bytes += stream->lost;
    close_fd(&stream->fd);
    close_fd(&stream->tail_fd);
}

bool output_disk_full(const struct output *output)
{
    for (int i = 0; i < 2; i++) {
        const struct stream *stream = &output->streams[i];
        if (stream->lost > 0 && (stream->last_errno == ENOSPC || stream->last_errno == EDQUOT))
            return true;
    }
    return false;
}

void output_end(struct output *output, struct job_exit *end)
{
    end->stdout_bytes = output->streams[0].bytes;
    end->stderr_bytes = output->streams[1].bytes;
    end_stream(output, 0, end);
    end_stream(output, 1, end);
    if (output->events_fd >= 0 && output->line_used > 0) {
        (void)fd_write_all(output->events_fd, "\n", 1);
        (void)fd_write_all(output->events_fd, output->line, output->line_used);
    }
    close_fd(&output->events_fd);
    close_fd(&output->index_fd);
    close_fd(&output->folder_fd);
}
