#include "daemon/store/removal_rows.h"

#include "daemon/store/job_rows.h"
#include "daemon/store/last_ids.h"
#include "daemon/store/status_columns.h"

#include <stdlib.h>

/* A millisecond or two. */
#define ROWS_A_PART 200
/* A plain job with more attempts than that goes in parts, too. */
#define FEW_ATTEMPTS ROWS_A_PART

static uint32_t sum_of(uint64_t job, int64_t rows)
{
    return sum_number(sum_number(0, (int64_t)job), rows);
}

/* How many rows that changed, or -1. */
static int run_with(struct db *db, const char *sql, const int64_t *numbers, int count,
                    struct error *err)
{
    sqlite3_stmt *statement = db_writing(db, sql, err);
    if (statement == NULL)
        return -1;
    bind_numbers(statement, 1, numbers, (size_t)count);
    return db_run(db, statement, err) < 0 ? -1 : sqlite3_changes(sqlite3_db_handle(statement));
}

/* ---- which ---- */

struct reading {
    uint64_t after;
    size_t most;
    void *list;
    size_t count; /* so far */
};

static int read_job(void *arg, sqlite3_stmt *row, struct error *err)
{
    struct reading *reading = arg;
    struct stored_job *list = reading->list;
    (void)err;
#define COLUMN(number) sqlite3_column_int64(row, number)
    list[reading->count++] =
        (struct stored_job){.id = (uint64_t)COLUMN(0),
                            .state = (enum job_state)COLUMN(1),
                            .uid = (uint32_t)COLUMN(2),
                            .parts = COLUMN(3) != 0 || COLUMN(4) > FEW_ATTEMPTS,
                            .submitted_at = COLUMN(5),
                            .ended_at = COLUMN(6)};
#undef COLUMN
    return 0;
}

static int read_list(struct db *db, const char *sql, db_row_fn each, struct reading *reading,
                     struct error *err)
{
    sqlite3_stmt *statement = db_statement(db, sql, err);
    if (statement == NULL)
        return -1;
    const int64_t numbers[] = {(int64_t)reading->after, (int64_t)reading->most};
    bind_numbers(statement, 1, numbers, 2);
    return db_each(db, statement, each, reading, err) < 0 ? -1 : (int)reading->count;
}

int removal_rows_jobs(struct db *db, uint64_t after, struct stored_job *ret, size_t most,
                      struct error *err)
{
    static const char sql[] =
        "SELECT id,state,uid,array IS NOT NULL,attempt,submitted_at,ended_at FROM job"
        " WHERE id>?1 AND NOT EXISTS (SELECT 1 FROM removal WHERE removal.job=job.id AND rows=1)"
        " ORDER BY id LIMIT ?2";
    struct reading reading = {.after = after, .most = most, .list = ret};
    return read_list(db, sql, read_job, &reading, err);
}

static int read_id(void *arg, sqlite3_stmt *row, struct error *err)
{
    struct reading *reading = arg;
    uint64_t *list = reading->list;
    (void)err;
    list[reading->count++] = (uint64_t)sqlite3_column_int64(row, 0);
    return 0;
}

int removal_rows_files(struct db *db, uint64_t after, uint64_t *ret, size_t most, struct error *err)
{
    static const char sql[] =
        "SELECT job FROM removal WHERE rows=0 AND job>?1 ORDER BY job LIMIT ?2";
    struct reading reading = {.after = after, .most = most};
    reading.list = ret;
    return read_list(db, sql, read_id, &reading, err);
}

/* ---- rows ---- */

static int delete_job(struct db *db, uint64_t job, struct error *err)
{
    static const char sql[] = "DELETE FROM job WHERE id=?1"; /* all that is its goes with it */
    if (last_ids_note(db, "job", err) < 0)
        return -1;
    const int64_t id = (int64_t)job;
    return run_with(db, sql, &id, 1, err);
}

static int put(struct db *db, uint64_t job, int64_t rows, struct error *err)
{
    static const char sql[] = "INSERT OR REPLACE INTO removal(job,rows,sum) VALUES(?1,?2,?3)";
    const int64_t numbers[] = {(int64_t)job, rows, sum_of(job, rows)};
    return run_with(db, sql, numbers, 3, err);
}

/* It is not found by its key any more: its row is not served. */
static int drop_key(struct db *db, uint64_t job, struct error *err)
{
    struct job_row row;
    if (job_rows_load(db, job, &row, err) < 0)
        return -1;
    free(row.facts.key);
    free(row.facts.digest);
    row.facts.key = row.facts.digest = NULL;
    int result = job_rows_rewrite(db, &row.facts, err);
    job_row_done(&row);
    return result;
}

