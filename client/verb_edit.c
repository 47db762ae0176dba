/* batchctl edit, move: change jobs that wait. */
#include "client/submission.h"
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

struct edit {
    const json_t *request; /* without an id */
    const char *done;
    bool dry;
};

static int edit_one(struct cli *cli, json_t *id, void *arg)
{
    const struct edit *edit = arg;
    int code = 0;
    if (edit->dry) {
        cli_print_json(id);
        return EXIT_DONE;
    }
    json_t *request = json_copy((json_t *)(uintptr_t)edit->request);
    json_put(request, "id", json_incref(id));
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Jobs.Edit", request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf("%s job %lld\n", edit->done, json_integer_value(id));
    return EXIT_DONE;
}

/* What takes the place of "none" is 0 here, and an empty text. */
static int take(struct submission *submission, const char *name, const char *value)
{
    if (strcmp(value, "none") != 0)
        return submission_take(submission, name, value);
    if (strcmp(name, "timeout") == 0 || strcmp(name, "estimate") == 0)
        json_put_int(submission->request, name[0] == 't' ? "timeout_ms" : "estimate_ms", 0);
    else if (strcmp(name, "begin") == 0)
        json_put_int(submission->request, "begin", 0);
    else if (strcmp(name, "depends") == 0)
        json_put_text(submission->request, "depends", "");
    else
        return submission_take(submission, name, value);
    return 0;
}

static int edit(struct cli *cli, struct submission *submission, int argc, char **argv)
{
    struct edit edit = {.done = strcmp(cli->verb->name, "move") == 0 ? "Moved" : "Changed"};
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL) {
        int code = 0;
        if (value == NULL)
            edit.dry = true;
        else
            code = take(submission, name, value);
        if (code != 0)
            return code;
    }
    if (failed)
        return EXIT_USAGE;
    if (json_object_size(submission->request) == 0)
        return cli_fail(EXIT_USAGE, cli->verb->example, "say what the jobs are to have");
    edit.request = submission->request;
    return cli_each_id(cli, argv + operand, argc - operand, edit_one, &edit);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct submission submission = submission_begin(cli);
    int code = edit(cli, &submission, argc, argv);
    submission_done(&submission);
    return code;
}

static const struct cli_option edit_options[] = {
    {"queue", 'Q', "NAME", "the queue"},
    {"priority", 'p', "LEVEL", "urgent, high, normal, low or background"},
    {"cpus", 'c', "N", "processors it uses"},
    {"memory", 'm', "SIZE", "memory it needs"},
    {"gpus", 'g', "N", "GPUs it is given"},
    {"disk", 0, "SIZE", "disk it needs"},
    {"resource", 'R', "NAME=N", "so much of a counter; what is not named is 0 then"},
    {"timeout", 't', "SPAN", "stop it after this running time, or none"},
    {"estimate", 'e', "SPAN", "how long it runs, or none: as such jobs did"},
    {"depends", 'd', "LIST", "start it after others (see DEPENDENCIES), or none"},
    {"begin", 0, "TIME", "do not start it before, or none"},
    {"max-attempts", 0, "N", "try it so often at most"},
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
