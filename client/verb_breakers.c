/* batchctl breakers: look at the circuit breakers, reset, open or disable them. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/table.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

/* What the words behind `breakers` do. */
struct action {
    const char *word, *method, *done;
};

static const struct action actions[] = {
    {"list", "io.batchd.Breakers.List", NULL},
    {"reset", "io.batchd.Breakers.Reset", "Reset"},
    {"open", "io.batchd.Breakers.Open", "Opened"},
    {"disable", "io.batchd.Breakers.Disable", "Disabled"},
};

static const struct action *find_action(const char *word)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].word, word) == 0)
            return &actions[i];
    }
    return NULL;
}

/* "exit 3, 14:05:09 (3m12s ago)"; "-" when nothing failed. The caller frees. */
static char *last_failure(const json_t *breaker)
{
    json_t *failure = json_object_get(breaker, "last_failure");
    if (!json_is_object(failure))
        return xstrdup("-");
    CLEANUP_JSON json_t *job = json_object();
    json_put(job, "outcome", json_incref(failure));
    CLEANUP_FREE char *outcome = table_outcome(job);
    CLEANUP_FREE char *at = times_text(reply_number(failure, "at"));
    return xasprintf("%s, %s", outcome, at);
}

/* The column of users is for those who see those of several. */
static bool of_several(const json_t *breakers)
{
    const char *first = NULL;
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)breakers, i, one) {
        const char *user = json_string_value(json_object_get(one, "user"));
        if (user != NULL && first != NULL && strcmp(user, first) != 0)
            return true;
        first = user != NULL ? user : first;
    }
    return false;
}

static void print_list(const struct cli *cli, const json_t *breakers)
{
    static const char *const with_user[] = {"NAME",  "USER",     "STATE",        ">FAILURES",
                                            "UNTIL", ">WAITING", "LAST FAILURE", NULL};
    static const char *const without[] = {"NAME",     "STATE",        ">FAILURES", "UNTIL",
                                          ">WAITING", "LAST FAILURE", NULL};
    bool users = of_several(breakers);
    struct libscols_table *table = grid_new(cli, users ? with_user : without);
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)breakers, i, one) {
        char failures[48], waiting[24];
        CLEANUP_FREE char *failure = last_failure(one);
        CLEANUP_FREE char *until =
            reply_number(one, "until") > 0 ? times_text(reply_number(one, "until")) : xstrdup("-");
        (void)snprintf(failures, sizeof(failures), "%lld/%lld", reply_number(one, "failures"),
                       reply_number(one, "ends"));
        (void)snprintf(waiting, sizeof(waiting), "%lld", reply_number(one, "waiting"));
        const char *const cells[] = {reply_cell(one, "breaker"),
                                     reply_cell(one, "user"),
                                     reply_cell(one, "state"),
                                     failures,
                                     until,
                                     waiting,
                                     failure,
                                     NULL};
        const char *const fewer[] = {cells[0], cells[2], cells[3], cells[4],
                                     cells[5], cells[6], NULL};
        grid_add(table, users ? cells : fewer);
    }
    grid_print(table);
}

static void print_changed(const struct action *action, const json_t *breakers, bool dry)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)breakers, i, one) {
        if (dry)
            (void)printf("%s\n", reply_cell(one, "breaker"));
        else
            (void)printf("%s breaker %s\n", action->done, reply_cell(one, "breaker"));
    }
}

/* Asks until nothing is left out of a change; all that was told, or NULL after reporting. */
static json_t *ask(struct cli *cli, const struct action *action, const json_t *request,
                   int *ret_code)
{
    json_t *all = json_array();
    bool more = true;
    while (more) {
        CLEANUP_JSON json_t *reply =
            cli_call(cli, action->method, json_copy((json_t *)(uintptr_t)request), ret_code);
        if (reply == NULL) {
            json_decref(all);
            return NULL;
        }
        (void)json_array_extend(all, json_object_get(reply, "breakers"));
        long long left = reply_number(reply, "left_out");
        more = left > 0 && action->done != NULL && !json_is_true(json_object_get(reply, "dry_run"));
        if (left > 0 && !more)
            (void)fprintf(stderr, "%lld more are not shown\n", left);
    }
    return all;
}

static int act(struct cli *cli, const struct action *action, const char *name, bool dry)
{
    int code = 0;
    CLEANUP_JSON json_t *request = json_object();
    if (name != NULL)
        json_put_text(request, "name", name);
    if (dry)
        json_put(request, "dry_run", json_true());
    CLEANUP_JSON json_t *breakers = ask(cli, action, request, &code);
    if (breakers == NULL)
        return code;
    if (cli->json)
        cli_print_json(breakers);
    else if (action->done == NULL && !cli->quiet)
        print_list(cli, breakers);
    else if (action->done == NULL)
        grid_print_names(breakers, "breaker");
    else if (!cli->quiet || dry)
        print_changed(action, breakers, dry);
    return EXIT_DONE;
}

static int run(struct cli *cli, int argc, char **argv)
{
    bool dry = false;
    int operand = 1;
    int code = cli_options(cli, argc, argv, cli_take_flag, &dry, &operand);
    if (code != 0)
        return code;
    char **words = argv + operand;
    int count = argc - operand;
    const struct action *action = count == 0 ? &actions[0] : find_action(words[0]);
    if (action == NULL || count > 2)
        return cli_fail(EXIT_USAGE, cli->verb->example,
                        "breakers takes one of list, reset, open and disable, and one name");
    if (dry && action->done == NULL)
        return cli_fail(EXIT_USAGE, NULL, "--dry-run goes with reset, open and disable");
    return act(cli, action, count == 2 ? words[1] : NULL, dry);
}

static const struct cli_option options[] = {
    {"dry-run", 0, NULL, "with reset, open and disable: say which ones, and change nothing"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_breakers = {
    .name = "breakers",
    .arguments = "[list | reset | open | disable] [NAME]",
    .help = "Look at what is parked because it keeps failing, reset, open or disable that",
    .example = "batchctl breakers reset name:make",
    .options = options,
    .run = run};