/* Before they are deleted. */
static int tell(struct db *db, uint64_t job, enum use_part part,
                const struct use_listener *listener, struct error *err)
{
    return usage_rows_of(db, job, part, ROWS_A_PART, listener, err);
}

int removal_rows_begin(struct db *db, const struct stored_job *job,
                       const struct use_listener *listener, struct error *err)
{
    int result = 0;
    if (job->parts)
        result = drop_key(db, job->id, err);
    else if (tell(db, job->id, USE_OF_ATTEMPTS, listener, err) < 0 ||
             tell(db, job->id, USE_OF_JOB, listener, err) < 0 || delete_job(db, job->id, err) < 0)
        result = -1;
    return result < 0 ? -1 : put(db, job->id, job->parts, err);
}

/* Of values those that no other array has: retries share a set. */
#define OWN_SETS                                                                       \
    " FROM array_option AS mine WHERE mine.job=?1 AND mine.value_set>0 AND NOT EXISTS" \
    " (SELECT 1 FROM array_option WHERE value_set=mine.value_set AND value_set>0 AND job<>?1)"

/* Some rows of a job, each kind in its turn; those that used something go in the order in which
 * they are told of. */
static const char *const part_texts[] = {
    "DELETE FROM attempt WHERE (job,task_index,attempt) IN (SELECT job,task_index,attempt"
    " FROM attempt WHERE job=?1 ORDER BY task_index,attempt LIMIT ?2)",
    "DELETE FROM task WHERE (job,task_index) IN"
    " (SELECT job,task_index FROM task WHERE job=?1 ORDER BY task_index LIMIT ?2)",
    "DELETE FROM attempt_note WHERE (job,task_index,attempt) IN"
    " (SELECT job,task_index,attempt FROM attempt_note WHERE job=?1 LIMIT ?2)",
    "DELETE FROM checkpoint WHERE (job,task_index) IN"
    " (SELECT job,task_index FROM checkpoint WHERE job=?1 LIMIT ?2)",
    "DELETE FROM task_cancelled WHERE (job,first) IN"
    " (SELECT job,first FROM task_cancelled WHERE job=?1 LIMIT ?2)",
    "DELETE FROM value_chunk WHERE rowid IN (SELECT value_chunk.rowid FROM value_chunk"
    " WHERE value_set IN (SELECT mine.value_set" OWN_SETS ") LIMIT ?2)",
    "DELETE FROM value_set WHERE id IN (SELECT mine.value_set" OWN_SETS " LIMIT ?2)",
};

static int delete_part(struct db *db, uint64_t job, size_t kind,
                       const struct use_listener *listener, struct error *err)
{
    static const enum use_part uses[] = {USE_OF_ATTEMPTS, USE_OF_TASKS};
    const int64_t numbers[] = {(int64_t)job, ROWS_A_PART};
    if (kind < sizeof(uses) / sizeof(uses[0]) && tell(db, job, uses[kind], listener, err) < 0)
        return -1;
    return run_with(db, part_texts[kind], numbers, 2, err);
}

int removal_rows_part(struct db *db, const struct use_listener *listener, struct error *err)
{
    static const char sql[] = "SELECT job FROM removal WHERE rows=1 AND job>?1 LIMIT ?2";
    uint64_t job = 0;
    struct reading reading = {.most = 1, .list = &job};
    int found = read_list(db, sql, read_id, &reading, err);
    if (found > 0 && last_ids_note(db, "value_set", err) < 0)
        return -1;
    for (size_t i = 0; found > 0 && i < sizeof(part_texts) / sizeof(part_texts[0]); i++) {
        int deleted = delete_part(db, job, i, listener, err);
        if (deleted != 0)
            return deleted < 0 ? -1 : 1;
    }
    if (found <= 0)
        return found;
    return tell(db, job, USE_OF_JOB, listener, err) < 0 || delete_job(db, job, err) < 0 ||
                   put(db, job, 0, err) < 0
               ? -1
               : 1;
}

int removal_rows_end(struct db *db, uint64_t job, struct error *err)
{
    static const char sql[] = "DELETE FROM removal WHERE job=?1 AND rows=0";
    const int64_t id = (int64_t)job;
    return run_with(db, sql, &id, 1, err);
}

static int check_row(void *arg, sqlite3_stmt *row, struct error *err)
{
    uint64_t job = (uint64_t)sqlite3_column_int64(row, 0);
    (void)arg;
    if (sum_of(job, sqlite3_column_int64(row, 1)) == sqlite3_column_int64(row, 2))
        return 0;
    return error_set(err, ERROR_DAMAGED, "the row of the removal of job %llu fails its checksum",
                     (unsigned long long)job);
}

int removal_rows_check(struct db *db, struct error *err)
{
    static const char sql[] = "SELECT job,rows,sum FROM removal";
    return db_each(db, db_statement(db, sql, err), check_row, NULL, err);
}
