/* The columns of struct job_status, which a job's row and a task's row share, and their checksum.
 */
#ifndef BATCHD_DAEMON_STORE_STATUS_COLUMNS_H
#define BATCHD_DAEMON_STORE_STATUS_COLUMNS_H

#include "daemon/core/job.h"
#include "daemon/store/db.h"
#include "daemon/store/row_sum.h"

/* In the order of status_bind and status_read. */
#define STATUS_COLUMNS                                                                           \
    "state,attempt,charged,losses,cancelling,worker,started_at,ended_at,class,exit_code,signal," \
    "message,user_us,system_us,run_us,max_rss_bytes,stdout_bytes,stderr_bytes,cut_bytes,"        \
    "lost_bytes,result,predicted_us,predicted_by,gpu_set,retry_at,retry_us,cpu_list,status_sum"
#define STATUS_WIDTH 28

/* Binds STATUS_WIDTH parameters from `at` on. Borrows the texts until the statement is reset. */
void status_bind(sqlite3_stmt *statement, int at, const struct job_status *status);

/* Reads STATUS_WIDTH columns from `at` on. The caller has set id, is_task, index, memory_bytes and
 * tasks, which the checksum covers. 0 (then job_status_done releases), or -1 with ERROR_DAMAGED. */
int status_read(sqlite3_stmt *statement, int at, struct job_status *status, struct error *err);

/* The eight numbers of a usage, which an attempt's row has, too, in the order of these columns. */
#define USAGE_COLUMNS \
    "user_us,system_us,run_us,max_rss_bytes,stdout_bytes,stderr_bytes,cut_bytes,lost_bytes"
#define USAGE_WIDTH 8
void usage_numbers(const struct usage *usage, int64_t ret[USAGE_WIDTH]);
struct usage usage_read(sqlite3_stmt *statement, int at);

/* Small helpers of the row files. */
void bind_numbers(sqlite3_stmt *statement, int at, const int64_t *numbers, size_t count);
void bind_text(sqlite3_stmt *statement, int at, const char *text); /* NULL is allowed */
char *column_text(sqlite3_stmt *statement, int column);            /* owned; NULL for NULL */

#endif
