/* batchctl cron: look at schedules and change them. The word behind `cron` says what is done; the
 * options of the job are those of submit. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/submission.h"
#include "client/table.h"
#include "client/text.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "common/words.h"

#include <getopt.h>
#include <string.h>

struct cron {
    struct cli *cli;
    const char *action, *name;
    json_t *request;              /* owned */
    struct submission submission; /* of the job */
    bool has_env;
    char **command;
    int command_count;
};

/* ---- options ---- */

static int take_own(struct cron *cron, const char *name, const char *value)
{
    struct error err;
    uint64_t count = 0;
    if (strcmp(name, "paused") == 0) {
        json_put(cron->request, "paused", json_true());
    } else if (strcmp(name, "count") == 0) {
        if (parse_u64(value, 1, 1000, &count, &err) < 0)
            return cli_fail(EXIT_USAGE, NULL, "--count: %s", err.text);
        json_put_int(cron->request, "count", (int64_t)count);
    } else {
        json_put_text(cron->request, strcmp(name, "catch-up") == 0 ? "catch_up" : name, value);
    }
    return 0;
}

/* What the schedule says itself, or what makes no sense while nobody waits. */
static int take_of_job(struct cron *cron, const char *name, const char *value)
{
    static const char *const refused[] = {"name",      "key",    "begin", "deadline",
                                          "wait",      "follow", "test",  "each-line",
                                          "each-json", "file",   "graph", "set"};
    if (words_find(refused, sizeof(refused) / sizeof(refused[0]), name) >= 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s does not go with cron", name);
    cron->has_env = cron->has_env || strncmp(name, "env", 3) == 0;
    return submission_take(&cron->submission, name, value);
}

static bool is_own(const char *name)
{
    for (const struct cli_option *option = verb_cron.options; option->name != NULL; option++) {
        if (strcmp(option->name, name) == 0)
            return true;
    }
    return false;
}

static int take_option(void *arg, const char *name, const char *value)
{
    struct cron *cron = arg;
    return is_own(name) ? take_own(cron, name, value) : take_of_job(cron, name, value);
}

/* Options up to the next operand. *ret_operand is where it is. 0 or an exit code. */
static int take_options(struct cron *cron, int argc, char **argv, int *ret_operand)
{
    optind = 0; /* getopt begins anew */
    return cli_options(cron->cli, argc, argv, take_option, cron, ret_operand);
}

/* cron [OPTIONS] ACTION [OPTIONS] NAME [OPTIONS] [--] COMMAND... */
static int take_words(struct cron *cron, int argc, char **argv)
{
    const char **const words[] = {&cron->action, &cron->name};
    for (size_t i = 0;; i++) {
        int operand = 1;
        int code = take_options(cron, argc, argv, &operand);
        if (code != 0)
            return code;
        argv += operand;
        argc -= operand;
        if (i == sizeof(words) / sizeof(words[0]) || argc == 0)
            break;
        *words[i] = argv[0];
    }
    cron->command = argv;
    cron->command_count = argc;
    return 0;
}

/* ---- list, next ---- */

/* "41 ok", "42 running". The caller frees. */
static char *last_run(const json_t *schedule)
{
    const json_t *run = json_object_get(schedule, "last_run");
    if (!json_is_object(run))
        return xstrdup("-");
    CLEANUP_FREE char *result = table_result(run);
    return xasprintf("%lld %s", json_integer_value(json_object_get(run, "id")),
                     result[0] == '\0' ? reply_text(run, "state") : result);
}

/* A run that was left out since the last one that was made. */
static const char *note_of(const json_t *schedule)
{
    json_int_t skipped = json_integer_value(json_object_get(schedule, "skipped_at"));
    json_int_t made =
        json_integer_value(json_object_get(json_object_get(schedule, "last_run"), "submitted_at"));
    return skipped > made ? reply_text(schedule, "skipped_why") : "";
}

static void print_list(const struct cli *cli, const json_t *schedules)
{
    static const char *const columns[] = {"NAME", "USER", "AT",      "TIMEZONE", "OVERLAP",
                                          "NEXT", "LAST", "SKIPPED", NULL};
    struct libscols_table *table = grid_new(cli, columns);
    const json_t *one;
    size_t i;
    json_array_foreach(schedules, i, one) {
        CLEANUP_FREE char *last = last_run(one);
        CLEANUP_FREE char *zone =
            xasprintf("%s%s", reply_text(one, "timezone"),
                      json_is_true(json_object_get(one, "local")) ? " (local)" : "");
        bool paused = json_is_true(json_object_get(one, "paused"));
        const char *const cells[] = {reply_text(one, "name"),
                                     reply_text(one, "user"),
                                     reply_text(one, "at"),
                                     zone,
                                     reply_text(one, "overlap"),
                                     paused ? "paused" : reply_text(one, "next"),
                                     last,
                                     note_of(one),
                                     NULL};
        grid_add(table, cells);
    }
    grid_print(table);
}

static int list(struct cron *cron)
{
    int code = 0;
    CLEANUP_JSON json_t *reply =
        cli_call(cron->cli, "io.batchd.Schedules.List", json_incref(cron->request), &code);
    if (reply == NULL)
        return code;
    const json_t *schedules = json_object_get(reply, "schedules");
    if (cron->cli->json)
        cli_print_json(schedules);
    else if (cron->cli->quiet)
        grid_print_names(schedules, "name");
    else if (json_array_size(schedules) > 0)
        print_list(cron->cli, schedules);
    else
        (void)fprintf(stderr, "no schedules\n");
    return 0;
}

static int next(struct cron *cron)
{
    int code = 0;
    const json_t *one;
    size_t i;
    if ((cron->name == NULL) == (json_object_get(cron->request, "at") == NULL))
        return cli_fail(EXIT_USAGE, "batchctl cron next --at '30 2 * * MON-FRI' -n 3",
                        "cron next takes either the name of a schedule or --at");
    CLEANUP_JSON json_t *reply =
        cli_call(cron->cli, "io.batchd.Schedules.Next", json_incref(cron->request), &code);
    if (reply == NULL)
        return code;
    if (cron->cli->json) {
        cli_print_json(reply);
        return 0;
    }
    json_array_foreach(json_object_get(reply, "times"), i, one)
        (void)printf("%s\n", reply_text(one, "local"));
    CLEANUP_FREE char *why = text_tame(xstrdup(reply_text(reply, "skipped_why")));
    if (why[0] != '\0' && !cron->cli->quiet)
        (void)fprintf(stderr, "the last one was left out: %s\n", why);
    if (json_is_true(json_object_get(reply, "paused")) && !cron->cli->quiet)
        (void)fprintf(stderr, "schedule %s is paused\n", cron->name);
    return 0;
}

/* ---- changes ---- */

static int report(const struct cron *cron, const char *done, const json_t *schedule)
{
    if (cron->cli->json)
        cli_print_json(schedule);
    else if (!cron->cli->quiet && json_is_string(json_object_get(schedule, "next")))
        (void)printf("%s schedule %s; next run %s\n", done, cron->name,
                     reply_text(schedule, "next"));
    else if (!cron->cli->quiet)
        (void)printf("%s schedule %s\n", done, cron->name);
    return 0;
}

static int call(struct cron *cron, const char *method, const char *done)
{
    int code = 0;
    CLEANUP_JSON json_t *reply = cli_call(cron->cli, method, json_incref(cron->request), &code);
    return reply == NULL ? code : report(cron, done, json_object_get(reply, "schedule"));
}

static int add(struct cron *cron)
{
    if (json_object_get(cron->request, "at") == NULL)
        return cli_fail(EXIT_USAGE, cron->cli->verb->example, "cron add needs --at");
    int code = submission_add_command(&cron->submission, cron->command_count, cron->command);
    if (code == 0)
        code = submission_add_rest(&cron->submission);
    if (code != 0)
        return code;
    json_put(cron->request, "job", json_incref(cron->submission.request));
    return call(cron, "io.batchd.Schedules.Add", "Added");
}

/* Only what was said is changed: the folder and the environment stay as they were. */
static int edit(struct cron *cron)
{
    struct submission *job = &cron->submission;
    bool command = cron->command_count > 0 || job->shell != NULL ||
                   params_given_by(&job->params) != NULL ||
                   json_object_get(job->request, "type") != NULL;
    int code = command ? submission_add_command(job, cron->command_count, cron->command) : 0;
    if (code != 0)
        return code;
    if (cron->has_env && strcmp(job->env_policy, "clean") != 0)
        return cli_fail(EXIT_USAGE, NULL, "--env-policy goes with cron add; edit takes --env");
    if (json_object_size(job->env) > 0)
        json_put(job->request, "env", json_incref(job->env));
    if (json_object_size(job->tags) > 0)
        json_put(job->request, "tags", json_incref(job->tags));
    if (json_object_size(job->request) > 0)
        json_put(cron->request, "job", json_incref(job->request));
    if (json_object_size(cron->request) == (json_object_get(cron->request, "user") ? 2 : 1))
        return cli_fail(EXIT_USAGE, NULL, "cron edit needs something to change");
    return call(cron, "io.batchd.Schedules.Edit", "Changed");
}

static int remove_one(struct cron *cron)
{
    int code = 0;
    CLEANUP_JSON json_t *reply =
        cli_call(cron->cli, "io.batchd.Schedules.Remove", json_incref(cron->request), &code);
    if (reply == NULL)
        return code;
    if (cron->cli->json)
        cli_print_json(json_object_get(reply, "schedule"));
    else if (!cron->cli->quiet)
        (void)printf("Removed schedule %s\n", cron->name);
    return 0;
}

static int pause_one(struct cron *cron)
{
    return call(cron, "io.batchd.Schedules.Pause", "Paused");
}

static int resume(struct cron *cron)
{
    return call(cron, "io.batchd.Schedules.Resume", "Resumed");
}

static int run_now(struct cron *cron)
{
    int code = 0;
    CLEANUP_JSON json_t *reply =
        cli_call(cron->cli, "io.batchd.Schedules.Run", json_incref(cron->request), &code);
    if (reply == NULL)
        return code;
    json_int_t id = json_integer_value(json_object_get(reply, "id"));
    if (cron->cli->json)
        cli_print_json(reply);
    else if (cron->cli->quiet || !cron->cli->tty)
        (void)printf("%lld\n", (long long)id);
    else
        (void)printf("Submitted job %lld\n", (long long)id);
    return 0;
}

/* ---- the verb ---- */

static const struct action {
    const char *word;
    int (*run)(struct cron *cron);
    const char *options; /* of its own, beside user */
    bool named, takes_job;
} actions[] = {
    {"list", list, " ", false, false},
    {"next", next, " at timezone count ", false, false},
    {"add", add, " at timezone overlap catch_up paused ", true, true},
    {"edit", edit, " at timezone overlap catch_up ", true, true},
    {"remove", remove_one, " ", true, false},
    {"pause", pause_one, " ", true, false},
    {"resume", resume, " ", true, false},
    {"run", run_now, " ", true, false},
};

static const struct action *find_action(const char *word)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].word, word) == 0)
            return &actions[i];
    }
    return NULL;
}

