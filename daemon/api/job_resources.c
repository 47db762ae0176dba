#include "daemon/api/job_resources.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/core/job_request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More than any machine has; what this one lacks is told by NeverFits. */
#define COUNT_MAX 65536
#define BYTES_MAX (INT64_C(1) << 50U)

/* ---- in ---- */

static const struct {
    const char *name;
    int64_t least, most;
} fixed[RESOURCE_COUNTER] = {[RESOURCE_CPUS] = {"cpus", 1, COUNT_MAX},
                             [RESOURCE_MEMORY] = {"memory", 0, BYTES_MAX},
                             [RESOURCE_GPUS] = {"gpus", 0, COUNT_MAX},
                             [RESOURCE_DISK] = {"disk", 0, BYTES_MAX}};

/* The member for this kind, of the request or of its `resources`. */
static int take_amount(const json_t *params, const json_t *by_name, enum resource_kind kind,
                       int64_t *ret, struct error *err)
{
    const char *name = fixed[kind].name;
    int given = json_get_int(params, name, false, fixed[kind].least, fixed[kind].most, ret, err);
    if (given < 0 || json_object_get(by_name, name) == NULL)
        return given;
    if (given > 0)
        return error_set_field(err, name, "%s is given twice: by itself and in resources", name);
    return json_get_int(by_name, name, false, fixed[kind].least, fixed[kind].most, ret, err);
}

/* A real number is a share of one GPU. 1: there is one, *ret_share. */
static int take_share(const json_t *params, const json_t *by_name, uint32_t *ret_share,
                      struct error *err)
{
    const json_t *value = json_object_get(params, "gpus");
    const json_t *named = json_object_get(by_name, "gpus");
    if (!json_is_real(value) && !json_is_real(named))
        return 0;
    if (value != NULL && named != NULL)
        return error_set_field(err, "gpus", "gpus is given twice: by itself and in resources");
    value = value != NULL ? value : named;
    const double share = json_real_value(value) * GPU_WHOLE;
    if (share < 1 || share >= GPU_WHOLE || fabs(share - round(share)) > 1e-6)
        return error_set_field(err, "gpus",
                               "gpus is %g; it must be a whole number, or a share of one GPU from "
                               "0.001 to 0.999",
                               json_real_value(value));
    *ret_share = (uint32_t)lround(share);
    return 1;
}

static int take_gpus(const json_t *params, const json_t *by_name, struct job_facts *facts,
                     struct error *err)
{
    int64_t count = facts->gpus;
    int64_t memory = (int64_t)facts->gpu_memory_bytes;
    uint32_t share = facts->gpu_share;
    const int shared = take_share(params, by_name, &share, err);
    const int counted =
        shared != 0 ? shared : take_amount(params, by_name, RESOURCE_GPUS, &count, err);
    if (counted < 0 || json_get_int(params, "gpu_memory", false, 0, BYTES_MAX, &memory, err) < 0)
        return -1;
    if (counted > 0) {
        facts->gpus = shared > 0 ? 0 : (uint32_t)count;
        facts->gpu_share = shared > 0 ? share : 0;
    }
    facts->gpu_memory_bytes = (uint64_t)memory;
    if (memory > 0 && facts->gpus == 0 && facts->gpu_share == 0)
        return error_set_field(err, "gpu_memory",
                               "gpu_memory is %lld, and no GPU is asked for; gpus must be given, "
                               "too: a number, or a share such as 0.5",
                               (long long)memory);
    return 0;
}

static int take_counter(const json_t *by_name, const struct resource_names *names, const char *name,
                        struct resources *wanted, struct error *err)
{
    int64_t amount = 0;
    int kind = resource_names_find(names, name);
    if (kind < 0) {
        CLEANUP_FREE char *known = resource_names_list(names);
        return error_set_field(err, "resources",
                               "resources names \"%.40s\"; the counters of this machine are: %s",
                               name, known);
    }
    if (kind < RESOURCE_COUNTER) /* taken already */
        return 0;
    if (json_get_int(by_name, name, false, 0, (int64_t)RESOURCE_COUNTER_LIMIT, &amount, err) < 0) {
        (void)snprintf(err->field, sizeof(err->field), "resources");
        return error_wrap(err, "resources");
    }
    wanted->amount[kind] = (uint64_t)amount;
    return 0;
}

