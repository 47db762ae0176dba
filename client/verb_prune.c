/* batchctl prune. */
#include "client/change.h"
#include "client/reply.h"
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

static void say_kept(const json_t *reply)
{
    long long kept = reply_number(reply, "kept");
    if (kept > 0)
        (void)printf("%lld kept: unfinished jobs depend on %s\n", kept, kept == 1 ? "it" : "them");
}

/* Of a job that is named. */
static int say(struct cli *cli, json_t *id, const json_t *reply)
{
    CLEANUP_FREE char *text = cli_id_text(id);
    if (reply_number(reply, "removed") == 0 && reply_number(reply, "kept") > 0)
        return cli_fail(EXIT_REFUSED, NULL, "job %s is kept: an unfinished job depends on it",
                        text);
    if (reply_number(reply, "removed") == 0) /* the options leave it out */
        return EXIT_DONE;
    if (json_is_true(json_object_get(reply, "dry_run")))
        (void)printf("%s\n", text);
    else if (!cli->quiet)
        (void)printf("Removed job %s\n", text);
    return EXIT_DONE;
}

static int prune_all(struct cli *cli, const struct change *change)
{
    int code = 0;
    if (change->dry)
        json_put(change->parameters, "dry_run", json_true());
    CLEANUP_JSON json_t *reply =
        cli_call(cli, change->method, json_incref(change->parameters), &code);
    if (reply == NULL)
        return code;
    if (cli->json) {
        cli_print_json(reply);
    } else if (!cli->quiet) {
        long long removed = reply_number(reply, "removed");
        (void)printf("%s %lld job%s\n", change->dry ? "Would remove" : "Removed", removed,
                     removed == 1 ? "" : "s");
        say_kept(reply);
    }
    return EXIT_DONE;
}

static int take_option(void *arg, const char *name, const char *value)
{
    struct change *change = arg;
    if (strcmp(name, "older") == 0)
        return change_take_span(change, name, value, "older_ms");
    if (strcmp(name, "dry-run") == 0)
        return change_take_dry(arg, name, value);
    cli_put_states(change->parameters, value);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct change change = {.method = "io.batchd.Jobs.Prune",
                            .parameters = parameters,
                            .like = CLI_LIKE_ENDED,
                            .say = say};
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, &change, &operand);
    if (code != 0)
        return code;
    return operand == argc ? prune_all(cli, &change)
                           : change_jobs(cli, argv + operand, argc - operand, &change);
}

static const struct cli_option options[] = {
    {"state", 's', "ENDED,...", "only those that are completed, failed or cancelled"},
    {"older", 0, "SPAN",
     "only those that ended so long ago (0: all; default: as [retention] says)"},
    {"dry-run", 0, NULL, "only say what it would remove"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_prune = {.name = "prune",
                                .arguments = "[ID...]",
                                .help = "Remove jobs that have ended, with their output",
                                .example = "batchctl prune --state completed --older 1d",
                                .options = options,
                                .run = run};
