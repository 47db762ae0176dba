#include "daemon/store/value_rows.h"

#include "common/alloc.h"
#include "common/crc32c.h"
#include "daemon/store/last_ids.h"
#include "daemon/store/status_columns.h"

static uint32_t sum_of(const struct value_set *set)
{
    uint32_t sum = sum_number(0, (int64_t)set->id);
    sum = sum_number(sum, (int64_t)set->count);
    return sum_number(sum_number(sum, (int64_t)set->bytes), set->content);
}

int value_rows_begin(struct db *db, struct value_set *set, struct error *err)
{
    static const char sql[] =
        "INSERT INTO value_set(count,bytes,content,sum) VALUES(0,0,0,0) RETURNING id";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    int code = db_step(db, statement, err);
    if (code != SQLITE_ROW)
        return code < 0 ? -1 : error_set(err, ERROR_INTERNAL, "a set of values got no id");
    *set = (struct value_set){.id = (uint64_t)sqlite3_column_int64(statement, 0)};
    (void)sqlite3_step(statement); /* to its end: only then is the row there */
    (void)sqlite3_reset(statement);
    return value_rows_update(db, set, err);
}

int value_rows_update(struct db *db, const struct value_set *set, struct error *err)
{
    static const char sql[] =
        "UPDATE value_set SET count=?2,bytes=?3,content=?4,sum=?5 WHERE id=?1";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)set->id, (int64_t)set->count, (int64_t)set->bytes,
                               set->content, sum_of(set)};
    bind_numbers(statement, 1, numbers, 5);
    return db_run(db, statement, err);
}

static uint32_t sum_of_chunk(uint64_t set, uint64_t first, const void *data, size_t bytes)
{
    uint32_t sum = sum_number(sum_number(0, (int64_t)set), (int64_t)first);
    return crc32c(sum_number(sum, (int64_t)bytes), data, bytes);
}

int value_rows_append(struct db *db, struct value_set *set, const struct value_pack *pack,
                      struct error *err)
{
    static const char sql[] =
        "INSERT INTO value_chunk(value_set,first,data,sum) VALUES(?1,?2,?3,?4)";
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t names[] = {(int64_t)set->id, (int64_t)set->count};
    bind_numbers(statement, 1, names, 2);
    (void)sqlite3_bind_blob64(statement, 3, pack->data, pack->bytes, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 4,
                             sum_of_chunk(set->id, set->count, pack->data, pack->bytes));
    if (db_run(db, statement, err) < 0)
        return -1;
    set->content = crc32c(set->content, pack->data, pack->bytes);
    set->count += pack->count;
    set->bytes += pack->bytes;
    return 0;
}

static int read_set(sqlite3_stmt *statement, struct value_set *ret, struct error *err)
{
    *ret = (struct value_set){.id = (uint64_t)sqlite3_column_int64(statement, 0),
                              .count = (uint64_t)sqlite3_column_int64(statement, 1),
                              .bytes = (uint64_t)sqlite3_column_int64(statement, 2),
                              .content = (uint32_t)sqlite3_column_int64(statement, 3)};
    if (sum_of(ret) == sqlite3_column_int64(statement, 4) &&
        ret->content == sqlite3_column_int64(statement, 3))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of the set of values %llu fails its checksum",
                     (unsigned long long)ret->id);
}

int value_rows_load(struct db *db, uint64_t id, struct value_set *ret, struct error *err)
{
    static const char sql[] = "SELECT id,count,bytes,content,sum FROM value_set WHERE id=?1";
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)id);
    int code = db_step(db, statement, err);
    if (code < 0)
        return -1;
    if (code != SQLITE_ROW)
        return error_set(err, ERROR_NOT_FOUND, "no set of values %llu", (unsigned long long)id);
    int result = read_set(statement, ret, err);
    (void)sqlite3_reset(statement);
    return result;
}

/* The chunk that the statement stands at: 0 and its bytes, which are SQLite's, or -1. */
static int read_chunk(sqlite3_stmt *statement, uint64_t *ret_first, const char **ret_data,
                      size_t *ret_bytes, struct error *err)
{
    uint64_t set = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret_first = (uint64_t)sqlite3_column_int64(statement, 1);
    *ret_data = sqlite3_column_blob(statement, 2);
    *ret_bytes = (size_t)sqlite3_column_bytes(statement, 2);
    if (sum_of_chunk(set, *ret_first, *ret_data, *ret_bytes) == sqlite3_column_int64(statement, 3))
        return 0;
    return error_set(err, ERROR_DAMAGED, "values of the set %llu fail their checksum",
                     (unsigned long long)set);
}

char *value_rows_find(struct db *db, uint64_t set, uint64_t position, size_t *ret_bytes,
                      struct error *err)
{
    static const char sql[] = "SELECT value_set,first,data,sum FROM value_chunk WHERE value_set=?1 "
                              "AND first<=?2 ORDER BY first DESC LIMIT 1";
    char *value = NULL;
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return NULL;
    const int64_t names[] = {(int64_t)set, (int64_t)position};
    bind_numbers(statement, 1, names, 2);
    int code = db_step(db, statement, err);
    if (code < 0)
        return NULL;
    if (code == SQLITE_ROW) {
        uint64_t first;
        const char *data;
        size_t bytes;
        int result = read_chunk(statement, &first, &data, &bytes, err);
        const char *found =
            result < 0 ? NULL : value_pack_find(data, bytes, position - first, ret_bytes);
        if (found != NULL)
            value = xmemdup(found, *ret_bytes);
        (void)sqlite3_reset(statement);
        if (result < 0)
            return NULL;
    }
    if (value == NULL)
        (void)error_set(err, ERROR_DAMAGED, "the set of values %llu has no value %llu",
                        (unsigned long long)set, (unsigned long long)position);
    return value;
}

int value_rows_drop(struct db *db, uint64_t id, struct error *err)
{
    static const char sql[] = "DELETE FROM value_set WHERE id=?1"; /* its chunks go with it */
    return last_ids_delete(db, "value_set", sql, id, err);
}

int value_rows_drop_unused(struct db *db, struct error *err)
{
    static const char sql[] =
        "DELETE FROM value_set WHERE id NOT IN (SELECT value_set FROM array_option)";
    if (last_ids_note(db, "value_set", err) < 0)
        return -1;
    sqlite3_stmt *statement = db_writing(db, sql, err);
    return statement == NULL ? -1 : db_run(db, statement, err);
}

static int check_set(void *arg, sqlite3_stmt *statement, struct error *err)
{
    struct value_set set;
    (void)arg;
    return read_set(statement, &set, err);
}

static int check_chunk(void *arg, sqlite3_stmt *statement, struct error *err)
{
    uint64_t first;
    const char *data;
    size_t bytes;
    (void)arg;
    return read_chunk(statement, &first, &data, &bytes, err);
}

int value_rows_check(struct db *db, struct error *err)
{
    static const char sets[] = "SELECT id,count,bytes,content,sum FROM value_set";
    static const char chunks[] = "SELECT value_set,first,data,sum FROM value_chunk";
    if (db_each(db, db_statement(db, sets, err), check_set, NULL, err) < 0)
        return -1;
    return db_each(db, db_statement(db, chunks, err), check_chunk, NULL, err);
}
