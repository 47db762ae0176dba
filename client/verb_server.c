/* batchctl status, ping, version, call. */
#include "client/job_table.h"
#include "client/machine_line.h"
#include "client/text.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

static const struct cli_option no_options[] = {{NULL, 0, NULL, NULL}};

/* For verbs without options and operands: 0, or the exit code after reporting. */
static int no_arguments(struct cli *cli, int argc, char **argv)
{
    int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
        return EXIT_USAGE;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, NULL, "%s takes no \"%s\"", cli->verb->name, argv[operand]);
    return 0;
}

static void print_counts(const json_t *counts)
{
    const char *state;
    const json_t *count;
    const char *comma = "";
    (void)printf("jobs: ");
    json_object_foreach((json_t *)(uintptr_t)counts, state, count) {
        if (json_integer_value(count) > 0) {
            (void)printf("%s%lld %s", comma, json_integer_value(count), state);
            comma = ", ";
        }
    }
    (void)printf("%s\n", comma[0] == '\0' ? "none" : "");
}

static long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_bytes(const json_t *resources, const char *what, const char *total_key,
                        const char *free_key)
{
    char total[32], left[32];
    format_size((uint64_t)number_of(resources, total_key), total, sizeof(total));
    format_size((uint64_t)number_of(resources, free_key), left, sizeof(left));
    (void)printf(", %s %s (%s free)", total, what, left);
}

static void print_resources(const json_t *resources)
{
    const char *name;
    const json_t *counter;
    (void)printf("resources: %lld cpus (%lld free)", number_of(resources, "cpus"),
                 number_of(resources, "cpus_free"));
    print_bytes(resources, "memory", "memory_bytes", "memory_free_bytes");
    if (number_of(resources, "gpus") > 0)
        (void)printf(", %lld gpus (%lld free)", number_of(resources, "gpus"),
                     number_of(resources, "gpus_free"));
    print_bytes(resources, "disk", "disk_bytes", "disk_unpromised_bytes");
    json_object_foreach(json_object_get(resources, "counters"), name, counter)
        (void)printf(", %lld %s (%lld free)", number_of(counter, "total"), name,
                     number_of(counter, "free"));
    (void)putchar('\n');
}

/* Nothing when all is well. */
static void print_health(const json_t *health)
{
    int64_t now = clock_wall_us();
    int64_t ago = now - number_of(health, "last_death_at");
    int64_t left = number_of(health, "next_at") - now;
    const char *spawner = json_string_value(json_object_get(health, "spawner"));
    char text[32];
    if (spawner != NULL)
        (void)printf("workers: none can be made: %s\n", spawner);
    if (number_of(health, "deaths") == 0)
        return;
    format_span(ago < 0 ? 0 : (uint64_t)ago / 1000, text, sizeof(text));
    (void)printf("workers: %lld died, the last %s ago: %s\n", number_of(health, "deaths"), text,
                 json_string_value(json_object_get(health, "last_death")));
    if (left <= 0)
        return;
    format_span((uint64_t)left / 1000, text, sizeof(text));
    (void)printf("workers: they die one after the other; the next is made in %s\n", text);
}

static void print_workers(const json_t *workers, const json_t *resources)
{
    const json_t *worker;
    size_t i;
    long long busy = 0;
    json_array_foreach((json_t *)(uintptr_t)workers, i, worker)
        busy += number_of(worker, "load") > 0;
    (void)printf("workers: %zu of at most %lld, %lld busy\n", json_array_size(workers),
                 number_of(resources, "workers_max"), busy);
    print_resources(resources);
    if (json_is_true(json_object_get(resources, "disk_low")))
        (void)puts("disk: nearly full, new jobs are refused");
}

/* Those that are not closed. */
static void print_breakers(const json_t *breakers)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)breakers, i, one) {
        CLEANUP_FREE char *key =
            text_tame(xstrdup(json_string_value(json_object_get(one, "breaker"))));
        CLEANUP_FREE char *until =
            number_of(one, "until") > 0 ? times_text(number_of(one, "until")) : NULL;
        (void)printf("%s%s is %s%s%s, %lld waiting", i == 0 ? "breakers: " : "; ", key,
                     json_string_value(json_object_get(one, "state")),
                     until == NULL ? "" : " until ", until == NULL ? "" : until,
                     number_of(one, "waiting"));
    }
    if (i > 0)
        (void)putchar('\n');
}

