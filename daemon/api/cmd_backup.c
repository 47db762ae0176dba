/* io.batchd.Server.Backup {} more -> {data}..., then {bytes, crc32c}
 * A copy of the store, in parts, as it was when the first of them was sent. It is copied while all
 * goes on, some pages after each commit, into a file of the state folder; then each row of it is
 * checked by a process of its own, and only then it is sent. One at a time, for root and the
 * daemon's owner. Nobody gives the daemon a path, and what is there goes with the call. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/crc32c.h"
#include "common/fd.h"
#include "common/log.h"
#include "daemon/api/backups.h"
#include "daemon/api/verb.h"
#include "daemon/exec/snapshot.h"
#include "daemon/store/backup.h"
#include "daemon/store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 1000
/* A million jobs take some 5 s. */
#define CHECK_MS 600000
#define ANSWER_BYTES 4096
#define PART_BYTES ((size_t)48 << 10)
#define PARTS_A_TURN 4
/* A client that takes nothing for so long has no more time: another may want one. */
#define STALLED_US (60 * US_PER_SECOND)
#define LOOK_MS 5

struct backups {
    struct api *api;
    struct snapshots *checks;
    char *path;
    struct timer *timer;   /* the next turn comes at once while pages are copied, or parts sent */
    struct api_call *call; /* whose it is; NULL: there is none */
    struct backup *copy;   /* owned */
    struct snapshot *check;
    bool copying;
    char *damage; /* what the check found; owned, NULL: nothing */
    int fd;       /* of the copy while it is sent, else -1 */
    uint64_t bytes;
    uint32_t sum;
    int64_t moved_at; /* monotonic: when a part was sent last */
};

static void clear(struct backups *backups)
{
    if (backups->check != NULL)
        snapshot_cancel(backups->check);
    backups->check = NULL;
    backup_free(backups->copy);
    cleanup_close(&backups->fd);
    free(backups->damage);
    timer_clear(backups->timer);
    *backups = (struct backups){.api = backups->api,
                                .checks = backups->checks,
                                .path = backups->path,
                                .timer = backups->timer,
                                .fd = -1};
}

static void on_cancel(struct api_call *call)
{
    clear(call->state);
}

/* The call is over; what it was for has been cleared. */
static struct api_call *end(struct backups *backups)
{
    struct api_call *call = backups->call;
    call->cancel = NULL;
    clear(backups);
    return call;
}

static void fail(struct backups *backups, const struct error *err)
{
    if (err->saved_errno == ENOSPC)
        reply_busy(end(backups), err, RETRY_MS, "make room on the disk of the state folder");
    else
        reply_failure(end(backups), err);
}

/* ---- it is sent ---- */

static void finish(struct backups *backups)
{
    json_t *reply = json_object();
    json_put_int(reply, "bytes", (int64_t)backups->bytes);
    json_put_int(reply, "crc32c", backups->sum);
    reply_done(end(backups), reply);
}

/* 1: a part was sent; 0: there is none; -1 with err. */
static int send_part(struct backups *backups, struct error *err)
{
    CLEANUP_FREE char *data = xmalloc(PART_BYTES);
    ssize_t got = fd_read_at(backups->fd, data, PART_BYTES, (off_t)backups->bytes);
    if (got < 0)
        return error_set_errno(err, "the copy cannot be read");
    if (got == 0)
        return 0;
    json_t *part = json_object();
    json_put(part, "data", json_from_bytes(data, (size_t)got));
    backups->bytes += (uint64_t)got;
    backups->sum = crc32c(backups->sum, data, (size_t)got);
    reply_part(backups->call, part);
    return 1;
}

static void send_some(struct backups *backups)
{
    const struct api_call *call = backups->call;
    int64_t now = clock_monotonic_us();
    struct error err;
    int sent = 1;
    bool full = call->sink->backlog(call->sink_arg) > API_BACKLOG_MAX / 4;
    if (full && now - backups->moved_at > STALLED_US) {
        (void)error_set(&err, ERROR_LIMIT, "the reader of the backup takes nothing");
        fail(backups, &err);
        return;
    }
    backups->moved_at = full ? backups->moved_at : now;
    for (int i = 0; !full && sent > 0 && i < PARTS_A_TURN; i++)
        sent = send_part(backups, &err);
    if (sent < 0)
        fail(backups, &err);
    else if (sent == 0)
        finish(backups);
    else
        timer_set(backups->timer, full ? LOOK_MS : 0);
}

/* ---- it is checked ---- */

/* In a process of its own. */
static void check(void *arg, struct snapshot_writer *writer)
{
    const struct backups *backups = arg;
    struct error err;
    struct db *db = db_open_copy(backups->path, &err);
    if (db == NULL || store_check(db, &err) < 0)
        snapshot_write(writer, err.text, strcspn(err.text, "\n"));
}

