/* batchctl cancel. */
#include "client/change.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

/* Of some tasks those that have not ended. */
static int print_open_tasks(struct cli *cli, json_t *id)
{
    size_t i;
    json_t *task;
    CLEANUP_JSON json_t *tasks = NULL;
    CLEANUP_JSON json_t *parameters = json_pack("{s[O]s[ssss]}", "ids", id, "states", "pending",
                                                "starting", "running", "suspended");
    int code = cli_list(cli, parameters, 0, &tasks);
    json_array_foreach(tasks, i, task) {
        CLEANUP_FREE char *text = cli_id_text(task);
        (void)printf("%s\n", text);
    }
    return code;
}

static int say(struct cli *cli, json_t *id, const json_t *reply)
{
    const char *state = json_string_value(json_object_get(reply, "state"));
    bool cancelled = state != NULL && strcmp(state, "cancelled") == 0;
    bool some = json_object_get(id, "indices") != NULL;
    CLEANUP_FREE char *name = cli_id_text(id);
    if (json_is_true(json_object_get(reply, "dry_run"))) {
        if (some)
            return print_open_tasks(cli, id);
        (void)printf("%s\n", name);
    } else if (!cli->quiet && some) {
        (void)printf("Cancelled %lld tasks of %s, stopping %lld\n",
                     json_integer_value(json_object_get(reply, "cancelled")), name,
                     json_integer_value(json_object_get(reply, "stopping")));
    } else if (!cli->quiet) {
        (void)printf("%s job %s\n", cancelled ? "Cancelled" : "Stopping", name);
    }
    return EXIT_DONE;
}

static int take_option(void *arg, const char *name, const char *value)
{
    struct change *change = arg;
    if (strcmp(name, "grace") == 0)
        return change_take_span(change, name, value, "grace_ms");
    if (strcmp(name, "dry-run") == 0)
        return change_take_dry(arg, name, value);
    json_put_text(change->parameters, "reason", value);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct change change = {.method = "io.batchd.Jobs.Cancel",
                            .parameters = parameters,
                            .like = CLI_LIKE_OPEN,
                            .ends = true,
                            .say = say};
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, &change, &operand);
    if (code != 0)
        return code;
    return change_jobs(cli, argv + operand, argc - operand, &change);
}

static const struct cli_option options[] = {
    {"grace", 0, "SPAN", "time between SIGTERM and SIGKILL (default: workers.stop_grace)"},
    {"reason", 0, "TEXT", "kept with the job"},
    {"dry-run", 0, NULL, "only print the ids it would cancel"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_cancel = {.name = "cancel",
                                 .alias = "scancel",
                                 .arguments = "ID...",
                                 .tasks = CLI_TASKS_SETS,
                                 .help = "Cancel jobs; running ones are stopped",
                                 .example = "batchctl cancel 42",
                                 .options = options,
                                 .run = run};
