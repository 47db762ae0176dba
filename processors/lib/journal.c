#include "processors/lib/journal.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "common/fd.h"
#include "common/json.h"
#include "processors/lib/report.h"
#include "processors/lib/staging.h"
#include "processors/lib/work_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>

#define PLAN "plan.json"
#define LOG "done.log"
/* A million chunks of four minutes are seven years; a plan has some 30 bytes a chunk. */
#define FILE_BYTES_MAX (64U << 20)
#define SUM_DIGITS 8

struct journal {
    char *folder;
    int folder_fd; /* holds the flock */
    int log_fd;    /* -1 before the first line */
    json_t *key, *plan;
    pthread_mutex_t lock;
    json_t *units; /* by number, as text */
    unsigned added;
};

static int fail(const struct journal *journal, const char *name, struct error *err)
{
    (void)error_set_errno(err, "\"%.200s/%s\"", journal->folder, name);
    err->code = ERROR_IO;
    return -1;
}

/* ---- the folder ---- */

static int open_folder(struct journal *journal, const char *target, struct error *err)
{
    const int prepared = staging_work_failed();
    const int failed = prepared != 0 ? prepared : work_folder_make(journal->folder);
    journal->folder_fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (journal->folder_fd < 0) {
        errno = failed != 0 ? failed : errno;
        (void)error_set_errno(err, "output \"%.200s\": its work folder cannot be made", target);
        err->code = errno == ENOSPC || errno == EDQUOT || errno == EIO ? ERROR_IO : ERROR_CONFLICT;
        return -1;
    }
    if (flock(journal->folder_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERROR_BUSY, "another run is at work in \"%.200s\"", journal->folder);
    return fail(journal, "", err);
}

/* Each name that `keep` does not spare. It is flat: whatever is a folder is not ours. */
static void empty_folder(const struct journal *journal, bool (*keep)(const char *name))
{
    const struct dirent *entry;
    DIR *folder = opendir(journal->folder);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (keep == NULL || !keep(entry->d_name))
            (void)unlinkat(journal->folder_fd, entry->d_name, 0);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

/* What was being written when an earlier run ended. */
static bool is_whole(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL || strcmp(dot, ".part") != 0;
}

/* ---- the log ---- */

/* One line, without its end; false: it is damaged. */
static bool take_line(struct journal *journal, const char *line, size_t bytes)
{
    struct error ignored;
    char sum[SUM_DIGITS + 1];
    char name[16];
    int64_t unit = 0;
    if (bytes < SUM_DIGITS + 2 || line[SUM_DIGITS] != ' ')
        return false;
    const char *text = line + SUM_DIGITS + 1;
    const size_t length = bytes - SUM_DIGITS - 1;
    (void)snprintf(sum, sizeof(sum), "%08x", crc32c(0, text, length));
    if (memcmp(sum, line, SUM_DIGITS) != 0)
        return false;
    CLEANUP_JSON json_t *facts = json_load_limited(text, length, &ignored);
    if (facts == NULL || json_get_int(facts, "unit", true, 0, UINT32_MAX, &unit, &ignored) < 0)
        return false;
    (void)snprintf(name, sizeof(name), "%u", (unsigned)unit);
    json_put(journal->units, name, TAKE_PTR(facts));
    return true;
}

static void read_log(struct journal *journal)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(journal->folder_fd, LOG, FILE_BYTES_MAX, &bytes);
    const char *line = text;
    const char *end = text == NULL ? NULL : text + bytes;
    unsigned dropped = 0;
    while (line != NULL && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline == NULL ? end : newline;
        if (!take_line(journal, line, (size_t)(stop - line)))
            dropped++;
        line = stop + 1;
    }
    if (dropped > 0)
        report_log("%u damaged lines of %s/" LOG " are passed over", dropped, journal->folder);
}

/* Appended behind whatever a crash left: a torn line is ended first. */
static int open_log(struct journal *journal, struct error *err)
{
    char last = '\n';
    int fd = journal->log_fd =
        openat(journal->folder_fd, LOG, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (bytes < 0 || (bytes > 0 && fd_read_at(fd, &last, 1, bytes - 1) < 0) ||
        (last != '\n' && fd_write_all(fd, "\n", 1) < 0) || fsync(journal->folder_fd) < 0)
        return fail(journal, LOG, err);
    return 0;
}

/* ---- the plan ---- */

static int write_file(const struct journal *journal, const char *name, const char *text,
                      struct error *err)
{
    static const char staged[] = "plan.part";
    CLEANUP_CLOSE int fd = openat(journal->folder_fd, staged,
                                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0 ||
        renameat(journal->folder_fd, staged, journal->folder_fd, name) < 0 ||
        fsync(journal->folder_fd) < 0)
        return fail(journal, name, err);
    return 0;
}

/* The first member in which they differ; NULL: none. */
static const char *difference(json_t *was, json_t *is)
{
    const char *name;
    json_t *value;
    json_object_foreach(is, name, value) {
        if (!json_equal(value, json_object_get(was, name)))
            return name;
    }
    return json_equal(was, is) ? NULL : "its plan";
}

/* What keeps what is there from counting; NULL: nothing does, or nothing is there. */
static const char *read_plan(struct journal *journal)
{
    size_t bytes = 0;
    struct error ignored;
    CLEANUP_FREE char *text = fd_read_file(journal->folder_fd, PLAN, FILE_BYTES_MAX, &bytes);
    if (text == NULL)
        return NULL; /* nothing is there */
    json_error_t where;
    CLEANUP_JSON json_t *file = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
    json_t *key = NULL;
    json_t *plan = json_object_get(file, "plan");
    if (plan == NULL || json_get_object(file, "key", true, &key, &ignored) < 0)
        return "its plan";
    const char *other = difference(key, journal->key);
    if (other == NULL)
        journal->plan = json_incref(plan);
    return other;
}

int journal_begin(struct journal *journal, const json_t *plan, struct error *err)
{
    CLEANUP_JSON json_t *file = json_object();
    json_decref(journal->plan);
    journal->plan = json_deep_copy(plan);
    cleanup_close(&journal->log_fd); /* its file goes with the rest */
    journal->log_fd = -1;
    (void)json_object_clear(journal->units);
    journal->added = 0;
    json_put(file, "key", json_incref(journal->key));
    json_put(file, "plan", json_incref(journal->plan));
    CLEANUP_FREE char *text = json_dumps(file, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        out_of_memory();
    empty_folder(journal, NULL);
    return write_file(journal, PLAN, text, err);
}

int journal_open(const struct request *request, const char *target, const json_t *key,
                 struct journal **ret, struct error *err)
{
    struct journal *journal = *ret = xcalloc(1, sizeof(*journal));
    journal->folder = work_folder_path(request, target);
    journal->folder_fd = journal->log_fd = -1;
    journal->key = json_deep_copy(key);
    journal->units = json_object();
    (void)pthread_mutex_init(&journal->lock, NULL);
    if (open_folder(journal, target, err) < 0)
        return -1;
    empty_folder(journal, is_whole);
    const char *other = read_plan(journal);
    if (other != NULL)
        report_log("it begins anew: %s is not what it was in the run before", other);
    if (journal->plan != NULL)
        read_log(journal);
    return 0;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    cleanup_close(&journal->log_fd);
    cleanup_close(&journal->folder_fd);
    json_decref(journal->key);
    json_decref(journal->plan);
    json_decref(journal->units);
    (void)pthread_mutex_destroy(&journal->lock);
    free(journal->folder);
    free(journal);
}

void journal_remove(struct journal *journal)
{
    report_checkpoint(NULL);
    /* Without a plan the rest counts for nothing, whenever this is cut short. */
    (void)unlinkat(journal->folder_fd, PLAN, 0);
    (void)fsync(journal->folder_fd);
    empty_folder(journal, NULL);
    (void)rmdir(journal->folder);
}

const json_t *journal_plan(const struct journal *journal)
{
    return journal->plan;
}

const char *journal_folder(const struct journal *journal)
{
    return journal->folder;
}

char *journal_path(const struct journal *journal, unsigned unit, const char *ending)
{
    return xasprintf("%s/%u.%s", journal->folder, unit, ending);
}

/* ---- units ---- */

json_t *journal_find(struct journal *journal, unsigned unit)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%u", unit);
    (void)pthread_mutex_lock(&journal->lock);
    json_t *facts = json_deep_copy(json_object_get(journal->units, name));
    (void)pthread_mutex_unlock(&journal->lock);
    return facts;
}

void journal_drop(struct journal *journal, unsigned unit)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%u", unit);
    (void)pthread_mutex_lock(&journal->lock);
    (void)json_object_del(journal->units, name);
    (void)pthread_mutex_unlock(&journal->lock);
}

static int append(struct journal *journal, json_t *line, struct error *err)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%lld", json_integer_value(json_object_get(line, "unit")));
    CLEANUP_FREE char *text = json_dumps(line, JSON_COMPACT);
    if (text == NULL)
        out_of_memory();
    CLEANUP_FREE char *whole = xasprintf("%08x %s\n", crc32c(0, text, strlen(text)), text);
    if (journal->log_fd < 0 && open_log(journal, err) < 0)
        return -1;
    if (fsync(journal->folder_fd) < 0) /* the names of the unit's files */
        return fail(journal, LOG, err);
    if (fd_write_all(journal->log_fd, whole, strlen(whole)) < 0 || fsync(journal->log_fd) < 0) {
        (void)fail(journal, LOG, err);
        cleanup_close(&journal->log_fd); /* the next line ends what may be torn */
        journal->log_fd = -1;
        return -1;
    }
    json_put(journal->units, name, json_incref(line));
    journal->added++;
    return 0;
}

int journal_add(struct journal *journal, unsigned unit, const json_t *facts, struct error *err)
{
    CLEANUP_JSON json_t *line = json_deep_copy(facts);
    json_put_int(line, "unit", unit);
    (void)pthread_mutex_lock(&journal->lock);
    int result = append(journal, line, err);
    (void)pthread_mutex_unlock(&journal->lock);
    if (result < 0)
        return -1;
    CLEANUP_FREE char *log = xasprintf("%s/" LOG, journal->folder);
    report_checkpoint(log);
    return 0;
}

unsigned journal_added(struct journal *journal)
{
    (void)pthread_mutex_lock(&journal->lock);
    unsigned added = journal->added;
    (void)pthread_mutex_unlock(&journal->lock);
    return added;
}