static void on_line(void *arg, const char *line, size_t bytes)
{
    struct backups *backups = arg;
    free(backups->damage);
    backups->damage = xmemdup(line, bytes);
}

static void on_checked(void *arg, const struct error *failure)
{
    struct backups *backups = arg;
    struct error err;
    backups->check = NULL;
    if (failure != NULL) {
        fail(backups, failure);
        return;
    }
    if (backups->damage != NULL) {
        log_error("a backup was not given out, since the copy of the store is damaged: %s",
                  backups->damage);
        (void)error_set(&err, ERROR_DAMAGED, "the copy is damaged, and so may the store be: %s",
                        backups->damage);
        fail(backups, &err);
        return;
    }
    backups->fd = open(backups->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (backups->fd < 0) {
        (void)error_set_errno(&err, "the copy cannot be read");
        fail(backups, &err);
        return;
    }
    (void)unlink(backups->path); /* it goes with its descriptor, however that ends */
    backups->moved_at = clock_monotonic_us();
    timer_set(backups->timer, 0);
}

static const struct snapshot_events check_events = {.line = on_line, .done = on_checked};

static void begin_check(struct backups *backups)
{
    const struct snapshot_order order = {.uid = backups->call->uid,
                                         .work = check,
                                         .work_arg = backups,
                                         .events = &check_events,
                                         .events_arg = backups};
    struct error err;
    backups->copying = false;
    backups->check = snapshot_start(backups->checks, &order, &err);
    if (backups->check == NULL)
        fail(backups, &err);
}

/* ---- it is copied ---- */

void backups_go_on(struct backups *backups)
{
    struct error err;
    if (!backups->copying)
        return;
    int more = backup_step(backups->copy, &err);
    if (more < 0)
        fail(backups, &err);
    else if (more == 0)
        begin_check(backups);
    else
        timer_set(backups->timer, 0);
}

static void on_timer(void *arg)
{
    struct backups *backups = arg;
    if (backups->fd >= 0)
        send_some(backups);
}

struct backups *backups_new(struct api *api)
{
    static const struct snapshot_limits limits = {
        .most = 1, .most_of_user = 1, .time_ms = CHECK_MS, .answer_bytes = ANSWER_BYTES};
    struct backups *backups = xcalloc(1, sizeof(*backups));
    *backups = (struct backups){.api = api,
                                .checks = snapshots_new(api->base, &limits),
                                .path = xasprintf("%s/backup.tmp", api->options.state_dir),
                                .fd = -1};
    backups->timer = timer_new(api->base, on_timer, backups);
    backup_remove(backups->path); /* of a daemon that was killed */
    return backups;
}

void backups_free(struct backups *backups)
{
    if (backups == NULL)
        return;
    clear(backups);
    timer_free(backups->timer);
    snapshots_free(backups->checks);
    free(backups->path);
    free(backups);
}

/* ---- the verb ---- */

static int begin(struct api_call *call, struct error *err)
{
    struct backups *backups = call->api->backups;
    struct db *db = engine_db(call->api->engine);
    uint64_t wanted = backup_bytes(db, err);
    uint64_t reserve = 2 * engine_limits(call->api->engine)->disk_reserve_bytes;
    if (wanted == 0)
        return -1;
    if (backups->call != NULL || snapshots_check(backups->checks, call->uid, err) < 0)
        return error_set(err, ERROR_BUSY, "a backup is being made; there is one at a time");
    if (engine_disk_free_bytes(call->api->engine) < wanted + reserve)
        return error_set(err, ERROR_BUSY,
                         "the disk of the state folder has no room for a copy of %llu bytes",
                         (unsigned long long)wanted);
    backups->copy = backup_new(db, backups->path, err);
    return backups->copy == NULL ? -1 : 0;
}

static void run(struct api_call *call)
{
    struct backups *backups = call->api->backups;
    struct error err;
    if (!access_all(call)) {
        reply_error(call, "org.varlink.service.PermissionDenied", NULL,
                    "a backup has the jobs of all: root and the owner of the daemon may make one",
                    NULL);
        return;
    }
    if (begin(call, &err) < 0) {
        if (err.code == ERROR_BUSY)
            reply_busy(call, &err, RETRY_MS, NULL);
        else
            reply_failure(call, &err);
        return;
    }
    call->state = backups;
    call->cancel = on_cancel;
    backups->call = call;
    backups->copying = true;
    timer_set(backups->timer, 0);
}

static const char *const fields[] = {NULL};
const struct api_verb verb_backup = {
    .method = "io.batchd.Server.Backup", .fields = fields, .needs_more = true, .run = run};
