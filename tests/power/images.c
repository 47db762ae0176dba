/* Reads the record of a run (recorder.c), makes the disks that a loss of power could have left,
 * opens each with the store's own code and compares it with what batchd had said until then.
 *
 *   images TRACE ACKNOWLEDGED FOLDER IMAGES SEED
 *
 * The moments are chosen among all records: half of them right before a sync, when most is at
 * stake, a quarter right after something was said. Exit 0 when no image was damaged and none lacks
 * or invents anything. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/config.h"
#include "daemon/state_folder.h"
#include "daemon/places.h"
#include "tests/power/claims.h"
#include "tests/power/medium.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SHOWN_MAX 10U
/* The store is made and brought to its schema in so many records. */
#define FIRST 32U

struct run {
    const uint8_t *trace;
    size_t bytes;
    size_t *records;                  /* where each begins */
    size_t *kind_at[TRACE_BEGIN + 1]; /* which records are of a kind */
    size_t kind_count[TRACE_BEGIN + 1];
    size_t count;
    struct medium *medium;
    struct claims *claims;
    struct config config;
    struct places places;
    char *folder;
    uint64_t images, damaged, lossy, inventive, lost, pieces, pieces_lost, shown;
    struct claims_count last;
};

static struct trace_head head_of(const struct run *run, size_t record)
{
    struct trace_head head;
    memcpy(&head, run->trace + run->records[record], sizeof(head));
    return head;
}

static int map_trace(struct run *run, const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) < 0 || found.st_size == 0)
        return -1;
    run->bytes = (size_t)found.st_size;
    run->trace = mmap(NULL, run->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    return run->trace == MAP_FAILED ? -1 : 0;
}

static void find_records(struct run *run)
{
    size_t room = 0;
    for (size_t at = 0; at + sizeof(struct trace_head) <= run->bytes;) {
        if (run->count == room) {
            room = room * 2 + 1024;
            run->records = xreallocarray(run->records, room, sizeof(*run->records));
            for (size_t kind = 0; kind <= TRACE_BEGIN; kind++)
                run->kind_at[kind] =
                    xreallocarray(run->kind_at[kind], room, sizeof(*run->kind_at[kind]));
        }
        run->records[run->count] = at;
        const struct trace_head head = head_of(run, run->count);
        if (head.kind == 0 || head.kind > TRACE_BEGIN)
            abort();
        run->kind_at[head.kind][run->kind_count[head.kind]++] = run->count++;
        at += sizeof(head) + head.bytes;
    }
}

/* How many records come before the loss. */
static size_t choose_moment(const struct run *run, uint64_t *seed)
{
    if (medium_random(seed, 8) == 0)
        return medium_random(seed, run->count < FIRST ? run->count : FIRST);
    switch (medium_random(seed, 4)) {
    case 0:
    case 1:
        return run->kind_at[TRACE_SYNC][medium_random(seed, run->kind_count[TRACE_SYNC])];
    case 2:
        return run->kind_at[TRACE_SEND][medium_random(seed, run->kind_count[TRACE_SEND])] + 1;
    default:
        return medium_random(seed, run->count + 1);
    }
}

static int by_number(const void *a, const void *b)
{
    const size_t first = *(const size_t *)a;
    const size_t second = *(const size_t *)b;
    return (first > second) - (first < second);
}

static void clear_folder(const char *folder)
{
    static const char *const names[] = {"batchd.db", "batchd.db-wal", "batchd.db-journal",
                                        "batchd.db-shm"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, names[i]);
        (void)unlink(path);
    }
}

static void show(struct run *run, size_t moment, const struct medium_losses *losses,
                 const char *text)
{
    if (run->shown++ < SHOWN_MAX)
        printf("VIOLATION: after record %zu of %zu, %s kept, %llu of %llu pieces lost: %s\n",
               moment, run->count, losses->style, (unsigned long long)losses->lost,
               (unsigned long long)losses->pieces, text);
}

