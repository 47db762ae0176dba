/* batchctl workers: look at the workers, say how many there may be, let some finish and go. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/status_lines.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

/* As workers.max. */
#define WORKERS_MAX 4096U

/* ---- list ---- */

/* "42_7", "-" when it has none or that is not for us to see. The caller frees, as the next. */
static char *job_text(const json_t *worker)
{
    if (!json_is_integer(json_object_get(worker, "job")))
        return xstrdup("-");
    if (!json_is_integer(json_object_get(worker, "index")))
        return xasprintf("%lld", reply_number(worker, "job"));
    return xasprintf("%lld_%lld", reply_number(worker, "job"), reply_number(worker, "index"));
}

static char *why_text(const json_t *worker)
{
    const char *why = reply_cell(worker, "why");
    long long waiting = reply_number(worker, "waiting");
    if (strcmp(why, "minimum") == 0)
        return xstrdup("fewer than min");
    if (strcmp(why, "jobs") == 0)
        return xasprintf("%lld job%s waited", waiting, waiting == 1 ? "" : "s");
    return xstrdup("-");
}

static char *uptime_text(const json_t *worker)
{
    char span[32];
    int64_t made_at = reply_number(worker, "made_at");
    int64_t now = clock_wall_us();
    if (made_at <= 0)
        return xstrdup("-");
    format_span(now > made_at ? (uint64_t)(now - made_at) / 1000 : 0, span, sizeof(span));
    return xstrdup(span);
}

static char *memory_text(const json_t *worker)
{
    char size[32];
    if (!json_is_integer(json_object_get(worker, "memory_bytes")))
        return xstrdup("-");
    format_size((uint64_t)reply_number(worker, "memory_bytes"), size, sizeof(size));
    return xstrdup(size);
}

static void print_worker(struct libscols_table *table, const json_t *worker)
{
    CLEANUP_FREE char *id = xasprintf("%lld", reply_number(worker, "id"));
    CLEANUP_FREE char *job = job_text(worker);
    CLEANUP_FREE char *ahead =
        xasprintf("%lld", reply_number(worker, "load") > 1 ? reply_number(worker, "load") - 1 : 0);
    CLEANUP_FREE char *done = xasprintf("%lld", reply_number(worker, "done"));
    CLEANUP_FREE char *failed = xasprintf("%lld", reply_number(worker, "failed"));
    CLEANUP_FREE char *up = uptime_text(worker);
    CLEANUP_FREE char *memory = memory_text(worker);
    CLEANUP_FREE char *why = why_text(worker);
    const char *const cells[] = {
        id, reply_cell(worker, "state"), job, ahead, done, failed, up, memory, why, NULL};
    grid_add(table, cells);
}

static void print_list(const struct cli *cli, const json_t *reply)
{
    static const char *const titles[] = {">ID",     "STATE", "JOB",     ">AHEAD", ">DONE",
                                         ">FAILED", ">UP",   ">MEMORY", "MADE",   NULL};
    const json_t *worker;
    size_t i;
    struct libscols_table *table = grid_new(cli, titles);
    json_array_foreach(json_object_get(reply, "workers"), i, worker)
        print_worker(table, worker);
    grid_print(table);
    status_lines_scaling(stdout, json_object_get(reply, "scaling"));
}

static void print_ids(const json_t *workers)
{
    const json_t *worker;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)workers, i, worker)
        (void)printf("%lld\n", reply_number(worker, "id"));
}

static int list(struct cli *cli, char **words, int count)
{
    int code = 0;
    (void)words;
    if (count > 0)
        return cli_fail(EXIT_USAGE, cli->verb->example, "workers list takes no \"%s\"", words[0]);
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Workers.List", NULL, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (cli->quiet)
        print_ids(json_object_get(reply, "workers"));
    else
        print_list(cli, reply);
    return EXIT_DONE;
}

/* ---- set, limit ---- */

