#include "client/change.h"

#include "client/submission.h"

#include "common/alloc.h"
#include "common/cleanup.h"

static void say_done(const struct cli *cli, const json_t *id, const struct change *change)
{
    CLEANUP_FREE char *text = cli_id_text(id);
    if (change->dry)
        (void)printf("%s\n", text);
    else if (!cli->quiet)
        (void)printf("%s job %s\n", change->done, text);
}

static int change_one(struct cli *cli, json_t *id, void *arg)
{
    const struct change *change = arg;
    int code = 0;
    json_t *request = change->parameters == NULL ? json_object() : json_copy(change->parameters);
    cli_put_id(request, id);
    if (change->dry)
        json_put(request, "dry_run", json_true());
    else if (change->keyed)
        submission_put_key(request);
    CLEANUP_JSON json_t *reply = change->keyed ? cli_call_again(cli, change->method, request, &code)
                                               : cli_call(cli, change->method, request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_give_json(cli, reply);
    else if (change->say != NULL)
        return change->say(cli, id, reply);
    else
        say_done(cli, id, change);
    return EXIT_DONE;
}

int change_jobs(struct cli *cli, char **words, int count, const struct change *change)
{
    struct change mine = *change;
    return cli_each_id_like(cli, change->like, words, count, change_one, &mine);
}
