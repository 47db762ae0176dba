/* batchctl retry. */
#include "client/change.h"
#include "client/submission.h"
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

static int say(struct cli *cli, json_t *id, const json_t *reply)
{
    CLEANUP_FREE char *text = cli_id_text(id);
    if (json_is_true(json_object_get(reply, "dry_run")))
        (void)printf("%s\n", text);
    else
        cli_print_submitted(cli, reply);
    return EXIT_DONE;
}

struct retry {
    struct change change;
    struct submission *submission;
};

static int take_option(void *arg, const char *name, const char *value)
{
    struct retry *retry = arg;
    struct submission *submission = retry->submission;
    struct change *change = &retry->change;
    if (strcmp(name, "dry-run") == 0) {
        change->dry = true;
    } else if (strcmp(name, "failed-only") == 0) {
        json_put(submission->request, "failed_only", json_true());
        change->like = CLI_LIKE_FAILED;
    } else {
        return value == NULL ? submission_take(submission, name, NULL)
                             : submission_take_change(submission, name, value);
    }
    return 0;
}

static int retry_jobs(struct cli *cli, struct submission *submission, int argc, char **argv)
{
    struct retry retry = {.submission = submission,
                          .change = {.method = "io.batchd.Jobs.Retry",
                                     .parameters = submission->request,
                                     .like = CLI_LIKE_ENDED,
                                     .keyed = true,
                                     .say = say}};
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, &retry, &operand);
    if (code != 0)
        return code;
    return change_jobs(cli, argv + operand, argc - operand, &retry.change);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct submission submission = submission_begin(cli);
    int code = retry_jobs(cli, &submission, argc, argv);
    submission_done(&submission);
    return code;
}

static const struct cli_option options[] = {
    {"failed-only", 0, NULL, "of an array only the tasks that failed"},
    {"hold", 0, NULL, "do not start it until batchctl release"},
    {"dry-run", 0, NULL, "only print the ids it would retry"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_retry = {.name = "retry",
                                .arguments = "ID...",
                                .tasks = CLI_TASKS_SETS,
                                .help = "Submit anew what has ended, as new jobs",
                                .example = "batchctl retry 42 --failed-only",
                                .options = options,
                                .also = &verb_edit,
                                .run = run};
