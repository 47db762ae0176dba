/* Damages a store in every way that a file can be, opens and checks it as batchd --check-store
 * does, and compares what it holds then with what it held.
 *
 *   damage WAY DB WAL OTHER-WAL FOLDER STEP SEED [CASES]
 *
 * WAY: flip (each byte of DB becomes another), cut (each length of DB but 0), zero (each page of
 * DB, and each run of 512 bytes), size (each page size that its header can say), multi (CASES times
 * 2 to 16 bytes by chance, near each other or anywhere), wal-flip, wal-cut, wal-size (each page
 * size, and the sum of the header is right), swap (the WAL is OTHER-WAL, each number of its pages).
 * Every STEP-th case, from one chosen by SEED. A case is right when the store is refused as
 * damaged, or when it is taken and its content is that before; of a WAL also what it was after an
 * earlier commit, because a log that ends early is what a crash leaves. The cases run in a process
 * that may crash: that is told. Prints one line; exit 1 when a case was wrong. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "daemon/store/check.h"
#include "daemon/store/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define FILE_MAX_BYTES ((size_t)64 << 20)
#define PAGE 4096U
#define WAL_HEADER 32U
#define WAL_FRAME (24U + PAGE)
#define STATES_MAX 4096U

struct image {
    char *data;
    size_t bytes;
};

enum verdict { RIGHT, REFUSED, EARLIER, WRONG_CODE, WRONG_CONTENT, VERDICT_COUNT };

/* Shared with the process that may crash. */
struct progress {
    size_t at; /* the case it is in */
    size_t tried, verdicts[VERDICT_COUNT];
    char wrong[512]; /* the first */
};

struct damage {
    const char *way;
    struct image db, wal, other;
    char *db_path, *wal_path, *shm_path;
    uint64_t states[STATES_MAX]; /* what it held after each commit of the WAL; the last is all */
    size_t state_count;
    unsigned seed;
    size_t cases; /* of "multi" */
    struct progress *progress;
};

static struct image load(const char *path)
{
    struct image image = {0};
    image.data = fd_read_file(AT_FDCWD, path, FILE_MAX_BYTES, &image.bytes);
    if (image.data == NULL) {
        perror(path);
        exit(2);
    }
    return image;
}

static void put(const char *path, const char *data, size_t bytes)
{
    (void)unlink(path);
    if (data == NULL)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, data, bytes) < 0)
        exit(2);
    (void)close(fd);
}

static void add(uint64_t *hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++)
        *hash = (*hash ^ at[i]) * 1099511628211U;
}

/* What no sum covers where what it goes with is 0: batchd drops it as it reads it. */
static bool is_dropped(sqlite3_stmt *statement, int column)
{
    static const char *const pairs[][2] = {{"predicted_us", "predicted_by"},
                                           {"retry_at", "retry_us"}};
    for (size_t i = 0; column > 0 && i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (strcmp(sqlite3_column_name(statement, column - 1), pairs[i][0]) == 0 &&
            strcmp(sqlite3_column_name(statement, column), pairs[i][1]) == 0)
            return sqlite3_column_int64(statement, column - 1) == 0;
    }
    return false;
}

/* As batchd reads it: a number is one, whatever is stored in its place; nothing and an empty text
 * are the same. */
static void add_cell(sqlite3_stmt *statement, int column, uint64_t *hash)
{
    const char *type = sqlite3_column_decltype(statement, column);
    bool is_number = type != NULL && strncmp(type, "INT", 3) == 0;
    int64_t number = is_number ? sqlite3_column_int64(statement, column) : 0;
    if (is_number && is_dropped(statement, column))
        number = 0;
    add(hash, &number, sizeof(number));
    if (!is_number)
        add(hash, sqlite3_column_blob(statement, column),
            (size_t)sqlite3_column_bytes(statement, column));
}

static void add_rows(sqlite3 *handle, const char *sql, uint64_t *hash)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            add_cell(statement, i, hash);
        code = SQLITE_OK;
    }
    add(hash, &code, sizeof(code));
    (void)sqlite3_finalize(statement);
}