static int check(const struct cron *cron, const struct action *action)
{
    const struct submission *job = &cron->submission;
    bool has_job =
        json_object_size(job->request) + json_object_size(job->env) + json_object_size(job->tags) >
            0 ||
        params_given_by(&job->params) != NULL;
    const char *name;
    json_t *value;
    json_object_foreach(cron->request, name, value) {
        CLEANUP_FREE char *word = xasprintf(" %s ", name);
        if (strcmp(name, "user") != 0 && strstr(action->options, word) == NULL)
            return cli_fail(EXIT_USAGE, NULL, "--%s does not go with cron %s",
                            strcmp(name, "catch_up") == 0 ? "catch-up" : name, action->word);
    }
    if (!action->takes_job && (has_job || job->shell != NULL || cron->has_env))
        return cli_fail(EXIT_USAGE, NULL, "cron %s takes no options of a job", action->word);
    if (!action->takes_job && cron->command_count > 0)
        return cli_fail(EXIT_USAGE, NULL, "cron %s takes no \"%s\"", action->word,
                        cron->command[0]);
    if (action->named && cron->name == NULL)
        return cli_fail(EXIT_USAGE, cron->cli->verb->example, "cron %s needs a name", action->word);
    if (action->run == list && cron->name != NULL)
        return cli_fail(EXIT_USAGE, NULL, "cron list takes no \"%s\"", cron->name);
    return 0;
}

