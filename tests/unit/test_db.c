/* The store's log: when it begins anew, and that it still belongs to its store then. */
#include "common/fd.h"
#include "daemon/store/db.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static const struct db_options options = {.cache_bytes = 1U << 20, .wal_limit_bytes = 1U << 30};

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/batchd-db-XXXXXX")));
}

static void in_folder(char *ret, const char *name)
{
    (void)snprintf(ret, 96, "%s/%s", folder, name);
}

static void teardown(void)
{
    static const char *const names[] = {"store", "store-wal", "copy", "copy-wal", "copy-shm"};
    char path[96];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        in_folder(path, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static struct db *open_store(const char *name)
{
    char path[96];
    struct error err = {.text = ""};
    in_folder(path, name);
    struct db *db = db_open(path, &options, &err);
    ck_assert_msg(db != NULL, "%s", err.text);
    return db;
}

static void write_some(struct db *db)
{
    static const char sql[] = "INSERT INTO number VALUES(hex(randomblob(8)), 1, 0)";
    struct error err = {.text = ""};
    sqlite3_stmt *statement = db_writing(db, sql, &err);
    ck_assert_msg(statement != NULL && db_run(db, statement, &err) == 0, "%s", err.text);
}

static void commit(struct db *db)
{
    struct error err = {.text = ""};
    ck_assert_msg(db_commit(db, &err) == 0, "%s", err.text);
}

static void copy(const char *from, const char *to)
{
    char path[96];
    size_t bytes = 0;
    in_folder(path, from);
    char *data = fd_read_file(AT_FDCWD, path, 1U << 24, &bytes);
    in_folder(path, to);
    FILE *file = fopen(path, "w");
    ck_assert(data != NULL && file != NULL && fwrite(data, 1, bytes, file) == bytes);
    (void)fclose(file);
    free(data);
}

/* As a power loss leaves it: the store and its log, which has begun anew. */
START_TEST(a_log_belongs_to_its_store_also_when_it_was_to_be_copied_too_early)
{
    struct db *db = open_store("store");
    for (int i = 0; i < 2; i++) { /* the second is not the first commit of a log */
        write_some(db);
        commit(db);
    }
    write_some(db);
    db_shrink(db);
    commit(db);
    db_shrink(db);
    write_some(db);
    commit(db);
    copy("store", "copy");
    copy("store-wal", "copy-wal");
    db_close(open_store("copy"));
    db_close(db);
}
END_TEST

START_TEST(what_it_refuses_is_counted)
{
    static const char sql[] = "INSERT INTO number VALUES('one', 1, 0)";
    struct error err = {.text = ""};
    struct db *db = open_store("store");
    ck_assert_int_eq(db_run(db, db_writing(db, sql, &err), &err), 0);
    ck_assert_uint_eq(db_errors(db), 0);
    ck_assert_int_eq(db_run(db, db_writing(db, sql, &err), &err), -1);
    ck_assert_uint_eq(db_errors(db), 1);
    db_close(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, a_log_belongs_to_its_store_also_when_it_was_to_be_copied_too_early);
    tcase_add_test(all, what_it_refuses_is_counted);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
