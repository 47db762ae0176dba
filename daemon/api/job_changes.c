#include "daemon/api/job_changes.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/worker_protocol.h"
#include "daemon/api/job_resources.h"
#include "daemon/api/limit_members.h"
#include "daemon/api/outputs.h"
#include "daemon/api/retry_members.h"
#include "daemon/api/submit_spec.h"

#include <stdlib.h>
#include <string.h>

/* Which part each member belongs to; the id is none. */
static const struct {
    const char *member;
    enum job_edit_part part;
} parts[] = {
    {"queue", JOB_EDIT_QUEUE},
    {"priority", JOB_EDIT_PRIORITY},
    {"cpus", JOB_EDIT_RESOURCES},
    {"memory", JOB_EDIT_RESOURCES},
    {"gpus", JOB_EDIT_RESOURCES},
    {"disk", JOB_EDIT_RESOURCES},
    {"gpu_memory", JOB_EDIT_RESOURCES},
    {"resources", JOB_EDIT_RESOURCES},
    {"cpu_bind", JOB_EDIT_RESOURCES},
    {"timeout_ms", JOB_EDIT_LIMITS},
    {"estimate_ms", JOB_EDIT_LIMITS},
    {"max_attempts", JOB_EDIT_LIMITS},
    {"retry", JOB_EDIT_LIMITS},
    {"rerun_if_lost", JOB_EDIT_LIMITS},
    {"timeout_signal", JOB_EDIT_LIMITS},
    {"timeout_signal_ms", JOB_EDIT_LIMITS},
    {"nice", JOB_EDIT_LIMITS},
    {"io_priority", JOB_EDIT_LIMITS},
    {"pids", JOB_EDIT_LIMITS},
    {"deadline", JOB_EDIT_DEADLINE},
    {"name", JOB_EDIT_NAME},
    {"tags", JOB_EDIT_TEXTS},
    {"cwd", JOB_EDIT_TEXTS},
    {"stdin", JOB_EDIT_TEXTS},
    {"checkpoint_signal", JOB_EDIT_TEXTS},
    {"begin", JOB_EDIT_BEGIN},
    {"depends", JOB_EDIT_DEPENDS},
};

static bool is_given(const json_t *params, const char *member)
{
    const json_t *value = json_object_get(params, member);
    return value != NULL && !json_is_null(value);
}

unsigned job_changes_parts(const json_t *params)
{
    unsigned found = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        found |= is_given(params, parts[i].member) ? (unsigned)parts[i].part : 0;
    return found;
}

static int take_words(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const char *queue = NULL;
    const char *priority = NULL;
    if (json_get_string(call->params, "queue", false, &queue, err) < 0 ||
        json_get_string(call->params, "priority", false, &priority, err) < 0)
        return -1;
    if (queue != NULL && submit_spec_queue(call, queue, facts, err) < 0)
        return -1;
    if (priority != NULL && submit_spec_priority(priority, facts, err) < 0)
        return -1;
    return submit_spec_name(call->params, facts, err) < 0 ||
                   submit_spec_tags(call->params, facts, err) < 0
               ? -1
               : 0;
}

/* An empty one takes away what it has. */
static int take_checkpoint_signal(const json_t *params, struct job_run *run, struct error *err)
{
    const char *word = json_string_value(json_object_get(params, "checkpoint_signal"));
    if (word == NULL || word[0] != '\0')
        return checkpoint_signal_decode(params, run, err);
    run->checkpoint_signal = 0;
    return 0;
}

/* A processor is told its folder in the line that it reads, too. */
static int take_folder(const json_t *params, struct job_run *run, struct error *err)
{
    if (submit_spec_places(params, run, err) < 0)
        return -1;
    if (!run->is_processor || !is_given(params, "cwd"))
        return 0;
    CLEANUP_JSON json_t *input = json_load_limited(run->input, strlen(run->input), err);
    if (input == NULL)
        return -1;
    json_put_text(input, "cwd", run->cwd);
    free(run->input);
    run->input = json_to_text(input, NULL);
    return 0;
}

/* A retry has no deadline, and may keep the signal that went with the one before. */
static bool may_warn(const json_t *params, const struct job_facts *facts)
{
    return facts->deadline_at != 0 ||
           (!is_given(params, "deadline") && !is_given(params, "timeout_ms") &&
            !is_given(params, "timeout_signal") && !is_given(params, "timeout_signal_ms"));
}

/* What is in the run record. */
static int take_run(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    struct record record;
    struct job_run run = {0};
    size_t used;
    if (record_parse(facts->run, facts->run_bytes, &record, &used) != RECORD_OK ||
        get_run(&record, &run) < 0)
        return error_set(err, ERROR_DAMAGED, "the stored command of job %llu cannot be read",
                         (unsigned long long)facts->id);
    int64_t timeout = (int64_t)run.timeout_ms;
    int64_t estimate = facts->estimate_us / US_PER_MS;
    struct retry_rule retry = {.max_attempts = 0};
    int result = 0;
    if (json_get_int(call->params, "timeout_ms", false, 0, SUBMIT_SPAN_MS_MAX, &timeout, err) < 0 ||
        json_get_int(call->params, "estimate_ms", false, 0, SUBMIT_SPAN_MS_MAX, &estimate, err) <
            0 ||
        retry_members_take(call->params, &retry, err) < 0 ||
        take_folder(call->params, &run, err) < 0 ||
        take_checkpoint_signal(call->params, &run, err) < 0 ||
        limit_members_take(call->params, &engine_limits(call->api->engine)->limits, 0, &run.limits,
                           err) < 0)
        result = -1;
    if (result == 0) {
        run.timeout_ms = (uint64_t)timeout;
        facts->estimate_us = estimate * US_PER_MS;
        retry_rule_change(&facts->retry, &retry);
        result = submit_spec_warning(call->params, &run, may_warn(call->params, facts), err);
    }
    if (result == 0)
        submit_spec_put_run(&run, facts);
    job_run_done(&run);
    return result;
}

static int take_deadline(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    return json_get_int(call->params, "deadline", false, 0, SUBMIT_TIME_US_MAX, &facts->deadline_at,
                        err);
}

static int take_depends(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const char *text = NULL;
    facts->may_name_any = access_all(call);
    int found = json_get_string(call->params, "depends", false, &text, err);
    return found <= 0 || text[0] == '\0' ? found
                                         : dependency_spec_parse(text, &facts->depends, err);
}

int job_changes_take(const struct api_call *call, struct job_facts *facts, struct error *err)
{
    const struct resource_names *names = &engine_limits(call->api->engine)->names;
    return take_words(call, facts, err) < 0 || take_deadline(call, facts, err) < 0 ||
                   take_run(call, facts, err) < 0 ||
                   json_get_int(call->params, "begin", false, 0, SUBMIT_TIME_US_MAX,
                                &facts->begin_at, err) < 0 ||
                   job_resources_decode(call->params, names, facts, err) < 0 ||
                   take_depends(call, facts, err) < 0
               ? -1
               : 0;
}
