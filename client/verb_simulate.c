/* batchctl simulate: replays a trace or the daemon's history under policies, side by side. The
 * scheduler is the daemon's own, linked here: no daemon is needed, and none is kept busy. */
#include "client/replay_table.h"
#include "client/trace.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

/* Each run of some 200,000 jobs takes about a second, so all eight are the default. */
struct simulate_request {
    const char *trace; /* a path; NULL: the history */
    uint64_t history_ms, limit, cpus, ageing_ms, max_delay_ms, half_life_ms;
    bool policies[QUEUE_POLICY_COUNT], backfills[QUEUE_BACKFILL_COUNT];
    bool starts;
};

/* ---- options ---- */

static int take_policy(struct simulate_request *request, const char *value)
{
    enum queue_policy policy;
    bool all = strcmp(value, "all") == 0;
    if (!all && queue_policy_parse(value, &policy) < 0)
        return cli_fail(EXIT_USAGE, NULL,
                        "--policy \"%s\" must be fifo, priority, sjf, fair or all", value);
    for (int i = 0; i < QUEUE_POLICY_COUNT; i++)
        request->policies[i] = all || i == (int)policy;
    return 0;
}

static int take_backfill(struct simulate_request *request, const char *value)
{
    enum queue_backfill backfill;
    bool both = strcmp(value, "both") == 0;
    if (!both && queue_backfill_parse(value, &backfill) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--backfill \"%s\" must be none, easy or both", value);
    for (int i = 0; i < QUEUE_BACKFILL_COUNT; i++)
        request->backfills[i] = both || i == (int)backfill;
    return 0;
}

