/* A job that has ended, submitted anew: its state never changes again, so the retry is a new job
 * with the facts of the old one. What the old one waited for is not repeated. Of an array the tasks
 * that are to run again keep their indices. */
#include "common/cleanup.h"
#include "daemon/engine/arrays.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/internal.h"
#include "daemon/engine/queues.h"
#include "daemon/store/array_rows.h"
#include "daemon/store/task_rows.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- which tasks ---- */

/* Those that ended in one state are counted so many at a time: where all or none did, they are not
 * read one by one. When few did they are read by their own index. A million take some 0.1 s. */
#define COUNTED_AT_ONCE 4096U
#define FEW 8U /* less than one in so many */

struct choice {
    const struct array_spec *spec;
    enum job_state state;
    bool few; /* failed */
    struct task_ranges found;
};

static void add_index(void *arg, uint64_t index)
{
    struct choice *choice = arg;
    uint64_t position;
    if (array_spec_position(choice->spec, index, &position))
        task_ranges_add(&choice->found, position, position);
}

static int find_in(struct engine *engine, uint64_t id, struct choice *choice,
                   const struct task_range *positions, struct error *err)
{
    const struct task_span span = {.job = id,
                                   .first = array_spec_index(choice->spec, positions->first),
                                   .last = array_spec_index(choice->spec, positions->last),
                                   .state = choice->state};
    uint64_t count = 0;
    if (choice->few)
        return task_rows_each_failed(engine->db, &span, add_index, choice, err);
    if (task_rows_count(engine->db, &span, &count, err) < 0)
        return -1;
    if (count == positions->last - positions->first + 1)
        task_ranges_add(&choice->found, positions->first, positions->last);
    else if (count > 0)
        return task_rows_each_index(engine->db, &span, add_index, choice, err);
    return 0;
}

