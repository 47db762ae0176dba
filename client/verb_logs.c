/* batchctl logs, events: what streams. */
#include "client/output.h"
#include "client/text.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>
#include <time.h>

/* Where parts go, and how. */
struct sink {
    const struct cli *cli;
    bool timestamps;
    size_t skip; /* bytes that were shown before the stream began */
};

static void print_time(FILE *file, int64_t at)
{
    time_t seconds = (time_t)(at / US_PER_SECOND);
    struct tm local;
    char text[32];
    (void)localtime_r(&seconds, &local);
    (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    (void)fprintf(file, "%s.%03d ", text, (int)(at % US_PER_SECOND / US_PER_MS));
}

static int print_part(struct sink *sink, const json_t *part)
{
    const char *stream = json_string_value(json_object_get(part, "stream"));
    FILE *file = stream != NULL && strcmp(stream, "stderr") == 0 ? stderr : stdout;
    if (sink->cli->json) {
        cli_print_json(part);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (sink->timestamps)
        print_time(file, json_integer_value(json_object_get(part, "time_us")));
    cli_write_bytes(file, json_object_get(part, "data"));
    return fflush(file) == 0 ? 0 : 1;
}

static int print_new(void *arg, const json_t *part)
{
    struct sink *sink = arg;
    if (sink->skip == 0)
        return print_part(sink, part);
    size_t bytes = output_bytes(part);
    size_t shown = sink->skip < bytes ? sink->skip : bytes;
    sink->skip -= shown;
    if (shown == bytes)
        return 0;
    CLEANUP_JSON json_t *rest = output_behind(part, shown);
    return print_part(sink, rest);
}

/* Takes `parameters`. *ret_last (may be NULL) gets the last reply, NULL when there was none; the
 * caller owns it. */
static int stream(struct cli *cli, const char *method, json_t *parameters, batchd_part_fn each,
                  void *arg, json_t **ret_last)
{
    struct error err;
    int code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    json_t *last = batchd_stream(cli->client, method, parameters, each, arg, &err);
    if (last == NULL && err.code != ERROR_NONE)
        return cli_fail_error(cli, &err);
    if (ret_last != NULL)
        *ret_last = last;
    else
        json_decref(last);
    return EXIT_DONE;
}

int cli_follow(struct cli *cli, json_int_t id)
{
    struct sink sink = {.cli = cli};
    return stream(cli, "io.batchd.Logs.Follow", json_pack("{sI}", "id", id), print_new, &sink,
                  NULL);
}

struct logs_request {
    json_t *parameters;
    struct sink sink;
    uint64_t lines; /* 0: all */
    bool head, follow;
};

static int keep_part(void *arg, const json_t *part)
{
    return json_array_append(arg, (json_t *)(uintptr_t)part);
}

/* The last or first N lines are known when all that is there was read. What was read is skipped by
 * a Follow behind it. */
static int show_lines(struct cli *cli, struct logs_request *request)
{
    CLEANUP_JSON json_t *parts = json_array();
    size_t i;
    const json_t *part;
    int code = stream(cli, "io.batchd.Logs.Read", json_deep_copy(request->parameters), keep_part,
                      parts, NULL);
    if (code != 0)
        return code;
    CLEANUP_JSON json_t *chosen = output_lines(parts, request->lines, request->head);
    json_array_foreach(chosen, i, part) {
        if (print_part(&request->sink, part) != 0)
            break; /* main says so */
    }
    json_array_foreach(parts, i, part)
        request->sink.skip += output_bytes(part);
    return EXIT_DONE;
}

/* Names the attempt that is read and then followed, so that both are of the same one. It is not
 * named when none has begun. */
static int name_attempt(struct cli *cli, json_t *parameters)
{
    int code = 0;
    CLEANUP_JSON json_t *request = json_object();
    json_put(request, "id", json_incref(json_object_get(parameters, "id")));
    if (json_object_get(parameters, "index") != NULL)
        json_put(request, "index", json_incref(json_object_get(parameters, "index")));
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Jobs.Show", json_incref(request), &code);
    json_int_t attempt =
        json_integer_value(json_object_get(json_object_get(reply, "job"), "attempt"));
    if (attempt > 0)
        json_put_int(parameters, "attempt", attempt);
    return code;
}

/* The last lines, then on until the job ends. A Follow that names an attempt ends without a state
 * when that one was not the last any more: then the next one is followed, from its start. */
static int follow_lines(struct cli *cli, struct logs_request *request)
{
    json_t *parameters = request->parameters;
    bool asked = json_object_get(parameters, "attempt") != NULL;
    int code = asked ? 0 : name_attempt(cli, parameters);
    if (code == 0 && json_object_get(parameters, "attempt") != NULL)
        code = show_lines(cli, request);
    while (code == 0) {
        CLEANUP_JSON json_t *last = NULL;
        const json_t *attempt = json_object_get(parameters, "attempt");
        code = stream(cli, "io.batchd.Logs.Follow", json_deep_copy(parameters), print_new,
                      &request->sink, &last);
        if (asked || attempt == NULL || last == NULL || json_object_get(last, "state") != NULL)
            break;
        json_put_int(parameters, "attempt", json_integer_value(attempt) + 1);
        request->sink.skip = 0;
    }
    return code;
}

static int take_option(void *arg, const char *name, const char *value)
{
    struct logs_request *request = arg;
    struct error err;
    uint64_t number = 0;
    if (strcmp(name, "follow") == 0) {
        request->follow = true;
    } else if (strcmp(name, "timestamps") == 0) {
        request->sink.timestamps = true;
    } else if (value == NULL) {
        json_put_text(request->parameters, "stream", name);
    } else {
        if (parse_u64(value, 1, UINT32_MAX, &number, &err) < 0)
            return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
        if (strcmp(name, "attempt") == 0) {
            json_put_int(request->parameters, "attempt", (int64_t)number);
        } else {
            request->lines = number;
            request->head = strcmp(name, "head") == 0;
        }
    }
    return 0;
}

static int run_logs(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct logs_request request = {.parameters = parameters, .sink.cli = cli};
    int operand = 1;
    int code;
    code = cli_options(cli, argc, argv, take_option, &request, &operand);
    if (code != 0)
        return code;
    if (request.head && request.follow)
        return cli_fail(EXIT_USAGE, "batchctl logs -f -n N: the last N lines, then on",
                        "--head ends with the first lines, --follow with the job: give one");
    CLEANUP_JSON json_t *ids = cli_ids(cli, argv + operand, argc - operand, &code);
    if (ids == NULL)
        return code;
    if (json_array_size(ids) != 1)
        return cli_fail(EXIT_USAGE, NULL, "logs takes one job at a time");
    cli_put_id(parameters, json_array_get(ids, 0));
    if (request.lines > 0)
        return request.follow ? follow_lines(cli, &request) : show_lines(cli, &request);
    return stream(cli, request.follow ? "io.batchd.Logs.Follow" : "io.batchd.Logs.Read",
                  json_incref(parameters), print_new, &request.sink, NULL);
}

static const struct cli_option logs_options[] = {
    {"follow", 'f', NULL, "go on until the job ends"},
    {"lines", 'n', "N", "the last N lines; with -f, then on"},
    {"head", 0, "N", "the first N lines"},
    {"stdout", 0, NULL, "only its stdout"},
    {"stderr", 0, NULL, "only its stderr"},
    {"attempt", 0, "N", "of this attempt (default: the last)"},
    {"timestamps", 0, NULL, "when each piece was written"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_logs = {.name = "logs",
                               .arguments = "ID",
                               .tasks = CLI_TASKS_EACH,
                               .help =
                                   "Show what a job wrote: its stdout to stdout, stderr to stderr",
                               .example = "batchctl logs -f 42",
                               .options = logs_options,
                               .run = run_logs};

/* ---- events ---- */

static void print_breaker(const json_t *event)
{
    int64_t until = json_integer_value(json_object_get(event, "until"));
    CLEANUP_FREE char *key =
        text_tame(xstrdup(json_string_value(json_object_get(event, "breaker"))));
    CLEANUP_FREE char *at = until > 0 ? times_text(until) : NULL;
    (void)printf("breaker %s is %s%s%s\n", key, json_string_value(json_object_get(event, "state")),
                 at == NULL ? "" : " until ", at == NULL ? "" : at);
}

static int print_event(void *arg, const json_t *event)
{
    const struct sink *sink = arg;
    if (json_object_get(event, "type") != NULL)
        return 0;
    if (sink->cli->json) {
        cli_print_json(event);
    } else {
        const json_t *outcome = json_object_get(event, "outcome");
        const char *class = json_string_value(json_object_get(outcome, "class"));
        print_time(stdout, json_integer_value(json_object_get(event, "time_us")));
        if (json_object_get(event, "breaker") != NULL) {
            print_breaker(event);
            return fflush(stdout) == 0 ? 0 : 1;
        }
        const json_t *index = json_object_get(event, "index");
        (void)printf("job %lld", json_integer_value(json_object_get(event, "id")));
        if (json_is_integer(index))
            (void)printf("_%lld", json_integer_value(index));
        (void)printf(" %s (%s)%s%s\n", json_string_value(json_object_get(event, "event")),
                     json_string_value(json_object_get(event, "state")), class ? " " : "",
                     class ? class : "");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static int run_events(struct cli *cli, int argc, char **argv)
{
    struct sink sink = {.cli = cli};
    struct error err;
    json_t *parameters = json_object();
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    uint64_t since;
    while (cli_next(cli, argc, argv, &value, &failed, &operand) != NULL) {
        if (parse_u64(value, 0, INT64_MAX, &since, &err) < 0) {
            json_decref(parameters);
            return cli_fail(EXIT_USAGE, NULL, "--since: %s", err.text);
        }
        json_put_int(parameters, "since_seq", (int64_t)since);
    }
    int code = failed ? EXIT_USAGE : 0;
    if (!failed && operand < argc)
        code = cli_fail(EXIT_USAGE, NULL, "events takes no \"%s\"", argv[operand]);
    if (code == 0)
        code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    CLEANUP_JSON json_t *last = batchd_stream(cli->client, "io.batchd.Events.Subscribe", parameters,
                                              print_event, &sink, &err);
    const json_t *oldest = json_object_get(batchd_error_parameters(cli->client), "oldest");
    if (last != NULL || err.code == ERROR_NONE)
        return EXIT_DONE;
    if (!json_is_integer(oldest))
        return cli_fail_error(cli, &err);
    char hint[80];
    (void)snprintf(hint, sizeof(hint), "batchctl events --since %lld begins with the oldest kept",
                   json_integer_value(oldest));
    return cli_fail(EXIT_REFUSED, hint, "%s", err.text);
}

static const struct cli_option events_options[] = {
    {"since", 0, "SEQ", "begin behind this seq (default: from now on)"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_events = {.name = "events",
                                 .arguments = "",
                                 .help = "Print what happens to jobs as it happens",
                                 .example = "batchctl events --json | jq .event",
                                 .options = events_options,
                                 .run = run_events};
