/* batchctl checkpoint: inside a job commit and path, which work on the job's folder by themselves,
 * so that they do when the daemon is away; from outside request. */
#include "client/change.h"
#include "client/verbs.h"

#include "common/checkpoint.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <string.h>

#define TELL_MS 1000

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

/* News for show. The checkpoint is made, whether the daemon is there to hear of it or not. */
static void tell(const struct cli *cli, const struct checkpoint *made)
{
    struct error ignored;
    struct batchd_client *client = batchd_connect(cli->socket, TELL_MS, &ignored);
    const char *index = getenv("BATCHD_ARRAY_INDEX"); /* NOLINT(concurrency-mt-unsafe) */
    if (client == NULL)
        return;
    json_t *request = json_object();
    json_put_int(request, "id", (int64_t)job_number("BATCHD_JOB_ID"));
    if (index != NULL)
        json_put_int(request, "index", (int64_t)job_number("BATCHD_ARRAY_INDEX"));
    json_put_int(request, "attempt", made->attempt);
    json_put_int(request, "number", (int64_t)made->number);
    json_put_int(request, "bytes", (int64_t)made->bytes);
    json_put_int(request, "made_at", made->made_at);
    json_decref(batchd_call(client, "io.batchd.Jobs.Checkpointed", request, &ignored));
    batchd_close(client);
}

static int commit(const struct cli *cli, const char *path)
{
    struct checkpoint made = {0};
    struct error err;
    const char *folder = job_folder();
    if (folder == NULL)
        return EXIT_REFUSED;
    if (checkpoint_commit(folder, path, (uint32_t)job_number("BATCHD_ATTEMPT"), &made, &err) < 0)
        return cli_fail(EXIT_REFUSED, NULL, "no checkpoint was made: %s", err.text);
    tell(cli, &made);
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
