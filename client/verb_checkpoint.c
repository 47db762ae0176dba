/* batchctl checkpoint: inside a job commit and path, which work on the job's folder by themselves,
 * so that they do when the daemon is away; from outside request. */
#include "client/change.h"
#include "client/verbs.h"

#include "common/cleanup.h"
#include "common/own_checkpoint.h"

#include <string.h>

/* NULL after reporting. */
static const char *job_folder(void)
{
    struct error err;
    const char *folder = own_checkpoint_folder(&err);
    if (folder == NULL)
        (void)cli_fail(EXIT_REFUSED, "batchctl checkpoint request ID asks a job for one", "%s",
                       err.text);
    return folder;
}

static void print(const struct cli *cli, const struct checkpoint *checkpoint)
{
    CLEANUP_JSON json_t *object = json_object();
    if (!cli->json) {
        (void)puts(checkpoint->path);
        return;
    }
    json_put_int(object, "number", (int64_t)checkpoint->number);
    json_put_int(object, "attempt", (int64_t)checkpoint->attempt);
    json_put_int(object, "made_at", checkpoint->made_at);
    json_put_int(object, "bytes", (int64_t)checkpoint->bytes);
    json_put(object, "path", json_from_bytes(checkpoint->path, strlen(checkpoint->path)));
    cli_print_json(object);
}

static int commit(const struct cli *cli, const char *path)
{
    struct checkpoint made = {0};
    struct error err;
    if (job_folder() == NULL)
        return EXIT_REFUSED;
    if (own_checkpoint_commit(cli->socket, path, CHECKPOINT_OF_STANDING, &made, &err) < 0)
        return cli_fail(EXIT_REFUSED, NULL, "no checkpoint was made: %s", err.text);
    if (cli->json)
        print(cli, &made);
    checkpoint_done(&made);
    return EXIT_DONE;
}

static void say_passed_over(void *arg, uint64_t number, const char *why)
{
    (void)arg;
    (void)cli_fail(0, NULL, "checkpoint %llu is passed over: %s", (unsigned long long)number, why);
}

static int print_newest(const struct cli *cli)
{
    struct checkpoint newest = {0};
    const char *folder = job_folder();
    if (folder == NULL)
        return EXIT_REFUSED;
    if (checkpoint_newest(folder, say_passed_over, NULL, &newest) == 0)
        return EXIT_FALSE;
    print(cli, &newest);
    checkpoint_done(&newest);
    return EXIT_DONE;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct change change = {.method = "io.batchd.Jobs.Checkpoint",
                            .like = CLI_LIKE_STARTED,
                            .ends = true,
                            .done = "Asked"};
    int operand = 1;
    int code = cli_options(cli, argc, argv, change_take_dry, &change, &operand);
    if (code != 0)
        return code;
    char **words = argv + operand;
    int count = argc - operand;
    if (count == 2 && strcmp(words[0], "commit") == 0)
        return commit(cli, words[1]);
    if (count == 1 && strcmp(words[0], "path") == 0)
        return print_newest(cli);
    if (count >= 2 && strcmp(words[0], "request") == 0)
        return change_jobs(cli, words + 1, count - 1, &change);
    return cli_fail(EXIT_USAGE, cli->verb->example,
                    "checkpoint takes commit PATH, path, or request and the ids of jobs");
}

static const struct cli_option options[] = {
    {"dry-run", 0, NULL, "with request: only print the ids it would ask"},
    {NULL, 0, NULL, NULL},
};

const struct verb verb_checkpoint = {
    .name = "checkpoint",
    .arguments = "commit PATH | path | request ID...",
    .tasks = CLI_TASKS_EACH,
    .help = "Inside a job make a checkpoint or print the newest one; from outside ask for one",
    .example = "batchctl checkpoint commit state.json",
    .options = options,
    .run = run};
