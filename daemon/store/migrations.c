#include "daemon/store/migrations.h"

#include "daemon/store/row_sum.h"
#include "daemon/store/schema_sql.h"
#include "daemon/store/stamp.h"

#include <stddef.h>

/* What the sum of a job's status began with in schema 6, and begins with since. */
#define SUMMED_STATUS                                                                               \
    "id,state,attempt,charged,losses,cancelling,worker,started_at,ended_at,class,exit_code,signal," \
    "user_us,system_us,run_us,max_rss_bytes,stdout_bytes,stderr_bytes,cut_bytes,lost_bytes"

/* What the sum of a minute of the machine was made of before schema 14. */
#define SUMMED_MINUTE                                                                 \
    "minute,samples,cpu_count,cpu_sum,cpu_highest,load_count,load_sum,load_highest,"  \
    "memory_count,memory_sum,memory_highest,swap_count,swap_sum,swap_highest,"        \
    "cpu_pressure_count,cpu_pressure_sum,cpu_pressure_highest,memory_pressure_count," \
    "memory_pressure_sum,memory_pressure_highest,io_pressure_count,io_pressure_sum,"  \
    "io_pressure_highest"

/* Numbers in state, priority and class are the enums of core/job.h; times are microseconds since
 * the epoch, 0 = not yet; facts_sum and status_sum are CRC-32C over the columns (job_rows.c). The
 * triggers repeat two invariants where no code can forget them: a terminal state never changes, and
 * an attempt number never goes back. */