static int take_counters(json_t *by_name, const struct resource_names *names,
                         struct job_facts *facts, struct error *err)
{
    struct resources wanted = {.amount = {0}};
    const char *name;
    const json_t *value;
    json_object_foreach(by_name, name, value) {
        if (take_counter(by_name, names, name, &wanted, err) < 0)
            return -1;
    }
    if (by_name != NULL) {
        free(facts->counters);
        facts->counters = resource_counters_text(names, &wanted);
    }
    return 0;
}

static int take_binding(const json_t *params, struct job_facts *facts, struct error *err)
{
    const char *word = NULL;
    int found = json_get_string(params, "cpu_bind", false, &word, err);
    if (found <= 0)
        return found;
    if (strcmp(word, "none") != 0 && strcmp(word, "cores") != 0)
        return error_set_field(err, "cpu_bind", "cpu_bind \"%.40s\" must be none or cores", word);
    facts->bound = word[0] == 'c';
    return 0;
}

int job_resources_decode(const json_t *params, const struct resource_names *names,
                         struct job_facts *facts, struct error *err)
{
    json_t *by_name = NULL;
    int64_t cpus = facts->cpus;
    int64_t memory = (int64_t)facts->memory_bytes;
    int64_t disk = (int64_t)facts->disk_bytes;
    if (json_get_object(params, "resources", false, &by_name, err) < 0 ||
        take_gpus(params, by_name, facts, err) < 0 ||
        take_amount(params, by_name, RESOURCE_CPUS, &cpus, err) < 0 ||
        take_amount(params, by_name, RESOURCE_MEMORY, &memory, err) < 0 ||
        take_amount(params, by_name, RESOURCE_DISK, &disk, err) < 0 ||
        take_binding(params, facts, err) < 0 || take_counters(by_name, names, facts, err) < 0)
        return -1;
    facts->cpus = (uint32_t)cpus;
    facts->memory_bytes = (uint64_t)memory;
    facts->disk_bytes = (uint64_t)disk;
    return 0;
}

/* ---- what never fits ---- */

/* None of them has as much memory. Of what is not known it is not said. */
static bool gpus_too_small(const struct gpu_pool *gpus, const struct job_facts *facts,
                           struct job_misfit *ret)
{
    char asked[32], most[32];
    uint64_t largest = 0;
    for (uint32_t i = 0; i < gpus->count; i++) {
        if (gpus->slot[i].total_bytes == 0)
            return false;
        largest = gpus->slot[i].total_bytes > largest ? gpus->slot[i].total_bytes : largest;
    }
    if (facts->gpu_memory_bytes <= largest)
        return false;
    (void)snprintf(ret->name, sizeof(ret->name), "gpu_memory");
    ret->requested = facts->gpu_memory_bytes;
    ret->largest = largest;
    format_size(ret->requested, asked, sizeof(asked));
    format_size(largest, most, sizeof(most));
    (void)snprintf(ret->text, sizeof(ret->text),
                   "gpu_memory = %s never fits: the largest GPU of this machine has %s", asked,
                   most);
    return true;
}

json_t *job_resources_misfit(const struct api_call *call, const struct job_facts *facts,
                             const struct resources *had, struct error *err)
{
    const struct engine *engine = call->api->engine;
    struct job_misfit misfit;
    const struct gpu_pool *gpus = scheduler_gpus(engine_scheduler(engine));
    const struct resources total = scheduler_installed(engine_scheduler(engine));
    if (!job_never_fits(facts, &engine_limits(engine)->names, &total, had, &misfit) &&
        !gpus_too_small(gpus, facts, &misfit))
        return NULL;
    json_t *extra = json_object();
    json_put_text(extra, "resource", misfit.name);
    json_put_int(extra, "requested", (int64_t)misfit.requested);
    json_put_int(extra, "largest", (int64_t)misfit.largest);
    (void)error_set(err, ERROR_INVALID, "%s", misfit.text);
    return extra;
}

