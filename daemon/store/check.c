#include "daemon/store/check.h"

#include "daemon/store/array_rows.h"
#include "daemon/store/attempt_rows.h"
#include "daemon/store/breaker_rows.h"
#include "daemon/store/cancelled_rows.h"
#include "daemon/store/checkpoint_rows.h"
#include "daemon/store/condition_rows.h"
#include "daemon/store/dependency_rows.h"
#include "daemon/store/estimate_rows.h"
#include "daemon/store/job_rows.h"
#include "daemon/store/last_ids.h"
#include "daemon/store/machine_part_rows.h"
#include "daemon/store/machine_rows.h"
#include "daemon/store/number_rows.h"
#include "daemon/store/queue_rows.h"
#include "daemon/store/removal_rows.h"
#include "daemon/store/retry_rows.h"
#include "daemon/store/rollup_rows.h"
#include "daemon/store/schedule_rows.h"
#include "daemon/store/task_rows.h"
#include "daemon/store/usage_rows.h"
#include "daemon/store/value_rows.h"
#include "daemon/store/worker_rows.h"

static int check_queues(struct db *db, struct error *err)
{
    return queue_rows_each(db, NULL, NULL, err);
}

static int (*const checks[])(struct db *db, struct error *err) = {
    db_check,
    number_rows_check,
    last_ids_check,
    job_rows_check,
    condition_rows_check,
    estimate_rows_check,
    schedule_rows_check,
    check_queues,
    task_rows_check,
    cancelled_rows_check,
    dependency_rows_check,
    array_rows_check,
    retry_rows_check,
    value_rows_check,
    removal_rows_check,
    past_use_check,
    breaker_rows_check,
    attempt_rows_check,
    worker_rows_check,
    checkpoint_rows_check,
    rollup_rows_check,
    machine_rows_check,
    machine_part_rows_check,
};

int store_check(struct db *db, struct error *err)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i](db, err) < 0)
            return -1;
    }
    return 0;
}