static const char *const migrations[] = {
    "CREATE TABLE number(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE job("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 6),"
    " attempt INTEGER NOT NULL, charged INTEGER NOT NULL, losses INTEGER NOT NULL,"
    " cancelling INTEGER NOT NULL, worker INTEGER NOT NULL,"
    " started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " class INTEGER NOT NULL, exit_code INTEGER, signal INTEGER, message TEXT,"
    " user_us INTEGER, system_us INTEGER, run_us INTEGER, max_rss_bytes INTEGER,"
    " stdout_bytes INTEGER, stderr_bytes INTEGER, cut_bytes INTEGER, lost_bytes INTEGER,"
    " result TEXT, status_sum INTEGER NOT NULL,"
    " uid INTEGER NOT NULL, gid INTEGER NOT NULL, priority INTEGER NOT NULL,"
    " cpus INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, max_attempts INTEGER NOT NULL,"
    " rerun_if_lost INTEGER NOT NULL, submitted_at INTEGER NOT NULL,"
    " name TEXT NOT NULL, type TEXT, key TEXT, tags TEXT, run BLOB NOT NULL,"
    " facts_sum INTEGER NOT NULL);"
    "CREATE INDEX job_open ON job(id) WHERE state < 4;"
    "CREATE INDEX job_ended ON job(ended_at) WHERE state >= 4;"
    "CREATE UNIQUE INDEX job_key ON job(uid, key) WHERE key IS NOT NULL;"
    "CREATE TRIGGER job_terminal BEFORE UPDATE OF state ON job WHEN old.state >= 4"
    " BEGIN SELECT RAISE(ABORT, 'a terminal state never changes'); END;"
    "CREATE TRIGGER job_attempt BEFORE UPDATE OF attempt ON job WHEN new.attempt < old.attempt"
    " BEGIN SELECT RAISE(ABORT, 'an attempt number never goes back'); END;"
    "CREATE TABLE attempt("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, attempt INTEGER NOT NULL,"
    " worker INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " class INTEGER NOT NULL, exit_code INTEGER, signal INTEGER, message TEXT,"
    " PRIMARY KEY(job, attempt)) WITHOUT ROWID;"
    "CREATE TABLE worker("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL, made_at INTEGER NOT NULL);",

    /* 2: arrays. One row is the whole array; a task gets a row when it starts. An index that no
     * query used goes, since each end of a job wrote to it. */
    "DROP INDEX job_ended;"
    "ALTER TABLE job ADD COLUMN array TEXT;"
    "ALTER TABLE job ADD COLUMN next INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN tasks_completed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN tasks_failed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN tasks_cancelled INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE task("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, task_index INTEGER NOT NULL,"
    " state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 6),"
    " attempt INTEGER NOT NULL, charged INTEGER NOT NULL, losses INTEGER NOT NULL,"
    " cancelling INTEGER NOT NULL, worker INTEGER NOT NULL,"
    " started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " class INTEGER NOT NULL, exit_code INTEGER, signal INTEGER, message TEXT,"
    " user_us INTEGER, system_us INTEGER, run_us INTEGER, max_rss_bytes INTEGER,"
    " stdout_bytes INTEGER, stderr_bytes INTEGER, cut_bytes INTEGER, lost_bytes INTEGER,"
    " result TEXT, status_sum INTEGER NOT NULL,"
    " PRIMARY KEY(job, task_index)) WITHOUT ROWID;"
    "CREATE INDEX task_open ON task(job, task_index) WHERE state < 4;"
    "CREATE INDEX task_failed ON task(job, task_index) WHERE state = 5;"
    "CREATE TRIGGER task_terminal BEFORE UPDATE OF state ON task WHEN old.state >= 4"
    " BEGIN SELECT RAISE(ABORT, 'a terminal state never changes'); END;"
    "CREATE TRIGGER task_attempt BEFORE UPDATE OF attempt ON task WHEN new.attempt < old.attempt"
    " BEGIN SELECT RAISE(ABORT, 'an attempt number never goes back'); END;"
    "ALTER TABLE attempt RENAME TO attempt_1;"
    "CREATE TABLE attempt("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,"
    " task_index INTEGER NOT NULL, attempt INTEGER NOT NULL," /* -1: of a plain job */
    " worker INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " class INTEGER NOT NULL, exit_code INTEGER, signal INTEGER, message TEXT,"
    " PRIMARY KEY(job, task_index, attempt)) WITHOUT ROWID;"
    "INSERT INTO attempt SELECT job,-1,attempt,worker,started_at,ended_at,class,exit_code,signal,"
    " message FROM attempt_1;"
    "DROP TABLE attempt_1;",

    /* 3: what a waiting job waits for, beyond the jobs before it. */
    "CREATE TABLE condition("
    " job INTEGER PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
    " hold INTEGER NOT NULL, held INTEGER NOT NULL,"
    " begin_at INTEGER NOT NULL, released_at INTEGER NOT NULL, sum INTEGER NOT NULL);",

    /* 4: how long jobs are expected to run: what their users say, what was predicted as they
     * started, and what was learned from those that ended (estimate_rows.c). */
    "ALTER TABLE job ADD COLUMN estimate_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN predicted_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN predicted_by INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN predicted_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN predicted_by INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE estimate("
    " kind INTEGER NOT NULL, uid INTEGER NOT NULL, name TEXT NOT NULL,"
    " samples INTEGER NOT NULL, mean_us INTEGER NOT NULL, published_us INTEGER NOT NULL,"
    " learned_at INTEGER NOT NULL, runs BLOB NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(kind, uid, name)) WITHOUT ROWID;"
    /* GPUs, disk and counters that a job asks for, and the GPUs that an attempt has, as bits. */
    "ALTER TABLE job ADD COLUMN gpus INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN counters TEXT;"
    "ALTER TABLE job ADD COLUMN gpu_set INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN gpu_set INTEGER NOT NULL DEFAULT 0;"
    /* Tasks cancelled before they started, as ranges of positions. */
    "CREATE TABLE task_cancelled("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " message TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(job, first)) WITHOUT ROWID;"
    /* Queues: which one a job is in (it may be moved, so the checksum of its facts leaves it out),
     * and what was set about them at run time. */
    "ALTER TABLE job ADD COLUMN queue TEXT NOT NULL DEFAULT 'default';"
    "ALTER TABLE job ADD COLUMN edited_at INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE queue_setting("
    " queue TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(queue, key)) WITHOUT ROWID;"
    /* What waiting jobs wait for (dependency_rows.c); and unfinished jobs by their name, for
     * singletons: without it each would look at all of them. */
    "CREATE INDEX job_name ON job(uid, name) WHERE state < 4;"
    "CREATE TABLE dependency("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, position INTEGER NOT NULL,"
    " any INTEGER NOT NULL, type INTEGER NOT NULL, parent INTEGER NOT NULL,"
    " task_index INTEGER NOT NULL," /* -1: the whole job */
    " done_at INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(job, position)) WITHOUT ROWID;"
    "ALTER TABLE condition ADD COLUMN deadline_at INTEGER NOT NULL DEFAULT 0;"
    /* Schedules: what is submitted again and again. */
    "CREATE TABLE schedule("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    " overlap INTEGER NOT NULL, catch_up INTEGER NOT NULL, paused INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, done_until INTEGER NOT NULL,"
    " last_job INTEGER NOT NULL, last_run_at INTEGER NOT NULL, skipped_at INTEGER NOT NULL,"
    " name TEXT NOT NULL, at TEXT NOT NULL, zone TEXT, skipped_why TEXT, sum INTEGER NOT NULL,"
    " job TEXT NOT NULL, job_sum INTEGER NOT NULL, UNIQUE(uid, name));"
    /* What some arrays are submitted with, and which job a job is the retry of. */
    "CREATE TABLE array_option("
    " job INTEGER PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
    " fails_kind INTEGER NOT NULL, fails_most INTEGER NOT NULL,"
    " value_set INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE value_set("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, count INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " content INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE value_chunk("
    " value_set INTEGER NOT NULL REFERENCES value_set(id) ON DELETE CASCADE,"
    " first INTEGER NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(value_set, first));"
    "CREATE TABLE retry("
    " job INTEGER PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
    " retry_of INTEGER NOT NULL, sum INTEGER NOT NULL);",

    /* 5: of a job with a key, what was asked for. */
    "ALTER TABLE job ADD COLUMN digest TEXT;",

    /* 6: a word that at most one unfinished job of a user has. The ends of jobs without one write
     * nothing to its index. */
    "ALTER TABLE job ADD COLUMN unique_key TEXT;"
    "CREATE UNIQUE INDEX job_unique ON job(uid, unique_key)"
    " WHERE unique_key IS NOT NULL AND state < 4;"
    /* Jobs that are being removed: while `rows` is 1 some of their rows are still there, and are
     * served no more; what is left then is their files (removal_rows.c). */
    "CREATE TABLE removal(job INTEGER PRIMARY KEY, rows INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE INDEX removal_rows ON removal(job) WHERE rows = 1;"
    "CREATE INDEX array_values ON array_option(value_set) WHERE value_set > 0;"
    /* What users used by jobs that were removed, decayed to `at` (usage_rows.c). */
    "CREATE TABLE past_use("
    " uid INTEGER PRIMARY KEY, used_us INTEGER NOT NULL, at INTEGER NOT NULL, sum INTEGER NOT NULL);"
    /* Circuit breakers: of names, types and queues of which something failed lately, or that
     * somebody opened or disabled (breaker_rows.c). `ends` is how many bits of `window` count. */
    "CREATE TABLE breaker("
    " kind INTEGER NOT NULL, uid INTEGER NOT NULL, name TEXT NOT NULL,"
    " state INTEGER NOT NULL, window INTEGER NOT NULL, ends INTEGER NOT NULL,"
    " openings INTEGER NOT NULL, good INTEGER NOT NULL, bad INTEGER NOT NULL,"
    " changed_at INTEGER NOT NULL, until INTEGER NOT NULL,"
    " failed_at INTEGER NOT NULL, failed_class INTEGER NOT NULL,"
    " exit_code INTEGER NOT NULL, signal INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(kind, uid, name)) WITHOUT ROWID;"
    /* When a failed job is tried again: its rule (NULL: as before this version), until when and how
     * long one waits after a failure; and of earlier attempts all that is known of the last. */
    "ALTER TABLE job ADD COLUMN retry TEXT;"
    "ALTER TABLE job ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN retry_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN retry_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN retry_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN user_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN system_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN run_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN max_rss_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN stdout_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN stderr_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN cut_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN lost_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN sum INTEGER;" /* NULL: kept before this version */
    /* The newest checkpoint of a job or task that made one, and what is noted of an attempt. */
    "CREATE TABLE checkpoint("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, task_index INTEGER NOT NULL,"
    " number INTEGER NOT NULL, count INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, made_at INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(job, task_index)) WITHOUT ROWID;"
    "CREATE TABLE attempt_note("
    " job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, task_index INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, resumed_number INTEGER NOT NULL,"
    " resumed_attempt INTEGER NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(job, task_index, attempt)) WITHOUT ROWID;"
    /* A worker of another boot is known to be dead. */
    "ALTER TABLE worker ADD COLUMN sum INTEGER;", /* NULL: made before this version */

    /* 7: all that is stored has a checksum; and the store has a link (stamp.h). The default is the
     * sum of the default queue. */
    "UPDATE worker SET sum=checksum(boot_id,made_at) WHERE sum IS NULL;"
    "UPDATE attempt SET sum=checksum(job,task_index,attempt,worker,started_at,ended_at,class,"
    " coalesce(exit_code,0),coalesce(signal,0),kind,memory_bytes,retry_us,user_us,system_us,run_us,"
    " max_rss_bytes,stdout_bytes,stderr_bytes,cut_bytes,lost_bytes,coalesce(message,''))"
    " WHERE sum IS NULL;"
    "ALTER TABLE job ADD COLUMN queue_sum INTEGER NOT NULL DEFAULT 3241618030;"
    "UPDATE job SET queue_sum=checksum(queue) WHERE queue<>'default';"
    /* The last ids, which no row may tell (last_ids.c). */
    "ALTER TABLE number ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;"
    "INSERT INTO number(name,value) SELECT 'last ' || name, seq FROM sqlite_sequence;"
    "UPDATE number SET sum=checksum(name,value);"
    /* That tasks were cancelled, or ended, before the first of the array began is in the sum, too;
     * of a row whose sum is right. */
    "UPDATE job SET status_sum=checksum(" SUMMED_STATUS ",next,tasks_completed,tasks_failed,"
    " tasks_cancelled,coalesce(message,''),result)"
    " WHERE next=0 AND tasks_completed+tasks_failed+tasks_cancelled>0 AND"
    " status_sum=checksum(" SUMMED_STATUS ",coalesce(message,''),result);"
    /* What a task asks for that had too little memory (0: as its array), and what jobs of a name or
     * type that had should ask for (0: none had). */
    "ALTER TABLE task ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE estimate ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;",

    /* 8: what happened to jobs in each minute (rollup_rows.c). type: '' for commands. */
    "CREATE TABLE rollup("
    " minute INTEGER NOT NULL, uid INTEGER NOT NULL, queue TEXT NOT NULL, type TEXT NOT NULL,"
    " submitted INTEGER NOT NULL, started INTEGER NOT NULL, completed INTEGER NOT NULL,"
    " failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, retried INTEGER NOT NULL,"
    " ran INTEGER NOT NULL, wait_us INTEGER NOT NULL, run_us INTEGER NOT NULL,"
    " cpu_us INTEGER NOT NULL, waits TEXT NOT NULL, runs TEXT NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(minute, uid, queue, type)) WITHOUT ROWID;",

    /* 9: why a worker was made, how many jobs waited then, and whether it is to leave
     * (core/worker_facts.h). */
    "ALTER TABLE worker ADD COLUMN why INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE worker ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE worker ADD COLUMN drain INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE worker ADD COLUMN drain_at INTEGER NOT NULL DEFAULT 0;"
    "UPDATE worker SET sum=checksum(boot_id,made_at,why,waiting,drain,drain_at)"
    " WHERE sum=checksum(boot_id,made_at);",

    /* 10: a job may ask for a share of a GPU, in thousandths, and for memory of each of its GPUs.
     */
    "ALTER TABLE job ADD COLUMN gpu_share INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN gpu_memory_bytes INTEGER NOT NULL DEFAULT 0;",

    /* 11: the machine in each minute (machine_rows.c), in thousandths. */
    "CREATE TABLE machine_minute("
    " minute INTEGER PRIMARY KEY, samples INTEGER NOT NULL,"
    " cpu_count INTEGER NOT NULL, cpu_sum INTEGER NOT NULL, cpu_highest INTEGER NOT NULL,"
    " load_count INTEGER NOT NULL, load_sum INTEGER NOT NULL, load_highest INTEGER NOT NULL,"
    " memory_count INTEGER NOT NULL, memory_sum INTEGER NOT NULL,"
    " memory_highest INTEGER NOT NULL,"
    " swap_count INTEGER NOT NULL, swap_sum INTEGER NOT NULL, swap_highest INTEGER NOT NULL,"
    " cpu_pressure_count INTEGER NOT NULL, cpu_pressure_sum INTEGER NOT NULL,"
    " cpu_pressure_highest INTEGER NOT NULL,"
    " memory_pressure_count INTEGER NOT NULL, memory_pressure_sum INTEGER NOT NULL,"
    " memory_pressure_highest INTEGER NOT NULL,"
    " io_pressure_count INTEGER NOT NULL, io_pressure_sum INTEGER NOT NULL,"
    " io_pressure_highest INTEGER NOT NULL, sum INTEGER NOT NULL);",

    /* 12: a job may be bound to processors of its own; NULL: to none. */
    "ALTER TABLE job ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN cpu_list TEXT;"
    "ALTER TABLE task ADD COLUMN cpu_list TEXT;",

    /* 13: when a run of a schedule completed and failed last. */
    "ALTER TABLE schedule ADD COLUMN completed_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE schedule ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;"
    "UPDATE schedule SET sum=checksum(uid,gid,overlap,catch_up,paused,created_at,done_until,last_job,"
    "last_run_at,skipped_at,completed_at,failed_at,name,at,zone,skipped_why)"
    " WHERE sum=checksum(uid,gid,overlap,catch_up,paused,created_at,done_until,last_job,last_run_at,"
    "skipped_at,name,at,zone,skipped_why);",

    /* 14: the processors' time by class in each minute; and of each file system and GPU what is
     * free, busy and in use (machine_part_rows.c). */
    "ALTER TABLE machine_minute ADD COLUMN cpu_user_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_user_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_user_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_nice_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_nice_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_nice_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_system_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_system_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_system_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_idle_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_idle_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_idle_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_iowait_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_iowait_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_iowait_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_irq_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_irq_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_irq_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_softirq_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_softirq_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_softirq_highest INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_steal_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_steal_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE machine_minute ADD COLUMN cpu_steal_highest INTEGER NOT NULL DEFAULT 0;"
    "UPDATE machine_minute SET sum=checksum(" SUMMED_MINUTE
    ",0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0)"
    " WHERE sum=checksum(" SUMMED_MINUTE ");"
    "CREATE TABLE machine_part("
    " minute INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,"
    " free_count INTEGER NOT NULL, free_sum INTEGER NOT NULL,"
    " free_lowest INTEGER NOT NULL, free_highest INTEGER NOT NULL,"
    " inodes_count INTEGER NOT NULL, inodes_sum INTEGER NOT NULL,"
    " inodes_lowest INTEGER NOT NULL, inodes_highest INTEGER NOT NULL,"
    " busy_count INTEGER NOT NULL, busy_sum INTEGER NOT NULL,"
    " busy_lowest INTEGER NOT NULL, busy_highest INTEGER NOT NULL,"
    " memory_count INTEGER NOT NULL, memory_sum INTEGER NOT NULL,"
    " memory_lowest INTEGER NOT NULL, memory_highest INTEGER NOT NULL,"
    " temperature_count INTEGER NOT NULL, temperature_sum INTEGER NOT NULL,"
    " temperature_lowest INTEGER NOT NULL, temperature_highest INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, PRIMARY KEY(minute, kind, name)) WITHOUT ROWID;",
};

