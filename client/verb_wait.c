/* batchctl wait. */
#include "client/mirror.h"
#include "client/table.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>
#include <unistd.h>

/* Of `wait --for running`: whether all (any: one) of the jobs run or have run. One that ended
 * without it was waited for in vain. */
static int have_run(const struct cli *cli, const json_t *jobs, bool any)
{
    size_t i;
    const json_t *job;
    const json_t *never = NULL;
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
        bool ran = json_is_integer(json_object_get(job, "started_at"));
        if (any && ran)
            return EXIT_DONE;
        if (!ran && never == NULL && json_is_integer(json_object_get(job, "ended_at")))
            never = job;
    }
    if (never == NULL)
        return EXIT_DONE;
    CLEANUP_FREE char *id = cli_id_text(never);
    if (!cli->quiet)
        (void)fprintf(stderr, "batchctl: job %s ended without having run\n", id);
    return EXIT_FALSE;
}

/* By id, a task of an array by its index behind it. */
static bool is_before(const json_t *a, const json_t *b)
{
    json_int_t first = json_integer_value(json_object_get(a, "id"));
    json_int_t second = json_integer_value(json_object_get(b, "id"));
    if (first != second)
        return first < second;
    return json_integer_value(json_object_get(a, "index")) <
           json_integer_value(json_object_get(b, "index"));
}

/* ---- why it takes so long, for who sits there ---- */

/* Longer than most jobs wait for a free place; a person wonders by then. */
#define PATIENCE_MS 3000
#define TOLD_MAX 3

static void tell_why(const json_t *jobs)
{
    size_t told = 0;
    for (size_t i = 0; i < json_array_size(jobs) && told < TOLD_MAX; i++) {
        const json_t *job = json_array_get(jobs, i);
        CLEANUP_FREE char *reasons = table_reasons(job);
        CLEANUP_FREE char *id = cli_id_text(job);
        if (reasons[0] == '\0')
            continue;
        (void)fprintf(stderr, "batchctl: job %s waits (%s); batchctl why %s\n", id, reasons, id);
        told++;
    }
}

/* The reply of Wait; takes `parameters`. */
static json_t *call_wait(struct cli *cli, json_t *parameters, int *ret_code)
{
    static const char method[] = "io.batchd.Jobs.Wait";
    if (cli->quiet || cli->json || isatty(STDERR_FILENO) == 0 ||
        json_object_get(parameters, "timeout_ms") != NULL)
        return cli_call_again(cli, method, parameters, ret_code);
    json_t *soon = json_copy(parameters);
    json_put_int(soon, "timeout_ms", PATIENCE_MS);
    json_t *reply = cli_call_again(cli, method, soon, ret_code);
    if (reply == NULL || !json_is_true(json_object_get(reply, "timed_out"))) {
        json_decref(parameters);
        return reply;
    }
    tell_why(json_object_get(reply, "jobs"));
    json_decref(reply);
    return cli_call_again(cli, method, parameters, ret_code);
}

/* As cli_wait; *ret_mirrored when the exit code is the jobs'. */
static int wait_for(struct cli *cli, json_t *ids, json_t *options, bool *ret_mirrored)
{
    int code = 0;
    int mirrored = EXIT_DONE;
    const json_t *mirrored_job = NULL;
    size_t i;
    json_t *job;
    json_t *parameters = options == NULL ? json_object() : options;
    bool running = json_object_get(parameters, "for") != NULL &&
                   strcmp(json_string_value(json_object_get(parameters, "for")), "running") == 0;
    bool any = json_is_true(json_object_get(parameters, "any"));
    json_put(parameters, "ids", ids);
    code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    CLEANUP_JSON json_t *reply = call_wait(cli, parameters, &code);
    if (reply == NULL) /* 6 and 7 would look like the job's own code once it was waited for */
        return code == EXIT_UNREACHABLE || code == EXIT_PROTOCOL ? EXIT_OWN_FAILURE : code;
    if (cli->json)
        cli_print_json(json_object_get(reply, "jobs"));
    if (json_is_true(json_object_get(reply, "timed_out")))
        return cli_fail(EXIT_TIMED_OUT, NULL, "timed out; the jobs go on");
    if (running)
        return have_run(cli, json_object_get(reply, "jobs"), any);
    json_array_foreach(json_object_get(reply, "jobs"), i, job) {
        int one = mirror_job(cli, job);
        if (one != EXIT_DONE && (mirrored == EXIT_DONE || is_before(job, mirrored_job))) {
            mirrored = one;
            mirrored_job = job;
        }
    }
    *ret_mirrored = true;
    return mirrored;
}

int cli_wait(struct cli *cli, json_t *ids, json_t *options)
{
    bool mirrored = false;
    return wait_for(cli, ids, options, &mirrored);
}

struct wait_request {
    json_t *parameters;
    bool all_ok;
};

static int take_option(void *arg, const char *name, const char *value)
{
    struct wait_request *request = arg;
    json_t *parameters = request->parameters;
    struct error err;
    uint64_t ms;
    if (strcmp(name, "any") == 0) {
        json_put(parameters, "any", json_true());
    } else if (strcmp(name, "all-ok") == 0) {
        request->all_ok = true;
    } else if (strcmp(name, "for") == 0) {
        json_put_text(parameters, "for", value);
    } else {
        if (parse_span_ms(value, &ms, &err) < 0)
            return cli_fail(EXIT_USAGE, NULL, "--timeout: %s", err.text);
        json_put_int(parameters, "timeout_ms", (int64_t)ms);
    }
    return 0;
}

static int run_wait(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct wait_request request = {.parameters = parameters};
    int operand = 1;
    int code;
    code = cli_options(cli, argc, argv, take_option, &request, &operand);
    if (code != 0)
        return code;
    json_t *ids = cli_ids(cli, argv + operand, argc - operand, &code);
    if (ids == NULL)
        return code;
    bool mirrored = false;
    code = wait_for(cli, ids, json_incref(parameters), &mirrored);
    return request.all_ok && mirrored && code != EXIT_DONE ? EXIT_REFUSED : code;
}

static const struct cli_option wait_options[] = {
    {"any", 0, NULL, "until one of them has ended"},
    {"all-ok", 0, NULL, "exit 0 when all succeeded, else 1"},
    {"for", 0, "STATE",
     "terminal, completed or running: exit 3 if it never ran (default: terminal)"},
    {"timeout", 0, "SPAN", "give up after this time: exit 124 (default: never)"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_wait = {.name = "wait",
                               .arguments = "ID...",
                               .tasks = CLI_TASKS_SETS,
                               .help = "Wait for jobs and exit as they did",
                               .example = "batchctl wait 42 43",
                               .options = wait_options,
                               .run = run_wait};