/* Opens it twice: for all of its checks, as batchd --check-store does, and to read it. The first
 * time it is recovered as at any start. */
static void look_at_image(struct run *run, size_t moment, const struct medium_losses *losses)
{
    struct error err;
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", run->folder);
    const struct db_options options = {.cache_bytes = run->config.store_cache_bytes,
                                       .wal_limit_bytes = run->config.store_wal_limit_bytes};
    bool absent = access(path, F_OK) < 0; /* nothing was promised yet, or else it is lost */
    struct db *db = NULL;
    if (absent || state_folder_check_store(&run->config, &run->places, &err) == 0)
        db = db_open(path, &options, &err);
    int result = db == NULL ? -1 : claims_check(run->claims, db, &run->last, &err);
    db_close(db);
    if (result != 0)
        show(run, moment, losses, err.text);
    run->damaged += result < 0;
    run->lossy += result > 0 && run->last.lost > 0;
    run->lost += result > 0 ? run->last.lost : 0;
    run->inventive += result > 0 && run->last.invented > 0;
}

static int make_images(struct run *run, size_t images, uint64_t seed)
{
    size_t *moments = xcalloc(images, sizeof(*moments));
    size_t done = 0;
    int result = 0;
    for (size_t i = 0; i < images; i++)
        moments[i] = choose_moment(run, &seed);
    qsort(moments, images, sizeof(*moments), by_number);
    for (size_t i = 0; i < images && result == 0; i++) {
        struct medium_losses losses;
        for (; done < moments[i]; done++) {
            const struct trace_head head = head_of(run, done);
            const uint8_t *data = run->trace + run->records[done] + sizeof(head);
            medium_apply(run->medium, &head, data);
            claims_apply(run->claims, &head, data);
        }
        clear_folder(run->folder);
        result = medium_image(run->medium, seed + i, run->folder, &losses);
        run->pieces += losses.pieces;
        run->pieces_lost += losses.lost;
        if (result == 0)
            look_at_image(run, moments[i], &losses);
        run->images++;
    }
    free(moments);
    return result;
}

static void run_done(struct run *run)
{
    for (size_t kind = 0; kind <= TRACE_BEGIN; kind++)
        free(run->kind_at[kind]);
    free(run->records);
    medium_free(run->medium);
    claims_free(run->claims);
    config_done(&run->config);
    free(run->folder);
}

int main(int argc, char **argv)
{
    struct run run = {.images = 0};
    log_init("images", LOG_LEVEL_ERROR);
    if (argc != 6 || map_trace(&run, argv[1]) < 0 || (run.claims = claims_new(argv[2])) == NULL) {
        (void)fputs("images TRACE ACKNOWLEDGED FOLDER IMAGES SEED\n", stderr);
        return 2;
    }
    find_records(&run);
    run.medium = medium_new();
    run.folder = xstrdup(argv[3]);
    run.places.state_dir = run.folder;
    config_defaults(&run.config);
    int result = make_images(&run, strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    printf(
        "power: %llu images of %zu records (%zu syncs of files, %zu of the folder); %llu of %llu "
        "unsynced pieces lost; until the last %llu submits, %llu starts and %llu results were told; "
        "%llu damaged, %llu lack what was acknowledged (%llu times), %llu hold what was not asked for\n",
        (unsigned long long)run.images, run.count, run.kind_count[TRACE_SYNC],
        run.kind_count[TRACE_FOLDER], (unsigned long long)run.pieces_lost,
        (unsigned long long)run.pieces, (unsigned long long)run.last.submits,
        (unsigned long long)run.last.starts, (unsigned long long)run.last.results,
        (unsigned long long)run.damaged, (unsigned long long)run.lossy,
        (unsigned long long)run.lost, (unsigned long long)run.inventive);
    bool wrong = result < 0 || run.damaged + run.lossy + run.inventive > 0;
    run_done(&run);
    return wrong ? 1 : 0;
}
