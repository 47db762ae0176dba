/* batchctl retry. */
#include "client/submission.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

struct retry {
    bool failed_only, dry;
};

static int retry_one(struct cli *cli, json_t *id, void *arg)
{
    const struct retry *retry = arg;
    int code = 0;
    if (retry->dry) {
        CLEANUP_FREE char *text = cli_id_text(id);
        (void)printf("%s\n", text);
        return EXIT_DONE;
    }
    json_t *request = json_object();
    cli_put_id(request, id);
    submission_put_key(request);
    if (retry->failed_only)
        json_put(request, "failed_only", json_true());
    CLEANUP_JSON json_t *reply = cli_call_again(cli, "io.batchd.Jobs.Retry", request, &code);
    if (reply == NULL)
        return code;
    cli_print_submitted(cli, reply);
    return EXIT_DONE;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct retry retry = {.dry = false};
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL) {
        if (strcmp(name, "failed-only") == 0)
            retry.failed_only = true;
        else
            retry.dry = true;
    }
    if (failed)
        return EXIT_USAGE;
    return cli_each_id(cli, argv + operand, argc - operand, retry_one, &retry);
}

static const struct cli_option options[] = {
    {"failed-only", 0, NULL, "of an array only the tasks that failed"},
    {"dry-run", 0, NULL, "only print the ids it would retry"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_retry = {.name = "retry",
                                .arguments = "ID...",
                                .tasks = CLI_TASKS_SETS,
                                .help = "Submit anew what has ended, as new jobs",
                                .example = "batchctl retry 42 --failed-only",
                                .options = options,
                                .run = run};
