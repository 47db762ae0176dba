/* batchctl queue: look at and change the queues. */
#include "client/grid.h"
#include "client/reply.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "daemon/core/queue_settings.h"

#include <string.h>

/* What the words behind `queue` do. */
struct action {
    const char *word, *method, *done;
    bool takes_settings;
};

static const struct action actions[] = {
    {"add", "io.batchd.Queues.Add", "Added", true},
    {"set", "io.batchd.Queues.Set", "Changed", true},
    {"pause", "io.batchd.Queues.Pause", "Paused", false},
    {"resume", "io.batchd.Queues.Resume", "Resumed", false},
    {"drain", "io.batchd.Queues.Drain", "Draining", false},
    {"remove", "io.batchd.Queues.Remove", "Removed", false},
};

static const struct action *find_action(const char *word)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].word, word) == 0)
            return &actions[i];
    }
    return NULL;
}

/* ---- list ---- */

static const char *state_of(const json_t *queue)
{
    bool paused = json_is_true(json_object_get(queue, "paused"));
    bool draining = json_is_true(json_object_get(queue, "draining"));
    return paused && draining ? "paused, draining"
           : paused           ? "paused"
           : draining         ? "draining"
                              : "open";
}

/* A limit of 0 is none. */
static void put_count(const json_t *queue, const char *name, char ret[24])
{
    long long count = json_integer_value(json_object_get(queue, name));
    bool limit = strcmp(name, "slots") == 0 || strcmp(name, "per_user") == 0;
    (void)snprintf(ret, 24, limit && count == 0 ? "-" : "%lld", count);
}

static void put_span(const json_t *queue, const char *name, char ret[24])
{
    long long span = json_integer_value(json_object_get(queue, name));
    if (span == 0)
        (void)snprintf(ret, 24, "-");
    else
        format_span((uint64_t)span, ret, 24);
}

static void print_list(const struct cli *cli, const json_t *queues)
{
    static const char *const columns[] = {
        "NAME",      "STATE",   "POLICY",  "BACKFILL",   ">PENDING", ">RUNNING", ">SLOTS",
        ">PER USER", ">WEIGHT", ">AGEING", ">MAX DELAY", "PRIORITY", ">TIMEOUT", NULL};
    struct libscols_table *table = grid_new(cli, columns);
    const json_t *one;
    size_t i;
    json_array_foreach(queues, i, one) {
        static const char *const counts[] = {"pending", "running", "slots", "per_user", "weight"};
        static const char *const spans[] = {"ageing_ms", "max_delay_ms", "timeout_ms"};
        char count[5][24], span[3][24];
        for (size_t j = 0; j < 5; j++)
            put_count(one, counts[j], count[j]);
        for (size_t j = 0; j < 3; j++)
            put_span(one, spans[j], span[j]);
        const char *const cells[] = {reply_text(one, "name"),
                                     state_of(one),
                                     reply_text(one, "policy"),
                                     reply_text(one, "backfill"),
                                     count[0],
                                     count[1],
                                     count[2],
                                     count[3],
                                     count[4],
                                     span[0],
                                     span[1],
                                     reply_text(one, "priority"),
                                     span[2],
                                     NULL};
        grid_add(table, cells);
    }
    grid_print(table);
}

static int list(struct cli *cli)
{
    int code = 0;
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Queues.List", NULL, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(json_object_get(reply, "queues"));
    else if (cli->quiet)
        grid_print_names(json_object_get(reply, "queues"), "name");
    else
        print_list(cli, json_object_get(reply, "queues"));
    return 0;
}

/* ---- change ---- */

/* Checks the value here, so that what is wrong with it is said in the option's words, and puts it
 * into the request as the protocol has it. */
