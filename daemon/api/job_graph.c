#include "daemon/api/job_graph.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

void job_graph_done(struct job_graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        dependency_spec_done(&graph->jobs[i].depends);
    free(graph->jobs);
    json_decref(graph->path);
    *graph = (struct job_graph){.jobs = NULL};
}

void job_graph_blame(const char *name, struct error *err)
{
    CLEANUP_FREE char *field =
        xasprintf("jobs.%s%s%s", name, err->field[0] == '\0' ? "" : ".", err->field);
    (void)error_wrap(err, "job %s", name);
    (void)snprintf(err->field, sizeof(err->field), "%s", field);
}

char *job_graph_names(const struct job_graph *graph)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < graph->count; i++) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : " ", graph->jobs[i].name);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- what the request says ---- */

static int add_job(struct job_graph *graph, const char *name, json_t *members, struct error *err)
{
    if (!dependency_name_valid(name))
        return error_set_field(err, "jobs",
                               "the name \"%.80s\" must have 1 to 64 of A-Z, a-z, 0-9, _ and -, a "
                               "letter first, and be no type of dependency",
                               name);
    if (!json_is_object(members)) {
        (void)error_set(err, ERROR_INVALID, "must be an object, as Submit takes it");
        job_graph_blame(name, err);
        return -1;
    }
    graph->jobs[graph->count++] = (struct graph_job){.name = name, .members = members};
    return 0;
}

static int add_jobs(const json_t *params, struct job_graph *graph, struct error *err)
{
    json_t *jobs = NULL;
    json_t *members;
    const char *name;
    if (json_get_object(params, "jobs", true, &jobs, err) < 0)
        return -1;
    size_t count = json_object_size(jobs);
    if (count == 0 || count > JOB_GRAPH_JOBS_MAX)
        return error_set_field(err, "jobs", "jobs has %zu jobs; it must have 1 to %u", count,
                               JOB_GRAPH_JOBS_MAX);
    graph->jobs = xcalloc(count, sizeof(*graph->jobs));
    json_object_foreach(jobs, name, members) {
        if (add_job(graph, name, members, err) < 0)
            return -1;
    }
    return 0;
}

static int read_depends(struct graph_job *job, const char *const *names, struct error *err)
{
    const char *text = NULL;
    int found = json_get_string(job->members, "depends", false, &text, err);
    if (found > 0 && text[0] != '\0')
        found = dependency_spec_parse_named(text, names, &job->depends, err);
    if (found < 0)
        job_graph_blame(job->name, err);
    return found < 0 ? -1 : 0;
}

static int read_all_depends(struct job_graph *graph, struct error *err)
{
    CLEANUP_FREE const char **names = xcalloc(graph->count + 1, sizeof(*names));
    size_t sum = 0;
    for (size_t i = 0; i < graph->count; i++)
        names[i] = graph->jobs[i].name;
    for (size_t i = 0; i < graph->count; i++) {
        if (read_depends(&graph->jobs[i], names, err) < 0)
            return -1;
        sum += graph->jobs[i].depends.count;
        if (sum > JOB_GRAPH_DEPENDS_MAX)
            return error_set_field(err, "jobs",
                                   "the jobs have over %u dependencies, the limit of a request",
                                   JOB_GRAPH_DEPENDS_MAX);
    }
    return 0;
}

/* ---- the order ---- */

/* The place of a job while they are put into order. */
#define NO_PLACE SIZE_MAX

/* The first of the graph's jobs that it waits for and that has no place; NO_PLACE: none. */
static size_t missing_parent(const struct graph_job *job, const size_t *places)
{
    for (size_t i = 0; i < job->depends.count; i++) {
        uint64_t parent = job->depends.items[i].parent;
        if (parent >= DEPENDENCY_SIBLING && places[parent - DEPENDENCY_SIBLING] == NO_PLACE)
            return parent - DEPENDENCY_SIBLING;
    }
    return NO_PLACE;
}

/* Of the jobs without a place each waits for another one: from any of them on, along those, one
 * comes a second time. */
static json_t *find_cycle(const struct job_graph *graph, const size_t *places)
{
    CLEANUP_FREE bool *seen = xcalloc(graph->count, sizeof(*seen));
    json_t *path = json_array();
    size_t first = 0;
    while (places[first] != NO_PLACE)
        first++;
    for (; !seen[first]; first = missing_parent(&graph->jobs[first], places))
        seen[first] = true;
    size_t at = first;
    do {
        (void)json_array_append_new(path, json_string(graph->jobs[at].name));
        at = missing_parent(&graph->jobs[at], places);
    } while (at != first);
    (void)json_array_append_new(path, json_string(graph->jobs[first].name));
    return path;
}

/* Always the first that nothing keeps: as they were given, where that can be. */
static int find_places(struct job_graph *graph, size_t *places, struct error *err)
{
    for (size_t i = 0; i < graph->count; i++)
        places[i] = NO_PLACE;
    for (size_t placed = 0; placed < graph->count; placed++) {
        size_t next = 0;
        while (next < graph->count &&
               (places[next] != NO_PLACE || missing_parent(&graph->jobs[next], places) != NO_PLACE))
            next++;
        if (next < graph->count) {
            places[next] = placed;
            continue;
        }
        graph->path = find_cycle(graph, places);
        return error_set(err, ERROR_CONFLICT, "job %s would wait for itself, by job %s",
                         json_string_value(json_array_get(graph->path, 0)),
                         json_string_value(json_array_get(graph->path, 1)));
    }
    return 0;
}

static void apply_places(struct job_graph *graph, const size_t *places)
{
    struct graph_job *ordered = xcalloc(graph->count, sizeof(*ordered));
    for (size_t i = 0; i < graph->count; i++) {
        struct dependency_spec *depends = &graph->jobs[i].depends;
        for (size_t k = 0; k < depends->count; k++) {
            uint64_t *parent = &depends->items[k].parent;
            if (*parent >= DEPENDENCY_SIBLING)
                *parent = DEPENDENCY_SIBLING + places[*parent - DEPENDENCY_SIBLING];
        }
        ordered[places[i]] = graph->jobs[i];
    }
    free(graph->jobs);
    graph->jobs = ordered;
}

int job_graph_read(const json_t *params, struct job_graph *ret, struct error *err)
{
    *ret = (struct job_graph){.jobs = NULL};
    if (add_jobs(params, ret, err) < 0 || read_all_depends(ret, err) < 0)
        return -1;
    CLEANUP_FREE size_t *places = xcalloc(ret->count, sizeof(*places));
    if (find_places(ret, places, err) < 0)
        return -1;
    apply_places(ret, places);
    return 0;
}