static int run_status(struct cli *cli, int argc, char **argv)
{
    char up[32];
    int code = no_arguments(cli, argc, argv);
    CLEANUP_JSON json_t *reply =
        code != 0 ? NULL : cli_call(cli, "io.batchd.Server.Status", NULL, &code);
    if (reply == NULL)
        return code;
    if (cli->json) {
        cli_print_json(reply);
        return 0;
    }
    int64_t started = json_integer_value(json_object_get(reply, "started_at"));
    format_span((uint64_t)(clock_wall_us() - started) / 1000, up, sizeof(up));
    (void)printf("batchd %s, pid %lld, up %s\n",
                 json_string_value(json_object_get(reply, "version")),
                 json_integer_value(json_object_get(reply, "pid")), up);
    print_counts(json_object_get(reply, "counts"));
    print_workers(json_object_get(reply, "workers"), json_object_get(reply, "resources"));
    machine_line_print(json_object_get(reply, "machine"));
    print_breakers(json_object_get(reply, "breakers"));
    print_health(json_object_get(reply, "workers_health"));
    const json_t *running = json_object_get(reply, "running");
    const json_t *failures = json_object_get(reply, "failures");
    if (cli->quiet)
        return 0;
    const struct column_list columns = columns_of("table", false);
    if (json_array_size(running) > 0) {
        (void)printf("\nrunning:\n");
        job_table_print(cli, running, &columns, false, true);
    }
    if (json_array_size(failures) > 0) {
        (void)printf("\nfailed in the last day:\n");
        job_table_print(cli, failures, &columns, false, true);
    }
    return 0;
}

const struct verb verb_status = {
    .name = "status",
    .arguments = "",
    .help = "One screen: daemon, jobs, workers, the machine, recent failures",
    .example = "batchctl status",
    .options = no_options,
    .run = run_status};

static int run_ping(struct cli *cli, int argc, char **argv)
{
    int code = no_arguments(cli, argc, argv);
    int64_t before = clock_monotonic_us();
    CLEANUP_JSON json_t *reply =
        code != 0 ? NULL : cli_call(cli, "io.batchd.Server.Ping", NULL, &code);
    if (reply == NULL)
        return code;
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf("batchd answers in %.2f ms\n", (double)(clock_monotonic_us() - before) / 1000);
    return 0;
}

const struct verb verb_ping = {.name = "ping",
                               .arguments = "",
                               .help = "See whether the daemon answers",
                               .example = "batchctl ping",
                               .options = no_options,
                               .run = run_ping};

static int run_version(struct cli *cli, int argc, char **argv)
{
    int code = no_arguments(cli, argc, argv);
    CLEANUP_JSON json_t *reply =
        code != 0 ? NULL : cli_call(cli, "io.batchd.Server.GetInfo", NULL, &code);
    if (code == EXIT_USAGE)
        return code;
    if (cli->json) {
        CLEANUP_JSON json_t *all = reply == NULL ? json_object() : json_copy(reply);
        json_put_text(all, "client_version", BATCHD_VERSION);
        cli_print_json(all);
    } else {
        (void)printf("batchctl %s\n", BATCHD_VERSION);
    }
    if (reply != NULL && !cli->json)
        (void)printf("batchd %s at %s\n", json_string_value(json_object_get(reply, "version")),
                     json_string_value(json_object_get(reply, "socket")));
    return code;
}

const struct verb verb_version = {.name = "version",
                                  .arguments = "",
                                  .help = "Versions of batchctl and of the daemon",
                                  .example = "batchctl version",
                                  .options = no_options,
                                  .run = run_version};

static int print_reply(void *arg, const json_t *part)
{
    (void)arg;
    cli_print_json(part);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int run_call(struct cli *cli, int argc, char **argv)
{
    const char *value = NULL;
    bool failed = false;
    bool more = false;
    int operand = 1;
    struct error err;
    while (cli_next(cli, argc, argv, &value, &failed, &operand) != NULL)
        more = true;
    if (failed)
        return EXIT_USAGE;
    if (argc - operand < 1 || argc - operand > 2)
        return cli_fail(EXIT_USAGE, cli->verb->example, "call takes a method and its parameters");
    json_t *parameters = json_loads(argc - operand == 2 ? argv[operand + 1] : "{}", 0, NULL);
    if (!json_is_object(parameters)) {
        json_decref(parameters);
        return cli_fail(EXIT_USAGE, cli->verb->example, "\"%s\" is not a JSON object",
                        argv[operand + 1]);
    }
    int code = cli_connect(cli);
    if (code != 0) {
        json_decref(parameters);
        return code;
    }
    CLEANUP_JSON json_t *reply =
        more ? batchd_stream(cli->client, argv[operand], parameters, print_reply, NULL, &err)
             : batchd_call(cli->client, argv[operand], parameters, &err);
    if (reply == NULL)
        return cli_fail_error(cli, &err);
    cli_print_json(reply);
    return 0;
}

static const struct cli_option call_options[] = {
    {"more", 0, NULL, "the method streams"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_call = {.name = "call",
                               .arguments = "METHOD [JSON]",
                               .help = "Speak the raw protocol",
                               .example = "batchctl call io.batchd.Jobs.List '{}'",
                               .options = call_options,
                               .run = run_call};
