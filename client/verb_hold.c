/* batchctl hold, release. */
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

struct change {
    const char *method, *done;
    bool dry;
};

static int change_one(struct cli *cli, json_t *id, void *arg)
{
    const struct change *change = arg;
    int code = 0;
    if (change->dry) {
        cli_print_json(id);
        return EXIT_DONE;
    }
    json_t *request = json_object();
    json_put(request, "id", json_incref(id));
    CLEANUP_JSON json_t *reply = cli_call(cli, change->method, request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf("%s job %lld\n", change->done, json_integer_value(id));
    return EXIT_DONE;
}

static int change_all(struct cli *cli, int argc, char **argv, struct change change)
{
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    while (cli_next(cli, argc, argv, &value, &failed, &operand) != NULL)
        change.dry = true;
    if (failed)
        return EXIT_USAGE;
    return cli_each_id(cli, argv + operand, argc - operand, change_one, &change);
}

static int run_hold(struct cli *cli, int argc, char **argv)
{
    return change_all(cli, argc, argv,
                      (struct change){.method = "io.batchd.Jobs.Hold", .done = "Held"});
}

static int run_release(struct cli *cli, int argc, char **argv)
{
    return change_all(cli, argc, argv,
                      (struct change){.method = "io.batchd.Jobs.Release", .done = "Released"});
}

static const struct cli_option hold_options[] = {
    {"dry-run", 0, NULL, "only print the ids it would change"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_hold = {.name = "hold",
                               .arguments = "ID...",
                               .help = "Keep waiting jobs from starting until they are released",
                               .example = "batchctl hold name:render*",
                               .options = hold_options,
                               .run = run_hold};
const struct verb verb_release = {.name = "release",
                                  .arguments = "ID...",
                                  .help = "Let held jobs start",
                                  .example = "batchctl release 42",
                                  .options = hold_options,
                                  .run = run_release};