static int take_number(const char *name, const char *value, uint64_t *ret)
{
    struct error err;
    if (parse_u64(value, 1, UINT32_MAX, ret, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    return 0;
}

/* Up to a thousand years: microseconds stay far from the end of 64 bits. */
static int take_span(const char *name, const char *value, uint64_t *ret)
{
    struct error err;
    if (parse_span_ms(value, ret, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    if (*ret > UINT64_C(1000) * 366 * 24 * 3600 * 1000)
        return cli_fail(EXIT_USAGE, NULL, "--%s \"%s\" must be at most 1000 years", name, value);
    return 0;
}

static int take_option(void *arg, const char *name, const char *value)
{
    struct simulate_request *request = arg;
    if (strcmp(name, "policy") == 0)
        return take_policy(request, value);
    if (strcmp(name, "backfill") == 0)
        return take_backfill(request, value);
    if (strcmp(name, "cpus") == 0)
        return take_number(name, value, &request->cpus);
    if (strcmp(name, "limit") == 0)
        return take_number(name, value, &request->limit);
    if (strcmp(name, "history") == 0)
        return take_span(name, value, &request->history_ms);
    if (strcmp(name, "ageing") == 0)
        return take_span(name, value, &request->ageing_ms);
    if (strcmp(name, "max-delay") == 0)
        return take_span(name, value, &request->max_delay_ms);
    if (strcmp(name, "half-life") == 0)
        return take_span(name, value, &request->half_life_ms);
    if (strcmp(name, "starts") == 0)
        request->starts = true;
    else
        request->trace = value;
    return 0;
}

static size_t count_true(const bool *flags, int count)
{
    size_t number = 0;
    for (int i = 0; i < count; i++)
        number += flags[i];
    return number;
}

static int check_request(const struct cli *cli, const struct simulate_request *request)
{
    if ((request->trace == NULL) == (request->history_ms == 0))
        return cli_fail(EXIT_USAGE, cli->verb->example,
                        "simulate takes --trace FILE or --history SPAN");
    size_t runs = count_true(request->policies, QUEUE_POLICY_COUNT) *
                  count_true(request->backfills, QUEUE_BACKFILL_COUNT);
    if (request->starts && runs != 1)
        return cli_fail(EXIT_USAGE, "--policy fifo --backfill easy",
                        "--starts prints one run: name one policy and one kind of backfill");
    return 0;
}

/* ---- what is replayed ---- */

struct history {
    struct trace *trace;
    uint64_t limit;
};

static bool take_page(void *arg, const json_t *jobs)
{
    const struct history *history = arg;
    return trace_take_history(jobs, history->limit, history->trace);
}

/* Of those before the last that --limit leaves room for. */
static bool count_page(void *arg, const json_t *jobs)
{
    const struct history *history = arg;
    const struct trace *trace = history->trace;
    bool full = history->limit > 0 && trace->count == history->limit;
    size_t i;
    const json_t *job;
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
        json_int_t id = json_integer_value(json_object_get(job, "id"));
        if (full && (uint64_t)id >= trace->jobs[trace->count - 1].label)
            return false;
        trace_count_unstarted(job, history->trace);
    }
    return true;
}

/* Asks for what was submitted since then, with further parameters that are taken. */
static int read_pages(struct cli *cli, int64_t since, json_t *parameters, cli_page_fn take,
                      struct history *history)
{
    int missing;
    CLEANUP_JSON json_t *mine = parameters;
    json_put_int(mine, "since_us", since);
    json_put(mine, "all", json_true());
    return cli_list_pages(cli, mine, 0, take, history, &missing);
}

/* What ran, task by task; then what ended without, an array as one: only its counts matter. What is
 * completed has run. */
static int read_history(struct cli *cli, const struct simulate_request *request,
                        struct trace *trace)
{
    struct history history = {trace, request->limit};
    int64_t since = clock_wall_us() - (int64_t)request->history_ms * US_PER_MS;
    int code = 0;
    CLEANUP_JSON json_t *status = cli_call(cli, "io.batchd.Server.Status", NULL, &code);
    if (status == NULL)
        return code;
    code = read_pages(cli, since,
                      json_pack("{s[sss]sbsb}", "states", "completed", "failed", "cancelled",
                                "tasks", 1, "started", 1),
                      take_page, &history);
    if (code == 0)
        code = read_pages(cli, since, json_pack("{s[ss]}", "states", "failed", "cancelled"),
                          count_page, &history);
    if (code != 0)
        return code;
    trace->processors =
        (uint32_t)json_integer_value(json_object_get(json_object_get(status, "resources"), "cpus"));
    return 0;
}

static int refuse_empty(const struct trace *trace)
{
    CLEANUP_FREE char *why = trace_drops_text(trace);
    if (why[0] == '\0')
        return cli_fail(EXIT_REFUSED, NULL, "there is no job to replay");
    return cli_fail(EXIT_REFUSED, NULL, "there is no job to replay (%zu dropped: %s)",
                    trace_dropped(trace), why);
}

static int read_jobs(struct cli *cli, struct simulate_request *request, struct trace *trace)
{
    struct error err;
    int code = 0;
    if (request->trace == NULL)
        code = read_history(cli, request, trace);
    else if (trace_read(request->trace, request->limit, trace, &err) < 0)
        code = cli_fail(EXIT_REFUSED, NULL, "%s", err.text);
    if (code != 0)
        return code;
    if (trace->count == 0)
        return refuse_empty(trace);
    if (request->cpus == 0)
        request->cpus = trace->processors;
    if (request->cpus == 0)
        return cli_fail(EXIT_USAGE, "--cpus 128",
                        "the trace does not say how many processors there are");
    for (size_t i = 0; i < trace->count; i++) {
        if (trace->jobs[i].cpus > request->cpus)
            trace->jobs[i].cpus = (uint32_t)request->cpus;
    }
    return 0;
}

/* ---- runs ---- */

static void run_one(const struct simulate_request *request, struct trace *trace,
                    enum queue_policy policy, enum queue_backfill backfill)
{
    const struct scheduler_options options = {
        .total = {.amount = {[RESOURCE_CPUS] = request->cpus}},
        .queue = {.policy = policy,
                  .backfill = backfill,
                  .ageing_us = (int64_t)request->ageing_ms * US_PER_MS,
                  .max_delay_us = (int64_t)request->max_delay_ms * US_PER_MS},
        .half_life_us = (int64_t)request->half_life_ms * US_PER_MS,
    };
    simulation_run(&options, trace->jobs, trace->count);
}

static int by_label(const void *a, const void *b)
{
    const struct simulated_job *first = a;
    const struct simulated_job *second = b;
    if (first->label != second->label)
        return first->label < second->label ? -1 : 1;
    return (first->position > second->position) - (first->position < second->position);
}

/* Seconds of the trace's own clock, whole ones without a point. */
static void print_start(const struct simulated_job *job)
{
    long long seconds = job->started_at / US_PER_SECOND;
    long long rest = job->started_at % US_PER_SECOND;
    (void)printf("%llu,", (unsigned long long)job->label);
    if (rest == 0)
        (void)printf("%lld\n", seconds);
    else
        (void)printf("%.6f\n", (double)job->started_at / US_PER_SECOND);
}

static void print_starts(const struct cli *cli, struct trace *trace)
{
    CLEANUP_JSON json_t *all = json_array();
    qsort(trace->jobs, trace->count, sizeof(*trace->jobs), by_label);
    for (size_t i = 0; i < trace->count; i++) {
        const struct simulated_job *job = &trace->jobs[i];
        if (!cli->json) {
            print_start(job);
            continue;
        }
        json_t *one = json_object();
        json_put_int(one, "id", (json_int_t)job->label);
        json_put(one, "start_s", json_real((double)job->started_at / US_PER_SECOND));
        (void)json_array_append_new(all, one);
    }
    if (cli->json)
        cli_print_json(all);
}

static void print_json(const struct simulate_request *request, const struct trace *trace,
                       const struct replay_run *runs, size_t count)
{
    CLEANUP_JSON json_t *all = json_object();
    json_t *list = json_array();
    json_put_text(all, "trace", request->trace);
    json_put_int(all, "cpus", (json_int_t)request->cpus);
    json_put_int(all, "jobs", (json_int_t)trace->count);
    json_put_int(all, "dropped", (json_int_t)trace_dropped(trace));
    json_put(all, "dropped_why", trace_drops_json(trace));
    for (size_t i = 0; i < count; i++) {
        json_t *one = replay_report_json(&runs[i].report);
        json_put_text(one, "policy", queue_policy_word(runs[i].policy));
        json_put_text(one, "backfill", queue_backfill_word(runs[i].backfill));
        (void)json_array_append_new(list, one);
    }
    json_put(all, "runs", list);
    cli_print_json(all);
}

static void replay(const struct cli *cli, const struct simulate_request *request,
                   struct trace *trace)
{
    struct replay_run runs[QUEUE_POLICY_COUNT * QUEUE_BACKFILL_COUNT];
    size_t count = 0;
    for (int policy = 0; policy < QUEUE_POLICY_COUNT; policy++) {
        for (int backfill = 0; backfill < QUEUE_BACKFILL_COUNT; backfill++) {
            if (!request->policies[policy] || !request->backfills[backfill])
                continue;
            struct replay_run *run = &runs[count++];
            run->policy = (enum queue_policy)policy;
            run->backfill = (enum queue_backfill)backfill;
            run_one(request, trace, run->policy, run->backfill);
            replay_report_make(trace->jobs, trace->count, request->cpus, &run->report);
        }
    }
    if (request->starts)
        print_starts(cli, trace);
    else if (cli->json)
        print_json(request, trace, runs, count);
    else
        replay_table_print(cli, runs, count, request->trace == NULL);
    for (size_t i = 0; i < count; i++)
        replay_report_done(&runs[i].report);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct simulate_request request = {.half_life_ms = UINT64_C(7) * 24 * 3600 * 1000};
    CLEANUP(trace_done) struct trace trace = {0};
    int operand = 1;
    int code = 0;
    (void)take_policy(&request, "all");
    (void)take_backfill(&request, "both");
    code = cli_options(cli, argc, argv, take_option, &request, &operand);
    if (code != 0)
        return code;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, cli->verb->example, "simulate takes no \"%s\"", argv[operand]);
    code = check_request(cli, &request);
    if (code == 0)
        code = read_jobs(cli, &request, &trace);
    if (code == 0 && trace_dropped(&trace) > 0 && !cli->quiet) {
        CLEANUP_FREE char *why = trace_drops_text(&trace);
        (void)fprintf(stderr, "batchctl: jobs not replayed: %s\n", why);
    }
    if (code == 0)
        replay(cli, &request, &trace);
    return code;
}

static const struct cli_option simulate_options[] = {
    {"trace", 0, "FILE", "jobs from a Standard Workload Format file, plain or gzip"},
    {"history", 0, "SPAN", "the jobs that were submitted to the daemon in this time and ended"},
    {"cpus", 'c', "N", "processors (default: what the trace says, or the daemon has)"},
    {"policy", 0, "POLICY", "fifo, priority, sjf, fair or all (default: all)"},
    {"backfill", 0, "KIND", "none, easy or both (default: both)"},
    {"ageing", 0, "SPAN", "priority: a level up for each such time waited (default: never)"},
    {"max-delay", 0, "SPAN", "who waited so long goes first (default: no bound)"},
    {"half-life", 0, "SPAN", "fair: in which usage counts half (default: 7d)"},
    {"limit", 0, "N", "only the first N jobs"},
    {"starts", 0, NULL, "print id,start of each job, in seconds of the trace, by id"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_simulate = {.name = "simulate",
                                   .arguments = "",
                                   .help = "Replay jobs under scheduling policies, side by side",
                                   .example =
                                       "batchctl simulate --trace t.swf.gz --cpus 128 --policy all",
                                   .options = simulate_options,
                                   .run = run};