int migrations_count(void)
{
    return (int)(sizeof(migrations) / sizeof(migrations[0]));
}

/* checksum(COLUMN...) for migrations: that of a row whose file sums up these columns. */
static void sum_columns(sqlite3_context *context, int count, sqlite3_value **columns)
{
    uint32_t sum = 0;
    for (int i = 0; i < count; i++)
        sum = sqlite3_value_type(columns[i]) == SQLITE_INTEGER
                  ? sum_number(sum, sqlite3_value_int64(columns[i]))
                  : sum_text(sum, (const char *)sqlite3_value_text(columns[i]));
    sqlite3_result_int64(context, sum);
}

/* To the next version. */
static int migrate(sqlite3 *handle, uint32_t *stamp, struct error *err)
{
    const uint32_t raised = stamp_raised(*stamp);
    if (schema_run(handle, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    if (schema_run(handle, migrations[stamp_version(*stamp)], err) == 0 &&
        schema_set_ours(handle, err) == 0 && schema_set_stamp(handle, raised, err) == 0 &&
        schema_run(handle, "COMMIT", err) == 0) {
        *stamp = raised;
        return 0;
    }
    (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int migrations_run(sqlite3 *handle, uint32_t stamp, struct error *err)
{
    (void)sqlite3_create_function(handle, "checksum", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                                  sum_columns, NULL, NULL);
    while ((int)stamp_version(stamp) < migrations_count()) {
        if (migrate(handle, &stamp, err) < 0)
            return -1;
    }
    return 0;
}