static int find_ended(struct engine *engine, uint64_t id, struct choice *choice,
                      const struct task_ranges *named, struct error *err)
{
    for (size_t i = 0; i < named->count; i++) {
        struct task_range part = named->ranges[i];
        const uint64_t last = part.last;
        for (; part.first <= last; part.first = part.last + 1) {
            part.last =
                last - part.first < COUNTED_AT_ONCE ? last : part.first + COUNTED_AT_ONCE - 1;
            if (find_in(engine, id, choice, &part, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Those of `named` that failed; in an array that ended by max_fails, those that did not complete.
 */
static int choose_failed(struct engine *engine, const struct job_row *old,
                         const struct array_spec *spec, const struct task_ranges *named,
                         struct task_ranges *ret, struct error *err)
{
    uint64_t failed = old->status.tasks.failed;
    struct choice choice = {
        .spec = spec, .state = JOB_STATE_FAILED, .few = failed < spec->total / FEW};
    struct array_options options = {0};
    if (array_rows_load(engine->db, old->facts.id, &options, err) < 0)
        return -1;
    bool all = fails_limit_passed(&options.max_fails, failed, spec->total);
    if (all) { /* what completed is taken away */
        choice.state = JOB_STATE_COMPLETED;
        choice.few = false;
    }
    int result = find_ended(engine, old->facts.id, &choice, named, err);
    if (!all) {
        *ret = choice.found;
        return result;
    }
    task_ranges_minus(named, 0, &choice.found, ret);
    task_ranges_done(&choice.found);
    return result;
}

static int append_positions(const struct array_spec *spec, const struct task_range *positions,
                            struct array_spec *ret)
{
    for (size_t i = 0; i < spec->range_count; i++) {
        const struct array_range *range = &spec->ranges[i];
        uint64_t end = range->before + (range->last - range->first) / range->step;
        uint64_t first = positions->first > range->before ? positions->first : range->before;
        uint64_t last = positions->last < end ? positions->last : end;
        const struct array_range part = {
            .first = range->first + (first - range->before) * range->step,
            .last = range->first + (last - range->before) * range->step,
            .step = range->step};
        if (first <= last && array_spec_append(ret, &part) < 0)
            return -1;
    }
    return 0;
}

/* The specification of an array of just these tasks; the caller frees. */
static char *spec_of(const struct array_spec *spec, const struct task_ranges *tasks,
                     struct error *err)
{
    struct array_spec chosen = {.limit = spec->limit};
    char *text = NULL;
    int result = 0;
    for (size_t i = 0; i < tasks->count && result == 0; i++)
        result = append_positions(spec, &tasks->ranges[i], &chosen);
    if (result == 0)
        text = array_spec_format(&chosen);
    else
        (void)error_set_field(err, "indices",
                              "these %" PRIu64 " tasks are over %u ranges, the limit of an array; "
                              "retry them in parts, by indices such as 0-999",
                              task_ranges_count(tasks, 0), ARRAY_RANGES_MAX);
    array_spec_done(&chosen);
    return text;
}

/* ---- what has ended ---- */

static int refuse_open(const struct job_row *old, const char *what, enum job_state state,
                       struct error *err)
{
    return error_set(err, ERROR_CONFLICT, "cannot retry %s %" PRIu64 ": it is %s", what,
                     old->facts.id, job_state_word(state));
}

struct search {
    const struct array *array;
    const struct task_ranges *named;
    bool found;
};

static bool find_named(void *arg, const struct task_wait *wait)
{
    struct search *search = arg;
    uint64_t position;
    search->found |= array_spec_position(&search->array->spec, wait->index, &position) &&
                     task_ranges_has(search->named, position);
    return true;
}

/* All of the named tasks of an array that goes on must have ended. */
static int refuse_open_tasks(struct engine *engine, const struct job_row *old,
                             const struct task_ranges *named, struct error *err)
{
    static const char running[] = "some of these tasks of array";
    struct task_ranges ahead = {.ranges = NULL};
    uint64_t position;
    struct array *array = arrays_open(engine, old, err);
    if (array == NULL)
        return -1;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if (entry->status.id == old->facts.id &&
            array_spec_position(&array->spec, entry->status.index, &position) &&
            task_ranges_has(named, position))
            return refuse_open(old, running, entry->status.state, err);
    }
    struct search search = {.array = array, .named = named};
    (void)task_waits_filter(&array->again, SIZE_MAX, find_named, &search);
    if (search.found)
        return refuse_open(old, running, JOB_STATE_PENDING, err);
    task_ranges_minus(named, array->status.tasks.next, &array->taken, &ahead);
    size_t open = ahead.count;
    task_ranges_done(&ahead);
    return open == 0 ? 0 : refuse_open(old, running, JOB_STATE_PENDING, err);
}

static int choose_tasks(struct engine *engine, const struct job_row *old,
                        const struct retry_order *order, char **ret, struct error *err)
{
    struct array_spec spec;
    struct task_ranges all = {.ranges = NULL};
    struct task_ranges failed = {.ranges = NULL};
    if (array_spec_parse(old->facts.array, UINT64_MAX, &spec, err) < 0)
        return -1;
    task_ranges_add(&all, 0, spec.total - 1);
    const struct task_ranges *chosen = order->tasks == NULL ? &all : order->tasks;
    int result = 0;
    if (order->failed_only) {
        result = choose_failed(engine, old, &spec, chosen, &failed, err);
        chosen = &failed;
    }
    if (result == 0 && chosen->count == 0)
        result = error_set(err, ERROR_CONFLICT, "cannot retry array %" PRIu64 ": no task failed",
                           old->facts.id);
    if (result == 0)
        *ret = spec_of(&spec, chosen, err);
    array_spec_done(&spec);
    task_ranges_done(&all);
    task_ranges_done(&failed);
    return result == 0 && *ret != NULL ? 0 : -1;
}

static int check_ended(struct engine *engine, const struct job_row *old,
                       const struct retry_order *order, struct error *err)
{
    bool array = old->facts.array != NULL;
    if (!job_state_terminal(old->status.state))
        return array && order->tasks != NULL ? refuse_open_tasks(engine, old, order->tasks, err)
                                             : refuse_open(old, "job", old->status.state, err);
    if (order->failed_only && !array && old->status.state != JOB_STATE_FAILED)
        return error_set(err, ERROR_CONFLICT, "cannot retry job %" PRIu64 ": it did not fail",
                         old->facts.id);
    return 0;
}

int engine_retry_facts(struct engine *engine, const struct job_row *old,
                       const struct retry_order *order, struct job_facts *ret, char **ret_array,
                       struct error *err)
{
    struct array_options options = {0};
    *ret_array = NULL;
    if (check_ended(engine, old, order, err) < 0)
        return -1;
    if (engine_queue_find(engine, old->facts.queue) == NULL) {
        (void)error_set_field(err, "queue", "job %" PRIu64 " was in queue \"%.80s\", which is gone",
                              old->facts.id, old->facts.queue);
        err->code = ERROR_NOT_FOUND;
        return -1;
    }
    if (old->facts.array != NULL &&
        (array_rows_load(engine->db, old->facts.id, &options, err) < 0 ||
         choose_tasks(engine, old, order, ret_array, err) < 0))
        return -1;
    *ret = old->facts;
    ret->id = 0;
    ret->key = ret->digest = NULL;
    ret->edited_at = 0;
    ret->array = *ret_array;
    ret->max_fails = options.max_fails;
    ret->value_set = options.value_set;
    ret->retry_of = old->facts.id;
    return 0;
}
