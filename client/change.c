#include "client/change.h"

#include "client/submission.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <string.h>

static void say_done(const struct cli *cli, const json_t *id, const struct change *change)
{
    CLEANUP_FREE char *text = cli_id_text(id);
    if (change->dry)
        (void)printf("%s\n", text);
    else if (!cli->quiet)
        (void)printf("%s job %s\n", change->done, text);
}

/* The last error reply says that the job has ended. */
static bool has_ended(const struct cli *cli)
{
    const char *name = batchd_error_name(cli->client);
    const json_t *parameters = name == NULL ? NULL : batchd_error_parameters(cli->client);
    const char *state = json_string_value(json_object_get(parameters, "state"));
    return name != NULL && strcmp(name, "io.batchd.InvalidState") == 0 && state != NULL &&
           (strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
            strcmp(state, "cancelled") == 0);
}

/* As cli_call; a job that has ended since the pattern was read is no error: NULL with 0. */
static json_t *call_unless_ended(struct cli *cli, const char *method, json_t *request,
                                 int *ret_code)
{
    struct error err;
    *ret_code = cli_connect(cli);
    if (*ret_code != 0) {
        json_decref(request);
        return NULL;
    }
    json_t *reply = batchd_call(cli->client, method, request, &err);
    if (reply == NULL && !has_ended(cli))
        *ret_code = cli_fail_error(cli, &err);
    return reply;
}

/* Takes `request`. NULL with *ret_code, after reporting. */
static json_t *ask(struct cli *cli, const struct change *change, json_t *request, int *ret_code)
{
    if (change->keyed)
        return cli_call_again(cli, change->method, request, ret_code);
    if (change->ends && cli->matched)
        return call_unless_ended(cli, change->method, request, ret_code);
    return cli_call(cli, change->method, request, ret_code);
}

static int change_one(struct cli *cli, json_t *id, void *arg)
{
    const struct change *change = arg;
    int code = 0;
    json_t *request = change->parameters == NULL ? json_object() : json_copy(change->parameters);
    cli_put_id(request, id);
    if (change->dry)
        json_put(request, "dry_run", json_true());
    else if (change->keyed)
        submission_put_key(request);
    CLEANUP_JSON json_t *reply = ask(cli, change, request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_give_json(cli, reply);
    else if (change->say != NULL)
        return change->say(cli, id, reply);
    else
        say_done(cli, id, change);
    return EXIT_DONE;
}

int change_jobs(struct cli *cli, char **words, int count, const struct change *change)
{
    struct change mine = *change;
    return cli_each_id_like(cli, change->like, words, count, change_one, &mine);
}

int change_take_dry(void *arg, const char *name, const char *value)
{
    struct change *change = arg;
    (void)name;
    (void)value;
    change->dry = true;
    return 0;
}

int change_take_span(struct change *change, const char *name, const char *value, const char *member)
{
    struct error err;
    uint64_t ms;
    if (parse_span_ms(value, &ms, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    json_put_int(change->parameters, member, (int64_t)ms);
    return 0;
}

int change_run(struct cli *cli, int argc, char **argv, struct change change)
{
    int operand = 1;
    int code = cli_options(cli, argc, argv, change_take_dry, &change, &operand);
    return code != 0 ? code : change_jobs(cli, argv + operand, argc - operand, &change);
}