static int take_setting(json_t *request, const char *option, const char *value)
{
    struct queue_settings settings = {.weight = 1};
    struct error err;
    char name[64], member[80];
    (void)snprintf(name, sizeof(name), "%s", option);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
    const struct queue_key *key = queue_key_find(name);
    if (queue_settings_set(&settings, key, value, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", option, err.text);
    (void)snprintf(member, sizeof(member), "%s%s", name, key->kind == QUEUE_KEY_SPAN ? "_ms" : "");
    if (queue_key_is_text(key))
        json_put_text(request, member, value);
    else
        json_put_int(request, member, (int64_t)queue_settings_number(&settings, key));
    return 0;
}

static int take_option(void *arg, const char *option, const char *value)
{
    json_t *request = arg;
    if (strcmp(option, "move-to") != 0)
        return take_setting(request, option, value);
    json_put_text(request, "move_to", value);
    return 0;
}

/* Options belong to some of the words only. */
static int check_options(const struct action *action, const json_t *request)
{
    size_t options = json_object_size(request);
    bool moves = json_object_get(request, "move_to") != NULL;
    if (moves && strcmp(action->word, "remove") != 0)
        return cli_fail(EXIT_USAGE, NULL, "--move-to goes with queue remove");
    if (options > moves && !action->takes_settings)
        return cli_fail(EXIT_USAGE, NULL, "queue %s takes no settings; queue set does",
                        action->word);
    if (options == 0 && strcmp(action->word, "set") == 0)
        return cli_fail(EXIT_USAGE, "batchctl queue --help", "queue set needs a setting");
    return 0;
}

static int change(struct cli *cli, const struct action *action, const char *name, json_t *request)
{
    int code = check_options(action, request);
    if (code != 0)
        return code;
    json_put_text(request, "name", name);
    CLEANUP_JSON json_t *reply = cli_call(cli, action->method, json_incref(request), &code);
    if (reply == NULL)
        return code;
    const json_t *queue = json_object_get(reply, "queue");
    if (cli->json)
        cli_print_json(queue == NULL ? reply : queue);
    else if (!cli->quiet)
        (void)printf("%s queue %s\n", action->done, name);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *request = json_object();
    int operand = 1;
    int code = cli_options(cli, argc, argv, take_option, request, &operand);
    if (code != 0)
        return code;
    char **words = argv + operand;
    int count = argc - operand;
    bool plain = json_object_size(request) == 0;
    if (plain && (count == 0 || (count == 1 && strcmp(words[0], "list") == 0)))
        return list(cli);
    const struct action *action = count == 2 ? find_action(words[0]) : NULL;
    if (action != NULL)
        return change(cli, action, words[1], request);
    return cli_fail(EXIT_USAGE, cli->verb->example,
                    "queue takes list, or one of add, set, pause, resume, drain and remove and "
                    "the name of a queue");
}

/* The settings are those of core/queue_settings.c. */
static const struct cli_option queue_options[] = {
    {"policy", 0, "ORDER", "who goes first: fifo, priority, sjf or fair (a new queue: priority)"},
    {"backfill", 0, "MODE",
     "none, or easy: let others pass a job that does not fit (a new queue: easy)"},
    {"slots", 0, "N", "jobs that run at the same time (0: no limit)"},
    {"per-user", 0, "N", "of these, jobs of one user (0: no limit)"},
    {"weight", 0, "N", "the queue with the least running for its weight goes first"},
    {"ageing", 0, "SPAN", "with priority, jobs rise one level for each such time (0: never)"},
    {"max-delay", 0, "SPAN", "a job that has waited so long goes first (0: no bound)"},
    {"priority", 'p', "LEVEL", "the level of jobs that do not say"},
    {"timeout", 't', "SPAN", "the time that jobs may run that do not say (0: no limit)"},
    {"max-attempts", 0, "N", "how often those are tried that do not say (0: as configured)"},
    {"backoff", 0, "BASE[:F[:CAP]]", "how long those wait before they are tried again"},
    {"jitter", 0, "KIND", "how that is spread: none, full or equal"},
    {"retry-on", 0, "CLASS,...", "after which ends they are tried again (see submit)"},
    {"move-to", 0, "QUEUE", "with remove: where its unfinished jobs go"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_queue = {
    .name = "queue",
    .arguments = "[list | ACTION NAME]",
    .help = "Look at the queues, or add, set, pause, resume, drain or remove one",
    .example = "batchctl queue set video --slots 2",
    .options = queue_options,
    .run = run};
