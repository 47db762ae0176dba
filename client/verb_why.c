/* batchctl why: why a job does not run, one line for each reason. */
#include "client/reply.h"
#include "client/table.h"
#include "client/text.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

static void print_text(const json_t *object, const char *key)
{
    CLEANUP_FREE char *tame = text_tame(xstrdup(json_string_value(json_object_get(object, key))));
    if (tame != NULL)
        (void)fputs(tame, stdout);
}

static void print_reasons(const json_t *reasons)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)reasons, i, one) {
        (void)printf("  %-13s", json_string_value(json_object_get(one, "reason")));
        print_text(one, "detail");
        if (reply_number(one, "at") > 0) {
            CLEANUP_FREE char *at = times_text(reply_number(one, "at"));
            (void)printf(", at %s", at);
        }
        (void)fputs("; until ", stdout);
        print_text(one, "lifts");
        (void)putchar('\n');
    }
}

static void print_ended(const json_t *job, const char *state)
{
    CLEANUP_FREE char *outcome = table_outcome(job);
    CLEANUP_FREE char *at = times_text(reply_number(job, "ended_at"));
    bool told =
        outcome[0] != '\0' && strcmp(outcome, "success") != 0 && strcmp(outcome, state) != 0;
    (void)printf("does not wait: it %s%s at %s%s%s%s\n",
                 strcmp(state, "cancelled") == 0 ? "was " : "", state, at, told ? " (" : "",
                 told ? outcome : "", told ? ")" : "");
}

static void print_changes(const json_t *changes)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)changes, i, one) {
        (void)printf("%s ", i == 0 ? "starts now if" : "           or");
        print_text(one, "text");
        if (json_is_string(json_object_get(one, "command"))) {
            (void)fputs(": ", stdout);
            print_text(one, "command");
        }
        (void)putchar('\n');
    }
}

static bool has_reason(const json_t *job, const char *word)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(job, "reasons"), i, one) {
        const char *reason = json_string_value(json_object_get(one, "reason"));
        if (reason != NULL && strcmp(reason, word) == 0)
            return true;
    }
    return false;
}

static void print_prediction(const json_t *job)
{
    const char *prediction = json_string_value(json_object_get(job, "prediction"));
    if (prediction == NULL)
        return;
    if (strcmp(prediction, "none") == 0)
        (void)puts("by estimates, nothing lets it start");
    else if (strcmp(prediction, "starts") != 0)
        (void)printf("when it starts cannot be said: %s\n",
                     has_reason(job, "Pressure")  ? "it depends on what else the machine does"
                     : has_reason(job, "DiskLow") ? "it depends on what is written there"
                                                  : "too many go before it");
    if (reply_number(job, "predicted_start") > 0) {
        CLEANUP_FREE char *start = times_text(reply_number(job, "predicted_start"));
        CLEANUP_FREE char *end = times_clock(reply_number(job, "predicted_end"));
        (void)printf("starts about %s, by estimates, and ends about %s\n", start, end);
    }
    print_changes(json_object_get(job, "starts_now_if"));
}

static void print_why(const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    CLEANUP_FREE char *id = cli_id_text(job);
    bool waits = json_array_size(json_object_get(job, "reasons")) > 0;
    (void)printf("job %s ", id);
    if (reply_number(job, "ended_at") > 0) {
        print_ended(job, state);
        return;
    }
    if (strcmp(state, "pending") == 0) {
        (void)printf("waits in queue %s%s\n", json_string_value(json_object_get(job, "queue")),
                     waits ? ":" : " and is about to start");
    } else {
        CLEANUP_FREE char *at = reply_number(job, "started_at") > 0
                                    ? times_text(reply_number(job, "started_at"))
                                    : NULL;
        CLEANUP_FREE char *end = reply_number(job, "predicted_end") > 0 && !waits
                                     ? times_text(reply_number(job, "predicted_end"))
                                     : NULL;
        (void)printf("is %s%s%s%s%s%s\n", state, at == NULL ? "" : " since ", at == NULL ? "" : at,
                     end == NULL ? "" : " and ends about ", end == NULL ? "" : end,
                     waits ? "; tasks of it wait:" : "");
    }
    print_reasons(json_object_get(job, "reasons"));
    print_prediction(job);
}

static int why_one(struct cli *cli, json_t *id, void *arg)
{
    int code = 0;
    json_t *request = json_object();
    (void)arg;
    cli_put_id(request, id);
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Jobs.Why", request, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_give_json(cli, reply);
    else
        print_why(reply);
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int operand = cli_operands(cli, argc, argv);
    return operand < 0 ? EXIT_USAGE
                       : cli_each_id(cli, argv + operand, argc - operand, why_one, NULL);
}

static const struct cli_option options[] = {
    {NULL, 0, NULL, NULL},
};
const struct verb verb_why = {.name = "why",
                              .arguments = "ID...",
                              .tasks = CLI_TASKS_EACH,
                              .help = "Say why a job waits, and what would lift it",
                              .example = "batchctl why 42",
                              .options = options,
                              .run = run};
