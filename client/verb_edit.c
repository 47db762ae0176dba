/* batchctl edit, move: change jobs that wait. */
#include "client/change.h"
#include "client/limit_options.h"
#include "client/retry_options.h"
#include "client/submission.h"
#include "client/verbs.h"

#include <string.h>

struct edit {
    struct submission *submission;
    struct change *change;
};

static int take_option(void *arg, const char *name, const char *value)
{
    struct edit *edit = arg;
    if (value != NULL)
        return submission_take_change(edit->submission, name, value);
    if (strcmp(name, "dry-run") != 0)
        return submission_take(edit->submission, name, NULL);
    edit->change->dry = true;
    return 0;
}

static int edit_jobs(struct cli *cli, struct submission *submission, int argc, char **argv)
{
    struct change change = {.method = "io.batchd.Jobs.Edit",
                            .parameters = submission->request,
                            .like = CLI_LIKE_WAITING,
                            .done = strcmp(cli->verb->name, "move") == 0 ? "Moved" : "Changed"};
    struct edit edit = {.submission = submission, .change = &change};
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, &edit, &operand);
    if (code != 0)
        return code;
    if (json_object_size(submission->request) == 0)
        return cli_fail(EXIT_USAGE, cli->verb->example,
                        strcmp(cli->verb->name, "move") == 0 ? "move needs -Q QUEUE"
                                                             : "say what the jobs are to have");
    return change_jobs(cli, argv + operand, argc - operand, &change);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct submission submission = submission_begin(cli);
    int code = edit_jobs(cli, &submission, argc, argv);
    submission_done(&submission);
    return code;
}

static const struct cli_option edit_options[] = {
    {"name", 'n', "NAME", "its name"},
    {"queue", 'Q', "NAME", "the queue"},
    {"priority", 'p', "LEVEL", "urgent, high, normal, low or background"},
    {"cpus", 'c', "N", "processors it uses"},
    {"memory", 'm', "SIZE", "memory it needs"},
    {"gpus", 'g', "N", "GPUs it is given, or a share of one (0.5)"},
    {"gpu-memory", 0, "SIZE", "memory it uses of each of its GPUs"},
    {"disk", 0, "SIZE", "disk it needs"},
    LIMIT_OPTIONS,
    {"resource", 'R', "NAME=N", "so much of a counter; what is not named is 0 then"},
    {"timeout", 't', "SPAN", "stop it after this running time, or none"},
    {"timeout-signal", 0, "SIG[@SPAN]", "what it is sent so long before that (60s); none: nothing"},
    {"estimate", 'e', "SPAN", "how long it runs, or none: as such jobs did"},
    {"depends", 'd', "LIST", "start it after others (see DEPENDENCIES), or none"},
    {"begin", 0, "TIME", "do not start it before, or none"},
    {"deadline", 0, "TIME", "end it if it has not ended by then, or none"},
    {"chdir", 'C', "DIR", "run there"},
    {"stdin", 0, "FILE", "read standard input from it, or none"},
    {"checkpoint-signal", 0, "SIG", "what asks it for a checkpoint, or none"},
    {"tag", 0, "KEY=VALUE", "a mark to find it by; what is not named goes; none: all go"},
    {"max-attempts", 0, "N", "try it so often at most"},
    RETRY_OPTIONS,
    {"rerun-if-lost", 0, NULL, "run it again when its worker or machine dies"},
    {"never-rerun", 0, NULL, "never run it again by itself once it may have started"},
    {"dry-run", 0, NULL, "only print the ids it would change"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_edit = {.name = "edit",
                               .arguments = "ID...",
                               .help = "Change jobs that wait: what is given, the rest stays",
                               .example = "batchctl edit 42 -p high -t 2h",
                               .options = edit_options,
                               .run = run};

static const struct cli_option move_options[] = {
    {"queue", 'Q', "NAME", "where to"},
    {"dry-run", 0, NULL, "only print the ids it would move"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_move = {.name = "move",
                               .arguments = "ID...",
                               .help = "Move jobs that wait into another queue",
                               .example = "batchctl move -Q night name:render*",
                               .options = move_options,
                               .run = run};
