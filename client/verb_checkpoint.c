/* batchctl checkpoint: inside a job commit and path, which work on the job's folder by themselves,
 * so that they do when the daemon is away; from outside request. */
#include "client/verbs.h"

#include "common/checkpoint.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <string.h>

/* Variables of the job that we run in; NULL after reporting. */
static const char *job_folder(void)
{
    const char *folder = getenv("BATCHD_CHECKPOINT_DIR"); /* NOLINT(concurrency-mt-unsafe) */
    if (folder == NULL || folder[0] != '/')
        (void)cli_fail(EXIT_REFUSED, "batchctl checkpoint request ID asks a job for one",
                       "there is no BATCHD_CHECKPOINT_DIR: this is for use inside a job");
    return folder != NULL && folder[0] == '/' ? folder : NULL;
}

static uint64_t job_number(const char *variable)
{
    const char *text = getenv(variable); /* NOLINT(concurrency-mt-unsafe) */
    uint64_t number = 0;
    return text != NULL && parse_u64(text, 0, INT64_MAX, &number, NULL) == 0 ? number : 0;
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

static int commit(struct cli *cli, const char *path)
{
    struct checkpoint made = {0};
    struct error err;
    const char *folder = job_folder();
    if (folder == NULL)
        return EXIT_REFUSED;
    if (checkpoint_commit(folder, path, (uint32_t)job_number("BATCHD_ATTEMPT"), &made, &err) < 0)
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
    int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
        return EXIT_USAGE;
    char **words = argv + operand;
    int count = argc - operand;
    if (count == 2 && strcmp(words[0], "commit") == 0)
        return commit(cli, words[1]);
    if (count == 1 && strcmp(words[0], "path") == 0)
        return print_newest(cli);
    return cli_fail(EXIT_USAGE, cli->verb->example, "checkpoint takes commit PATH or path");
}

static const struct cli_option options[] = {{NULL, 0, NULL, NULL}};

const struct verb verb_checkpoint = {
    .name = "checkpoint",
    .arguments = "commit PATH | path",
    .help = "Inside a job: make a file or folder its newest checkpoint, or print where that is",
    .example = "batchctl checkpoint commit state.json",
    .options = options,
    .run = run};
