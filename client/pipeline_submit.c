#include "client/pipeline_submit.h"

#include "client/environment.h"
#include "client/pair.h"
#include "client/pipeline.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/frame.h"
#include "common/words.h"

#include <string.h>

int pipeline_order_take(struct pipeline_order *order, struct cli *cli, const char *name,
                        const char *value)
{
    static const char *const both[] = {"key", "chdir", "env", "env-policy", "wait", "test"};
    if (strcmp(name, "set") == 0)
        return pair_take(order->set, "set", value) == 0 ? 1 : -1;
    if (strcmp(name, "file") == 0 || strcmp(name, "graph") == 0) {
        order->path = value;
        return cli_claim_input(cli, name, value) == 0 ? 1 : -1;
    }
    if (words_find(both, sizeof(both) / sizeof(both[0]), name) < 0)
        order->other = name;
    return 0;
}

/* ---- out ---- */

static void print(const struct cli *cli, const json_t *reply)
{
    size_t i;
    const json_t *job;
    json_array_foreach(json_object_get(reply, "jobs"), i, job) {
        long long id = json_integer_value(json_object_get(job, "id"));
        if (cli->quiet)
            (void)printf("%lld\n", id);
        else
            (void)printf("%s %lld\n", json_string_value(json_object_get(job, "name")), id);
    }
}

static int say_tested(const struct cli *cli, const json_t *reply)
{
    size_t count = json_array_size(json_object_get(reply, "jobs"));
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf(count == 1 ? "The job would be taken\n" : "The %zu jobs would be taken\n",
                     count);
    return EXIT_DONE;
}

static int wait_for_all(struct cli *cli, const json_t *reply)
{
    size_t i;
    const json_t *job;
    json_t *ids = json_array();
    json_array_foreach(json_object_get(reply, "jobs"), i, job)
        (void)json_array_append(ids, json_object_get(job, "id"));
    return cli_wait(cli, ids, NULL);
}

static int finish(const struct submission *submission, const json_t *reply)
{
    struct cli *cli = submission->cli;
    if (submission->test)
        return say_tested(cli, reply);
    if (cli->json && !submission->wait) /* their end has the ids, too */
        cli_print_json(reply);
    else if (!cli->json)
        print(cli, reply);
    (void)fflush(stdout);
    return submission->wait ? wait_for_all(cli, reply) : EXIT_DONE;
}

/* ---- in ---- */

static int check(const struct pipeline_order *order, int operands)
{
    if (operands > 0)
        return cli_fail(EXIT_USAGE, NULL, "--file and a command exclude each other");
    if (order->other != NULL)
        return cli_fail(EXIT_USAGE, "say it in the file, of the job that it is for",
                        "--%s goes not with --file", order->other);
    return EXIT_DONE;
}

/* The jobs as they are in the file take the place of what else was to be a single job. */
static json_t *request_of(const struct submission *submission, json_t *jobs)
{
    json_t *request = json_object();
    json_t *key = json_object_get(submission->request, "key");
    json_put(request, "jobs", jobs);
    if (submission->test)
        json_put(request, "dry_run", json_true());
    else if (key != NULL)
        json_put(request, "key", json_incref(key));
    else
        submission_put_key(request);
    return request;
}

/* Of the frame around the request. */
#define ENVELOPE_BYTES 256U

/* A request that is too long breaks the connection; said here, it is said why. */
static int check_size(const struct pipeline_order *order, const json_t *request)
{
    size_t bytes = json_dumpb(request, NULL, 0, JSON_COMPACT) + ENVELOPE_BYTES;
    if (bytes <= FRAME_BYTES_MAX)
        return EXIT_DONE;
    return cli_fail(EXIT_USAGE, "--env-policy none leaves out your environment",
                    "--file %s: its jobs with their environments take %zu bytes; a request may "
                    "have %u",
                    order->path, bytes, FRAME_BYTES_MAX);
}

int pipeline_submit(struct submission *submission, const struct pipeline_order *order, int operands)
{
    struct error err;
    int code = check(order, operands);
    if (code == EXIT_DONE)
        code = submission_add_rest(submission);
    if (code != EXIT_DONE)
        return code;
    json_t *jobs = pipeline_read(order->path, order->set, &err);
    if (jobs == NULL)
        return cli_fail(EXIT_USAGE, NULL, "--file %s: %s", order->path, err.text);
    const json_t *here = submission->request;
    pipeline_add_here(jobs, json_object_get(here, "cwd"),
                      json_integer_value(json_object_get(here, "umask")), submission->env);
    CLEANUP_JSON json_t *request = request_of(submission, jobs);
    code = check_size(order, request);
    if (code != EXIT_DONE)
        return code;
    CLEANUP_JSON json_t *reply =
        cli_call_again(submission->cli, "io.batchd.Jobs.SubmitMany", json_incref(request), &code);
    return reply == NULL ? code : finish(submission, reply);
}