/* Of all tables. */
static uint64_t content(const struct damage *damage)
{
    uint64_t hash = 14695981039346656037U;
    sqlite3 *handle = NULL;
    sqlite3_stmt *tables = NULL;
    if (sqlite3_open_v2(damage->db_path, &handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        exit(2);
    add_rows(handle, "SELECT sql FROM sqlite_schema ORDER BY type, name", &hash);
    (void)sqlite3_prepare_v2(handle,
                             "SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name", -1,
                             &tables, NULL);
    while (tables != NULL && sqlite3_step(tables) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(tables, 0);
        char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
        uint64_t before = hash;
        hash = 14695981039346656037U;
        add_rows(handle, sql, &hash);
        if (getenv("DAMAGE_TABLES") != NULL)
            printf("  %s %016llx\n", table, (unsigned long long)hash);
        add(&before, &hash, sizeof(hash));
        hash = before;
        sqlite3_free(sql);
    }
    (void)sqlite3_finalize(tables);
    (void)sqlite3_close(handle);
    return hash;
}

static void lay(struct damage *damage, const struct image *db, const struct image *wal)
{
    put(damage->db_path, db->data, db->bytes);
    put(damage->wal_path, wal->bytes > 0 ? wal->data : NULL, wal->bytes);
    put(damage->shm_path, NULL, 0);
}

/* As state_folder_check_store. */
static int check(struct damage *damage, struct error *err)
{
    const struct db_options options = {.cache_bytes = 1 << 20, .wal_limit_bytes = 1 << 20};
    struct db *db = db_open(damage->db_path, &options, err);
    int result = db == NULL ? -1 : store_check(db, err);
    db_close(db);
    return result;
}

static enum verdict judge(struct damage *damage, const struct image *db, const struct image *wal,
                          struct error *err)
{
    lay(damage, db, wal);
    if (check(damage, err) < 0)
        return err->code == ERROR_DAMAGED ? REFUSED : WRONG_CODE;
    uint64_t now = content(damage);
    if (now == damage->states[damage->state_count - 1])
        return RIGHT;
    for (size_t i = 0; i + 1 < damage->state_count; i++) {
        if (damage->states[i] == now)
            return EARLIER;
    }
    return WRONG_CONTENT;
}

static void note_states(struct damage *damage)
{
    struct error err;
    for (size_t bytes = 0;; bytes = bytes == 0 ? WAL_HEADER : bytes + WAL_FRAME) {
        const struct image wal = {damage->wal.data,
                                  bytes < damage->wal.bytes ? bytes : damage->wal.bytes};
        lay(damage, &damage->db, &wal);
        if (check(damage, &err) == 0 && damage->state_count < STATES_MAX)
            damage->states[damage->state_count++] = content(damage);
        else if (bytes >= damage->wal.bytes)
            exit(2); /* it is not sound to begin with */
        if (bytes >= damage->wal.bytes)
            return;
    }
}

static size_t case_count(const struct damage *damage)
{
    if (strcmp(damage->way, "multi") == 0)
        return damage->cases;
    if (strcmp(damage->way, "size") == 0)
        return 65536;
    if (strcmp(damage->way, "wal-size") == 0)
        return 8;
    if (strcmp(damage->way, "flip") == 0 || strcmp(damage->way, "cut") == 0)
        return damage->db.bytes;
    if (strcmp(damage->way, "zero") == 0)
        return damage->db.bytes / PAGE + damage->db.bytes / 512;
    if (strcmp(damage->way, "swap") == 0)
        return damage->other.bytes / WAL_FRAME + 1;
    return damage->wal.bytes;
}

/* splitmix64 */
static uint64_t random_of(uint64_t *state)
{
    uint64_t number = *state += 0x9e3779b97f4a7c15U;
    number = (number ^ number >> 30U) * 0xbf58476d1ce4e5b9U;
    number = (number ^ number >> 27U) * 0x94d049bb133111ebU;
    return number ^ number >> 31U;
}

static void change_some(struct image *db, uint64_t seed, size_t at)
{
    uint64_t state = seed << 32U ^ at;
    size_t count = 2 + random_of(&state) % 15;
    size_t near = random_of(&state) % db->bytes;
    size_t within = random_of(&state) % 2 == 0 ? db->bytes : 256;
    for (size_t i = 0; i < count; i++) {
        size_t where = (near + random_of(&state) % within) % db->bytes;
        db->data[where] = (char)(db->data[where] ^ (char)(1 + random_of(&state) % 255));
    }
}

static void put_number(char *at, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (char)(number >> (24 - 8 * i));
}

/* The log says another size of its pages, and the sum of its header is right: that of a machine
 * whose words are little-endian (sqlite.org/fileformat.html#walformat). */
static void resize_log(struct image *wal, uint32_t page_bytes)
{
    uint32_t words[6], first = 0, second = 0;
    put_number(wal->data + 8, page_bytes);
    memcpy(words, wal->data, sizeof(words));
    for (unsigned i = 0; i < 6; i += 2) {
        first += words[i] + second;
        second += words[i + 1] + first;
    }
    put_number(wal->data + 24, first);
    put_number(wal->data + 28, second);
}

/* The damaged copies of DB and WAL for one case. */
static void make_case(const struct damage *damage, size_t at, struct image *db, struct image *wal)
{
    size_t pages = damage->db.bytes / PAGE;
    if (strcmp(damage->way, "multi") == 0)
        change_some(db, damage->seed, at);
    else if (strcmp(damage->way, "size") == 0)
        memcpy(db->data + 16, (char[]){(char)(at >> 8U), (char)at}, 2);
    else if (strcmp(damage->way, "wal-size") == 0)
        resize_log(wal, 512U << at);
    else if (strcmp(damage->way, "flip") == 0)
        db->data[at] = (char)(db->data[at] ^ (1 + (int)((at * 2654435761U + damage->seed) % 255)));
    else if (strcmp(damage->way, "cut") == 0)
        db->bytes =
            at + 1; /* an empty file is a store to be made, as a crash at the first start leaves */
    else if (strcmp(damage->way, "zero") == 0 && at < pages)
        memset(db->data + at * PAGE, 0, PAGE);
    else if (strcmp(damage->way, "zero") == 0)
        memset(db->data + (at - pages) * 512, 0, 512);
    else if (strcmp(damage->way, "wal-flip") == 0)
        wal->data[at] =
            (char)(wal->data[at] ^ (1 + (int)((at * 2654435761U + damage->seed) % 255)));
    else if (strcmp(damage->way, "wal-cut") == 0)
        wal->bytes = at;
    else
        *wal = (struct image){damage->other.data, at * WAL_FRAME + WAL_HEADER < damage->other.bytes
                                                      ? at * WAL_FRAME + WAL_HEADER
                                                      : damage->other.bytes};
}

static void try_case(struct damage *damage, size_t at)
{
    struct progress *progress = damage->progress;
    struct error err = {0};
    CLEANUP_FREE char *db_data = xmemdup(damage->db.data, damage->db.bytes);
    CLEANUP_FREE char *wal_data = xmemdup(damage->wal.data, damage->wal.bytes);
    struct image db = {db_data, damage->db.bytes};
    struct image wal = {wal_data, damage->wal.bytes};
    make_case(damage, at, &db, &wal);
    enum verdict verdict = judge(damage, &db, &wal, &err);
    progress->tried++;
    progress->verdicts[verdict]++;
    if (verdict >= WRONG_CODE && getenv("DAMAGE_TABLES") != NULL)
        printf("%s %zu: %s\n", damage->way, at, verdict == WRONG_CONTENT ? "content" : err.text);
    if (verdict >= WRONG_CODE && progress->wrong[0] == '\0')
        (void)snprintf(progress->wrong, sizeof(progress->wrong), "%zu: %s", at,
                       verdict == WRONG_CONTENT ? "taken, with another content" : err.text);
}

/* True when it crashed. */
static bool run(struct damage *damage, size_t from, size_t to, size_t step)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t at = from; at < to; at += step) {
            damage->progress->at = at;
            try_case(damage, at);
        }
        (void)fflush(stdout);
        _exit(0);
    }
    (void)waitpid(pid, &status, 0);
    return status != 0;
}