bool job_resources_refused(struct api_call *call, const struct job_facts *facts,
                           const struct resources *had)
{
    struct error err;
    json_t *extra = job_resources_misfit(call, facts, had, &err);
    if (extra != NULL)
        reply_error(call, "NeverFits", extra, err.text, NULL);
    return extra != NULL;
}

/* ---- out ---- */

static json_t *view_indices(uint64_t gpus)
{
    json_t *indices = json_array();
    for (unsigned i = 0; gpus != 0; i++, gpus >>= 1U) {
        if ((gpus & 1U) != 0)
            (void)json_array_append_new(indices, json_integer(i));
    }
    return indices;
}

/* What it asks for and the machine has less of in all, since that was changed: what of it waits
 * cannot start. */
static json_t *view_lacking(const struct api *api, const struct job_row *row)
{
    const struct job_facts *facts = &row->facts;
    bool whole_array = facts->array != NULL && !row->status.is_task;
    const struct resource_names *names = &engine_limits(api->engine)->names;
    const struct resources total = scheduler_installed(engine_scheduler(api->engine));
    const struct resources wanted = job_facts_wanted(facts, names);
    const char *counters = facts->counters;
    char name[RESOURCE_NAME_MAX + 1];
    uint64_t amount;
    json_t *lacking = json_array();
    if (job_state_terminal(row->status.state) ||
        (row->status.state != JOB_STATE_PENDING && !whole_array))
        return lacking;
    for (int kind = 0; kind < RESOURCE_COUNTER; kind++) {
        const char *word = resource_names_word(names, (enum resource_kind)kind);
        if (wanted.amount[kind] > total.amount[kind] ||
            (kind == RESOURCE_CPUS && wanted.amount[RESOURCE_BOUND] > total.amount[RESOURCE_BOUND]))
            (void)json_array_append_new(lacking, json_string(word));
    }
    while (resource_counters_next(&counters, name, &amount)) {
        int kind = resource_names_find(names, name);
        if (kind < RESOURCE_COUNTER || amount > total.amount[kind])
            (void)json_array_append_new(lacking, json_string(name));
    }
    return lacking;
}

void job_resources_view(const struct api *api, const struct job_row *row, json_t *object)
{
    const struct job_facts *facts = &row->facts;
    const char *counters = facts->counters;
    char name[RESOURCE_NAME_MAX + 1];
    char list[CPU_LIST_TEXT_BYTES];
    uint64_t amount;
    json_t *resources = json_object();
    json_put_int(resources, "cpus", facts->cpus);
    json_put_int(resources, "memory_bytes", (int64_t)facts->memory_bytes);
    json_put(resources, "gpus",
             facts->gpu_share > 0 ? json_real((double)facts->gpu_share / GPU_WHOLE)
                                  : json_integer(facts->gpus));
    if (facts->gpu_memory_bytes > 0)
        json_put_int(resources, "gpu_memory_bytes", (int64_t)facts->gpu_memory_bytes);
    json_put_int(resources, "disk_bytes", (int64_t)facts->disk_bytes);
    while (resource_counters_next(&counters, name, &amount))
        json_put_int(resources, name, (int64_t)amount);
    json_put(object, "resources", resources);
    cpu_list_format(&row->status.cpus, list);
    json_put_text(object, "cpu_bind", facts->bound ? "cores" : "none");
    json_put_text(object, "cpu_list", list[0] == '\0' ? NULL : list);
    json_put(object, "gpu_indices", view_indices(row->status.gpu_set));
    json_put(object, "lacking", view_lacking(api, row));
}
