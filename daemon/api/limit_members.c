#include "daemon/api/limit_members.h"

#include "common/json.h"

#include <stdio.h>

static int take_io_priority(const json_t *params, struct job_limits *limits, struct error *err)
{
    const char *word = NULL;
    int found = json_get_string(params, "io_priority", false, &word, err);
    if (found <= 0)
        return found;
    if (job_io_priority_parse(word, &limits->io_priority, err) == 0)
        return 1;
    (void)snprintf(err->field, sizeof(err->field), "io_priority");
    return error_wrap(err, "io_priority");
}

int limit_members_take(const json_t *params, const struct limit_policy *policy, unsigned least_pids,
                       struct job_limits *limits, struct error *err)
{
    int64_t nice = limits->nice;
    int64_t pids = (int64_t)limits->pids;
    const int niceness = json_get_int(params, "nice", false, 0, JOB_NICE_MAX, &nice, err);
    const int processes =
        niceness < 0 ? -1
                     : json_get_int(params, "pids", false, least_pids, JOB_PIDS_MAX, &pids, err);
    const int disks = processes < 0 ? -1 : take_io_priority(params, limits, err);
    if (disks < 0)
        return -1;
    limits->nice = (uint8_t)nice;
    limits->pids = (uint64_t)pids;
    return niceness + processes + disks > 0 ? limit_policy_check(policy, limits, err) : 0;
}

void limit_members_view(const struct job_limits *limits, json_t *object)
{
    char word[JOB_IO_PRIORITY_BYTES];
    json_t *view = json_object();
    job_io_priority_format(limits->io_priority, word);
    json_put(view, "nice", limits->nice == 0 ? json_null() : json_integer(limits->nice));
    json_put_text(view, "io_priority", limits->io_priority == JOB_IO_NONE ? NULL : word);
    json_put(view, "pids",
             limits->pids == 0 ? json_null() : json_integer((json_int_t)limits->pids));
    json_put(object, "limits", view);
}
