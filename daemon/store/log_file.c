#include "daemon/store/log_file.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/store/stamp.h"

#include <errno.h>
#include <string.h>

/* The format is told in sqlite.org/fileformat.html#walformat. All of its numbers are big-endian;
 * only the words that are summed up are in the order that the lowest bit of the magic number says.
 */
#define MAGIC 0x377f0682U
#define HEADER_BYTES 32U
#define FRAME_HEADER_BYTES 24U
#define PAGE_BYTES_MAX 65536U
#define STAMP_AT 60U /* of the first page: the user version */

struct sum {
    uint32_t first, second;
};

struct log_file {
    FILE *file;
    uint32_t page_bytes;
    bool big_endian; /* the words of the sum */
    struct sum sum;  /* of all that was read */
    uint8_t salt[8];
    uint32_t
        stamp; /* what the commits until here leave in the store; 0: nothing of its first page */
    uint8_t frame[FRAME_HEADER_BYTES + PAGE_BYTES_MAX];
};

static uint32_t load(const uint8_t *at, bool big_endian)
{
    return big_endian
               ? (uint32_t)at[0] << 24U | (uint32_t)at[1] << 16U | (uint32_t)at[2] << 8U | at[3]
               : (uint32_t)at[3] << 24U | (uint32_t)at[2] << 16U | (uint32_t)at[1] << 8U | at[0];
}

static void add(struct log_file *log, const uint8_t *data, size_t bytes)
{
    struct sum *sum = &log->sum;
    for (size_t i = 0; i < bytes; i += 8) {
        sum->first += load(data + i, log->big_endian) + sum->second;
        sum->second += load(data + i + 4, log->big_endian) + sum->first;
    }
}

static bool sum_is(const struct log_file *log, const uint8_t *stored)
{
    return load(stored, true) == log->sum.first && load(stored + 4, true) == log->sum.second;
}

/* False: SQLite takes nothing from it. */
static bool read_header(struct log_file *log)
{
    uint8_t *header = log->frame;
    if (fread(header, 1, HEADER_BYTES, log->file) != HEADER_BYTES ||
        (load(header, true) & ~1U) != MAGIC)
        return false;
    log->big_endian = (header[3] & 1U) != 0;
    log->page_bytes = load(header + 8, true);
    memcpy(log->salt, header + 16, sizeof(log->salt));
    add(log, header, HEADER_BYTES - 8);
    bool sized = log->page_bytes >= 512 && log->page_bytes <= PAGE_BYTES_MAX &&
                 (log->page_bytes & (log->page_bytes - 1)) == 0;
    return sized && sum_is(log, header + HEADER_BYTES - 8);
}

/* Reads a page of the log. 1 when a commit ends with it, 0, or -1 behind the last that counts. */
static int read_frame(struct log_file *log, uint32_t *stamp)
{
    const uint8_t *frame = log->frame;
    const uint8_t *page = frame + FRAME_HEADER_BYTES;
    size_t bytes = FRAME_HEADER_BYTES + log->page_bytes;
    if (fread(log->frame, 1, bytes, log->file) != bytes ||
        memcmp(frame + 8, log->salt, sizeof(log->salt)) != 0)
        return -1;
    add(log, frame, 8);
    add(log, page, log->page_bytes);
    if (!sum_is(log, frame + 16))
        return -1;
    if (load(frame, true) == 1)
        *stamp = load(page + STAMP_AT, true);
    return load(frame + 4, true) != 0;
}

/* Whether there is another commit. */
static bool next_commit(struct log_file *log)
{
    uint32_t stamp = log->stamp;
    int found = 0;
    while (found == 0)
        found = read_frame(log, &stamp);
    if (found > 0)
        log->stamp = stamp;
    return found > 0;
}

static bool is_followed(struct log_file *log, uint32_t stamp)
{
    bool first = true;
    if (!read_header(log))
        return true;
    for (; next_commit(log); first = false) {
        if (stamp_is_followed(stamp, log->stamp, first))
            return true;
    }
    return first;
}

int log_file_check(const char *path, uint32_t stamp, struct error *err)
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE struct log_file *log = NULL;
    if (file == NULL)
        return errno == ENOENT ? 0 : error_set_errno(err, "cannot open %s", path);
    log = xcalloc(1, sizeof(*log));
    log->file = file;
    bool followed = is_followed(log, stamp);
    if (ferror(file) != 0)
        return error_set_errno(err, "cannot read %s", path);
    if (followed)
        return 0;
    return error_set(err, ERROR_DAMAGED,
                     "%s is not the log of this store, but of another one, or of another time, as "
                     "beside a backup that was restored: remove it, or put back its store",
                     path);
}