static int act(struct cron *cron, int argc, char **argv)
{
    int code = take_words(cron, argc, argv);
    if (code != 0)
        return code;
    const struct action *action = find_action(cron->action == NULL ? "list" : cron->action);
    if (action == NULL)
        return cli_fail(EXIT_USAGE, cron->cli->verb->example,
                        "cron takes list, add, edit, remove, pause, resume, run or next, not "
                        "\"%s\"",
                        cron->action);
    code = check(cron, action);
    if (code != 0)
        return code;
    if (cron->name != NULL)
        json_put_text(cron->request, "name", cron->name);
    return action->run(cron);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct cron cron = {.cli = cli, .request = json_object(), .submission = submission_begin(cli)};
    int code = act(&cron, argc, argv);
    submission_done(&cron.submission);
    json_decref(cron.request);
    return code;
}

static const struct cli_option options[] = {
    {"at", 0, "TIMES",
     "minute, hour, day, month, weekday as in crontab(5), or @daily and the like"},
    {"timezone", 0, "ZONE",
     "the zone of these times: Europe/Berlin (default: local, the daemon's)"},
    {"overlap", 0, "RULE", "when the run before has not ended: skip (default), queue or replace"},
    {"catch-up", 0, "RULE", "after batchd was down: none (default), or one run for all missed"},
    {"paused", 0, NULL, "with add: do not begin before cron resume"},
    {"count", 'n', "N", "with next: so many times (default: 5)"},
    {"user", 'u', "NAME", "whose schedules, for who may change those of all"},
    {NULL, 0, NULL, NULL},
};

const struct verb verb_cron = {
    .name = "cron",
    .arguments = "[list | ACTION NAME [[--] COMMAND...]]",
    .help = "Submit jobs at set times: add, edit, remove, pause, resume, run, next",
    .example = "batchctl cron add backup --at '30 2 * * MON-FRI' -- /usr/local/bin/backup",
    .options = options,
    .also = &verb_submit,
    .stop_at_operand = true,
    .run = run};
