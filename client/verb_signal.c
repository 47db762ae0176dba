/* batchctl suspend, resume, signal. */
#include "client/change.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

static int run_suspend(struct cli *cli, int argc, char **argv)
{
    return change_run(cli, argc, argv,
                      (struct change){.method = "io.batchd.Jobs.Suspend",
                                      .like = CLI_LIKE_RUNNING,
                                      .ends = true,
                                      .done = "Suspended"});
}

static int run_resume(struct cli *cli, int argc, char **argv)
{
    return change_run(cli, argc, argv,
                      (struct change){.method = "io.batchd.Jobs.Resume",
                                      .like = CLI_LIKE_SUSPENDED,
                                      .ends = true,
                                      .done = "Resumed"});
}

static int take_signal(void *arg, const char *name, const char *value)
{
    struct change *change = arg;
    (void)value;
    if (name[0] == 'm')
        json_put(change->parameters, "main", json_true());
    else
        change->dry = true;
    return 0;
}

static int run_signal(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct change change = {.method = "io.batchd.Jobs.Signal",
                            .parameters = parameters,
                            .like = CLI_LIKE_STARTED,
                            .ends = true,
                            .done = "Signalled"};
    struct error err;
    int operand = 1;
    int number;
    int code = cli_options(cli, argc, argv, take_signal, &change, &operand);
    if (code != 0)
        return code;
    if (argc - operand < 2)
        return cli_fail(EXIT_USAGE, cli->verb->example, "signal takes a signal and job ids");
    if (parse_signal(argv[operand], &number, &err) < 0)
        return cli_fail(EXIT_USAGE, cli->verb->example, "%s", err.text);
    json_put_text(parameters, "signal", argv[operand]);
    return change_jobs(cli, argv + operand + 1, argc - operand - 1, &change);
}

static const struct cli_option options[] = {
    {"dry-run", 0, NULL, "only print the ids it would change"},
    {NULL, 0, NULL, NULL},
};
static const struct cli_option signal_options[] = {
    {"main", 0, NULL, "only to the job's first process, not to all of them"},
    {"dry-run", 0, NULL, "only print the ids it would signal"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_suspend = {.name = "suspend",
                                  .arguments = "ID...",
                                  .tasks = CLI_TASKS_EACH,
                                  .help = "Halt running jobs; they keep their resources",
                                  .example = "batchctl suspend 42",
                                  .options = options,
                                  .run = run_suspend};
const struct verb verb_resume = {.name = "resume",
                                 .arguments = "ID...",
                                 .tasks = CLI_TASKS_EACH,
                                 .help = "Let suspended jobs go on",
                                 .example = "batchctl resume 42",
                                 .options = options,
                                 .run = run_resume};
const struct verb verb_signal = {.name = "signal",
                                 .arguments = "SIG ID...",
                                 .tasks = CLI_TASKS_EACH,
                                 .help = "Send a signal to the processes of running jobs",
                                 .example = "batchctl signal USR1 42",
                                 .options = signal_options,
                                 .run = run_signal};
