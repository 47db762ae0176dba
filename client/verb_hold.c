/* batchctl hold, release. */
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

static int change_one(struct cli *cli, const char *method, const char *done, json_t *id)
{
    int code = 0;
    json_t *request = json_object();
    json_put(request, "id", json_incref(id));
    CLEANUP_JSON json_t *reply = cli_call(cli, method, request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf("%s job %lld\n", done, json_integer_value(id));
    return EXIT_DONE;
}

static int change(struct cli *cli, int argc, char **argv, const char *method, const char *done)
{
    const char *value = NULL;
    bool failed = false;
    bool dry = false;
    int operand = 1;
    int code;
    size_t i;
    json_t *id;
    while (cli_next(cli, argc, argv, &value, &failed, &operand) != NULL)
        dry = true;
    if (failed)
        return EXIT_USAGE;
    CLEANUP_JSON json_t *ids = cli_ids(cli, argv + operand, argc - operand, &code);
    if (ids == NULL)
        return code;
    int result = EXIT_DONE;
    json_array_foreach(ids, i, id) {
        if (dry)
            cli_print_json(id);
        else
            code = change_one(cli, method, done, id);
        result = result == EXIT_DONE ? code : result;
    }
    return result;
}

static int run_hold(struct cli *cli, int argc, char **argv)
{
    return change(cli, argc, argv, "io.batchd.Jobs.Hold", "Held");
}

static int run_release(struct cli *cli, int argc, char **argv)
{
    return change(cli, argc, argv, "io.batchd.Jobs.Release", "Released");
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