int main(int argc, char **argv)
{
    if (argc != 8 && argc != 9)
        return 64;
    log_init("damage", LOG_LEVEL_ERROR);
    struct damage damage = {.way = argv[1],
                            .db = load(argv[2]),
                            .wal = load(argv[3]),
                            .other = load(argv[4]),
                            .db_path = xasprintf("%s/batchd.db", argv[5]),
                            .wal_path = xasprintf("%s/batchd.db-wal", argv[5]),
                            .shm_path = xasprintf("%s/batchd.db-shm", argv[5]),
                            .seed = (unsigned)strtoul(argv[7], NULL, 10),
                            .cases = argc > 8 ? strtoul(argv[8], NULL, 10) : 0};
    size_t step = strtoul(argv[6], NULL, 10), crashes = 0;
    damage.progress = mmap(NULL, sizeof(*damage.progress), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    note_states(&damage);
    for (size_t from = damage.seed % step; run(&damage, from, case_count(&damage), step);
         from = damage.progress->at + step) {
        crashes++;
        printf("CRASH: %s, case %zu\n", damage.way, damage.progress->at);
    }
    const struct progress *progress = damage.progress;
    size_t wrong = progress->verdicts[WRONG_CODE] + progress->verdicts[WRONG_CONTENT];
    printf("damage: %s: %zu cases, %zu refused, %zu with the content before, %zu with that of an "
           "earlier commit, %zu wrong, %zu crashes\n",
           damage.way, progress->tried, progress->verdicts[REFUSED], progress->verdicts[RIGHT],
           progress->verdicts[EARLIER], wrong, crashes);
    if (wrong > 0)
        printf("VIOLATION: %s, case %s (%zu with another content)\n", damage.way, progress->wrong,
               progress->verdicts[WRONG_CONTENT]);
    return wrong > 0 || crashes > 0 ? 1 : 0;
}
