#include "daemon/store/dependency_rows.h"

#include "common/alloc.h"
#include "daemon/store/status_columns.h"

#define COLUMNS "job,position,any,type,parent,task_index,done_at,sum"
#define NUMBERS 7
#define NO_TASK (-1)
#define ALWAYS 1

static void numbers_of(const struct dependency_row *row, int64_t ret[NUMBERS])
{
    ret[0] = (int64_t)row->job;
    ret[1] = row->position;
    ret[2] = row->any;
    ret[3] = row->what.type;
    ret[4] = (int64_t)row->what.parent;
    ret[5] = row->what.is_task ? (int64_t)row->what.index : NO_TASK;
    ret[6] = row->done_at;
}

int dependency_rows_put(struct db *db, const struct dependency_row *row, struct error *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO dependency(" COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8)";
    int64_t numbers[NUMBERS];
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    numbers_of(row, numbers);
    bind_numbers(statement, 1, numbers, NUMBERS);
    (void)sqlite3_bind_int64(statement, NUMBERS + 1, sum_numbers(0, numbers, NUMBERS));
    return db_run(db, statement, err);
}

int dependency_rows_delete(struct db *db, uint64_t job, struct error *err)
{
    static const char sql[] = "DELETE FROM dependency WHERE job=?1";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_run(db, statement, err);
}

static int read_row(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct dependency_row *ret = arg;
    int64_t numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(statement, i);
    bool is_task = numbers[5] != NO_TASK;
    *ret = (struct dependency_row){.job = (uint64_t)numbers[0],
                                   .position = (uint32_t)numbers[1],
                                   .any = numbers[2] != 0,
                                   .what = {.type = (enum dependency_type)numbers[3],
                                            .is_task = is_task,
                                            .parent = (uint64_t)numbers[4],
                                            .index = is_task ? (uint64_t)numbers[5] : 0},
                                   .done_at = numbers[6]};
    if (sum_numbers(0, numbers, NUMBERS) == sqlite3_column_int64(statement, NUMBERS) &&
        (unsigned)ret->what.type < DEPENDENCY_TYPE_COUNT)
        return 0;
    return error_set(err, ERROR_DAMAGED, "a row of dependencies of job %llu fails its checksum",
                     (unsigned long long)ret->job);
}

struct reading {
    dependency_row_fn call;
    void *arg;
};

static int read_one(void *arg, sqlite3_stmt *statement, struct error *err)
{
    const struct reading *reading = arg;
    struct dependency_row row;
    if (read_row(&row, statement, err) < 0)
        return -1;
    reading->call(reading->arg, &row);
    return 0;
}

int dependency_rows_each(struct db *db, uint64_t job, dependency_row_fn call, void *arg,
                         struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM dependency WHERE job=?1 ORDER BY position";
    struct reading reading = {call, arg};
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)job);
    return db_each(db, statement, read_one, &reading, err);
}

int dependency_rows_each_open(struct db *db, dependency_row_fn call, void *arg, struct error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM dependency WHERE job IN"
        " (SELECT id FROM job INDEXED BY job_open WHERE state<4) ORDER BY job, position";
    struct reading reading = {call, arg};
    return db_each(db, db_statement(db, sql, err), read_one, &reading, err);
}

struct loading {
    struct dependency_spec *spec;
    size_t open;
    int64_t first, last; /* when one was fulfilled; 0: none is */
};

static void load_one(void *arg, const struct dependency_row *row)
{
    struct loading *loading = arg;
    struct dependency_spec *spec = loading->spec;
    spec->any = row->any;
    spec->items = xreallocarray(spec->items, spec->count + 1, sizeof(*spec->items));
    spec->items[spec->count++] = row->what;
    if (row->what.type == DEPENDENCY_AFTERCORR) /* the array itself does not wait for it */
        return;
    if (row->done_at <= 0) {
        loading->open++;
        return;
    }
    loading->first =
        loading->first == 0 || row->done_at < loading->first ? row->done_at : loading->first;
    loading->last = row->done_at > loading->last ? row->done_at : loading->last;
}

int dependency_rows_load(struct db *db, uint64_t job, struct dependency_spec *ret,
                         int64_t *ret_done_at, struct error *err)
{
    struct loading loading = {.spec = ret};
    *ret = (struct dependency_spec){.items = NULL};
    *ret_done_at = 0;
    if (dependency_rows_each(db, job, load_one, &loading, err) < 0) {
        dependency_spec_done(ret);
        return -1;
    }
    if (ret->any)
        *ret_done_at = loading.first;
    else if (loading.open == 0)
        *ret_done_at = loading.last > 0 || ret->count == 0 ? loading.last : ALWAYS;
    return 0;
}

int dependency_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM dependency";
    struct dependency_row row;
    return db_each(db, db_statement(db, sql, err), read_row, &row, err);
}