static int give_scaling(struct cli *cli, const char *method, json_t *request)
{
    int code = 0;
    CLEANUP_JSON json_t *reply = cli_call(cli, method, request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        status_lines_scaling(stdout, json_object_get(reply, "scaling"));
    return EXIT_DONE;
}

/* As the daemon has it, at least one may be allowed. 0, or the exit code after reporting. */
static int take_number(const char *word, const char *name, json_t *request)
{
    const uint64_t least = strcmp(name, "max") == 0 ? 1 : 0;
    uint64_t number = 0;
    struct error err;
    if (parse_u64(word, least, WORKERS_MAX, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "%s \"%s\" must be a number of workers from %u to %u",
                        name, word, (unsigned)least, WORKERS_MAX);
    json_put_int(request, name, (int64_t)number);
    return 0;
}

/* One number is both. */
static int set(struct cli *cli, char **words, int count)
{
    if (count == 1 && strcmp(words[0], "default") == 0)
        return give_scaling(cli, "io.batchd.Workers.Reset", NULL);
    if (count < 1 || count > 2)
        return cli_fail(EXIT_USAGE, cli->verb->example,
                        "workers set takes a number, MIN and MAX, or default");
    CLEANUP_JSON json_t *request = json_object();
    int code = take_number(words[0], "min", request);
    if (code == 0)
        code = take_number(words[count - 1], "max", request);
    return code != 0 ? code : give_scaling(cli, "io.batchd.Workers.Set", json_incref(request));
}

static int limit(struct cli *cli, char **words, int count)
{
    if (count != 1)
        return cli_fail(EXIT_USAGE, cli->verb->example, "workers limit takes a number");
    CLEANUP_JSON json_t *request = json_object();
    int code = take_number(words[0], "max", request);
    return code != 0 ? code : give_scaling(cli, "io.batchd.Workers.Set", json_incref(request));
}

/* ---- drain ---- */

static int take_ids(char **words, int count, json_t *request)
{
    if (count == 1 && strcmp(words[0], "all") == 0) {
        json_put(request, "all", json_true());
        return 0;
    }
    json_t *ids = json_array();
    json_put(request, "ids", ids);
    for (int i = 0; i < count; i++) {
        uint64_t id = 0;
        struct error err;
        if (parse_u64(words[i], 1, INT64_MAX, &id, &err) < 0)
            return cli_fail(EXIT_USAGE, "batchctl workers",
                            "\"%s\" must be the number of a worker, or all", words[i]);
        (void)json_array_append_new(ids, json_integer((json_int_t)id));
    }
    return 0;
}

static void print_drained(const json_t *workers)
{
    const json_t *worker;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)workers, i, worker) {
        CLEANUP_FREE char *job = job_text(worker);
        (void)printf("Worker %lld leaves%s%s\n", reply_number(worker, "id"),
                     strcmp(job, "-") == 0 ? "" : " after job ", strcmp(job, "-") == 0 ? "" : job);
    }
}

static int drain(struct cli *cli, char **words, int count, bool dry)
{
    if (count == 0)
        return cli_fail(EXIT_USAGE, cli->verb->example,
                        "workers drain takes the numbers of workers, or all");
    CLEANUP_JSON json_t *request = json_object();
    int code = take_ids(words, count, request);
    if (code != 0)
        return code;
    if (dry)
        json_put(request, "dry_run", json_true());
    CLEANUP_JSON json_t *reply =
        cli_call(cli, "io.batchd.Workers.Drain", json_incref(request), &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (dry)
        print_ids(json_object_get(reply, "workers"));
    else if (!cli->quiet)
        print_drained(json_object_get(reply, "workers"));
    return EXIT_DONE;
}

/* ---- which of them ---- */

static int run(struct cli *cli, int argc, char **argv)
{
    bool dry = false;
    int operand = 1;
    int code = cli_options(cli, argc, argv, cli_take_flag, &dry, &operand);
    if (code != 0)
        return code;
    const char *word = operand < argc ? argv[operand] : "list";
    char **words = operand < argc ? argv + operand + 1 : argv + operand;
    int count = operand < argc ? argc - operand - 1 : 0;
    if (strcmp(word, "drain") == 0)
        return drain(cli, words, count, dry);
    if (dry)
        return cli_fail(EXIT_USAGE, NULL, "--dry-run goes with drain");
    if (strcmp(word, "list") == 0)
        return list(cli, words, count);
    if (strcmp(word, "set") == 0)
        return set(cli, words, count);
    if (strcmp(word, "limit") == 0)
        return limit(cli, words, count);
    return cli_fail(EXIT_USAGE, cli->verb->example,
                    "workers takes one of list, set, limit and drain, not \"%s\"", word);
}

static const struct cli_option options[] = {
    {"dry-run", 0, NULL, "with drain: say which ones, and change nothing"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_workers = {
    .name = "workers",
    .arguments = "[list | set | limit | drain] [N...]",
    .help = "Look at the workers, say how many there may be, let some finish and leave",
    .example = "batchctl workers set 1 8",
    .options = options,
    .run = run};
