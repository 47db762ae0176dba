/* What the verb files share: the table's row, replies, access. */
#ifndef BATCHD_DAEMON_API_VERB_H
#define BATCHD_DAEMON_API_VERB_H

#include "common/error.h"
#include "common/json.h"
#include "common/timers.h"
#include "daemon/api/call.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/queues.h"

struct api {
    struct event_base *base;
    struct engine *engine;
    struct api_options options;
    struct users *users;         /* owned, as the next */
    struct snapshots *snapshots; /* of predictions */
    struct slices *slices;       /* of sums */
    struct backups *backups;
    int64_t started_at;
};

struct api_verb {
    const char *method;
    const char *const *fields; /* the parameters it knows, NULL-terminated; others are refused */
    bool needs_more;           /* a stream: without "more" it is refused (ExpectedMore) */
    bool large;                /* may be longer than FRAME_BYTES_MAX_CONTROL */
    bool submits;              /* makes jobs */
    void (*run)(struct api_call *call);
};

/* Rows, by interface; each file documents its requests and replies. */
extern const struct api_verb verb_hold, verb_release, verb_edit;
extern const struct api_verb verb_checkpoint, verb_checkpointed;
extern const struct api_verb verb_submit_many;
extern const struct api_verb verb_submit, verb_list, verb_show, verb_cancel, verb_wait;
extern const struct api_verb verb_suspend, verb_resume, verb_signal;
extern const struct api_verb verb_retry, verb_add_values, verb_why, verb_plan, verb_prune;
extern const struct api_verb verb_logs_read, verb_logs_follow, verb_events_subscribe;
extern const struct api_verb verb_ping, verb_info, verb_status, verb_stats, verb_backup;
extern const struct api_verb verb_doctor;
extern const struct api_verb verb_queues_list, verb_queues_add, verb_queues_set;
extern const struct api_verb verb_queues_pause, verb_queues_resume, verb_queues_drain;
extern const struct api_verb verb_queues_remove;
extern const struct api_verb verb_processors_list, verb_processors_show;
extern const struct api_verb verb_schedules_list, verb_schedules_add, verb_schedules_edit;
extern const struct api_verb verb_schedules_remove, verb_schedules_pause, verb_schedules_resume;
extern const struct api_verb verb_schedules_run, verb_schedules_next;
extern const struct api_verb verb_breakers_list, verb_breakers_reset, verb_breakers_open;
extern const struct api_verb verb_breakers_disable;
extern const struct api_verb verb_workers_list, verb_workers_set, verb_workers_reset;
extern const struct api_verb verb_workers_drain;
extern const struct api_verb verb_varlink_info, verb_varlink_description;

/* Releases a call that gets no (further) reply. */
void call_free(struct api_call *call);

/* Counts a call that is over. */
void call_count(const struct api_call *call, enum meter_code code);

/* The last reply; takes `parameters` (NULL = {}). The call is gone afterwards. */
void reply_done(struct api_call *call, json_t *parameters);
/* The same with one member more, of which the JSON is there already: for what is too much to be
 * written in one piece. */
void reply_done_with(struct api_call *call, json_t *parameters, const char *key, const char *value);
/* One of several; only when call->more. */
void reply_part(struct api_call *call, json_t *parameters);
/* An error reply. `name` without a dot is of io.batchd; takes `extra` (may be NULL), to which
 * `text` is added as its message. */
void reply_error(struct api_call *call, const char *name, json_t *extra, const char *text,
                 const char *hint);
/* Busy: asked again after so long it may be taken. */
void reply_busy(struct api_call *call, const struct error *err, int64_t retry_after_ms,
                const char *hint);
/* An error reply made from an error value by its code. */
void reply_failure(struct api_call *call, const struct error *err);
/* The same for what is not there under the name that a member gives: an error such as NoSuchQueue.
 */
void reply_unknown(struct api_call *call, const char *name, const struct error *err,
                   const char *hint);
void reply_no_job(struct api_call *call, uint64_t id);
/* What goes with InvalidState: the job is in `state` and what was asked for is for those from
 * `first` to `last`. */
json_t *view_wrong_state(enum job_state state, enum job_state first, enum job_state last);
/* {id, state}: what became of a job. */
json_t *view_changed(uint64_t id, enum job_state state);
/* The "dry_run" parameter: nothing is to be changed, and the reply says {dry_run: true}. 0, or -1
 * after replying. */
int get_dry_run(struct api_call *call, bool *ret);
void put_dry_run(json_t *reply, bool dry_run);
/* A signal by its name or number ("USR1", "SIGUSR1", "10"), as the getters of common/json.h. */
int take_signal(const json_t *params, const char *key, bool required, int *ret, struct error *err);

/* Root and the daemon's owner may see and do everything; others their own. */
bool access_all(const struct api_call *call);
bool access_job(const struct api_call *call, uint32_t job_uid);

/* Loads a job that the caller may see. 0, or -1 after replying with NoSuchJob: absent and forbidden
 * jobs answer alike. */
int load_own_job(struct api_call *call, uint64_t id, struct job_row *ret);
/* The "id" parameter. 0, or -1 after replying. */
int get_job_id(struct api_call *call, uint64_t *ret);

#endif
