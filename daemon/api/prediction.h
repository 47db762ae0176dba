/* When a job that waits is predicted to start, and what would make it start now: asked of a copy of
 * the daemon (exec/snapshot.h), so that others are served meanwhile. */
#ifndef BATCHD_DAEMON_API_PREDICTION_H
#define BATCHD_DAEMON_API_PREDICTION_H

#include "daemon/api/verb.h"
#include "daemon/core/forecast.h"
#include "daemon/core/start_changes.h"

/* A forecast that takes longer is cut off; a child that has not ended long after that never will,
 * and is killed. */
#define PREDICTION_MS 20000
#define PREDICTION_SHOW_MS 1000 /* of Show, whose answer is mostly about something else */
#define PREDICTION_KILL_MS 30000
/* At a time: more would take the processors from the jobs. */
#define PREDICTIONS_MOST 4
#define PREDICTIONS_OF_USER 2
/* Twice what a plan of PLAN_LIMIT_MAX lines takes. */
#define PREDICTION_BYTES ((size_t)4 << 20)
/* What who comes when there are so many should wait. */
#define PREDICTION_RETRY_MS 1000

/* Answers the call with *reply, once the members predicted_start, predicted_end, prediction and,
 * when `changes`, starts_now_if have been put into `target`, which is a part of it or itself. Takes
 * the reference to `reply`. `row` is of a job, or of a task of an array, that has not ended. When
 * there are as many predictions as there may be, the call with `changes` is refused; without,
 * nothing is predicted. */
void prediction_reply(struct api_call *call, const struct job_row *row, bool changes, json_t *reply,
                      json_t *target);

/* [{change, resource, amount, text, command}]: see the interface. `backs_off`: the time that it
 * waits for is that of another attempt. */
json_t *prediction_changes(const struct api_call *call, const struct job *job, bool backs_off,
                           const struct start_change *changes, size_t count);

/* Answers with Busy, or what else kept a snapshot from being made. */
void prediction_refuse(struct api_call *call, const struct error *err);

/* In the child: whether its time is over. */
struct prediction_clock {
    int64_t until; /* monotonic */
};
struct prediction_clock prediction_clock_start(int64_t ms);
bool prediction_clock_over(const struct prediction_clock *clock);

#endif
