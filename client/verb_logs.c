/* batchctl logs, events: what streams. */
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>
#include <time.h>

struct sink {
    const struct cli *cli;
    bool timestamps;
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

static int print_part(void *arg, const json_t *part)
{
    const struct sink *sink = arg;
    const char *stream = json_string_value(json_object_get(part, "stream"));
    FILE *file = stream != NULL && strcmp(stream, "stderr") == 0 ? stderr : stdout;
    if (sink->cli->json) {
        cli_print_json(part);
        return 0;
    }
    if (sink->timestamps)
        print_time(file, json_integer_value(json_object_get(part, "time_us")));
    cli_write_bytes(file, json_object_get(part, "data"));
    return fflush(file) == 0 ? 0 : 1;
}

static int stream(struct cli *cli, const char *method, json_t *parameters, struct sink *sink)
{
    struct error err;
    int code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    CLEANUP_JSON json_t *last =
        batchd_stream(cli->client, method, parameters, print_part, sink, &err);
    if (last == NULL)
        return err.code == ERROR_NONE ? EXIT_DONE : cli_fail_error(cli, &err);
    return EXIT_DONE;
}

int cli_follow(struct cli *cli, json_int_t id)
{
    struct sink sink = {.cli = cli};
    return stream(cli, "io.batchd.Logs.Follow", json_pack("{sI}", "id", id), &sink);
}

/* The last or first N lines need the whole text; it is gathered from the stream. */
struct gathered {
    char *data;
    size_t used;
    long lines;
    bool head;
};

static int gather(void *arg, const json_t *part)
{
    struct gathered *gathered = arg;
    CLEANUP_FREE char *data = NULL;
    size_t bytes = 0;
    if (json_value_bytes(json_object_get(part, "data"), "data", SIZE_MAX, true, &data, &bytes,
                         NULL) < 0)
        return 0;
    gathered->data = xreallocarray(gathered->data, gathered->used + bytes + 1, 1);
    memcpy(gathered->data + gathered->used, data, bytes);
    gathered->used += bytes;
    return 0;
}

static void print_gathered(const struct gathered *gathered)
{
    size_t from = 0;
    size_t to = gathered->used;
    long left = gathered->lines;
    if (gathered->head) {
        for (to = 0; to < gathered->used && left > 0; to++)
            left -= gathered->data[to] == '\n';
    } else {
        from = gathered->used;
        while (from > 0 && (left > 0 || gathered->data[from - 1] != '\n')) {
            from--;
            left -= from > 0 && gathered->data[from - 1] == '\n';
        }
    }
    (void)fwrite(gathered->data + from, 1, to - from, stdout);
}

static int show_lines(struct cli *cli, json_t *parameters, struct gathered *gathered)
{
    struct error err;
    int code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    CLEANUP_JSON json_t *last =
        batchd_stream(cli->client, "io.batchd.Logs.Read", parameters, gather, gathered, &err);
    if (last == NULL)
        code = cli_fail_error(cli, &err);
    else if (gathered->data != NULL)
        print_gathered(gathered);
    free(gathered->data);
    return code;
}

struct logs_request {
    json_t *parameters;
    struct sink sink;
    struct gathered lines;
    bool follow;
};

static int take_option(struct logs_request *request, const char *name, const char *value)
{
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
        if (strcmp(name, "attempt") == 0)
            json_put_int(request->parameters, "attempt", (int64_t)number);
        else
            request->lines =
                (struct gathered){.lines = (long)number, .head = strcmp(name, "head") == 0};
    }
    return 0;
}

static int run_logs(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct logs_request request = {.parameters = parameters, .sink.cli = cli};
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    int code;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL) {
        code = take_option(&request, name, value);
        if (code != 0)
            return code;
    }
    if (failed)
        return EXIT_USAGE;
    CLEANUP_JSON json_t *ids = cli_ids(cli, argv + operand, argc - operand, &code);
    if (ids == NULL)
        return code;
    if (json_array_size(ids) != 1)
        return cli_fail(EXIT_USAGE, NULL, "logs takes one job at a time");
    cli_put_id(parameters, json_array_get(ids, 0));
    if (request.lines.lines > 0)
        return show_lines(cli, json_incref(parameters), &request.lines);
    return stream(cli, request.follow ? "io.batchd.Logs.Follow" : "io.batchd.Logs.Read",
                  json_incref(parameters), &request.sink);
}

static const struct cli_option logs_options[] = {
    {"follow", 'f', NULL, "go on until the job ends"},
    {"lines", 'n', "N", "the last N lines"},
    {"head", 0, "N", "the first N lines"},
    {"stdout", 0, NULL, "only its stdout"},
    {"stderr", 0, NULL, "only its stderr"},
    {"attempt", 0, "N", "of this attempt (default: the last)"},
    {"timestamps", 0, NULL, "when each piece was written"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_logs = {.name = "logs",
                               .arguments = "ID",
                               .takes_tasks = true,
                               .help =
                                   "Show what a job wrote: its stdout to stdout, stderr to stderr",
                               .example = "batchctl logs -f 42",
                               .options = logs_options,
                               .run = run_logs};

/* ---- events ---- */

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
