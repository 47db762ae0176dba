/* batchctl status, ping, version, call. */
#include "client/job_table.h"
#include "client/status_lines.h"
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

static int run_status(struct cli *cli, int argc, char **argv)
{
    int code = no_arguments(cli, argc, argv);
    CLEANUP_JSON json_t *reply =
        code != 0 ? NULL : cli_call(cli, "io.batchd.Server.Status", NULL, &code);
    if (reply == NULL)
        return code;
    if (cli->json) {
        cli_print_json(reply);
        return 0;
    }
    status_lines_print(stdout, reply);
    const json_t *running = json_object_get(reply, "running");
    const json_t *failures = json_object_get(reply, "failures");
    if (cli->quiet)
        return 0;
    const struct column_list columns = columns_of("table", false);
    if (json_array_size(running) > 0) {
        (void)printf("\nrunning:\n");
        job_table_print(cli, stdout, running, &columns, false, true);
    }
    if (json_array_size(failures) > 0) {
        (void)printf("\nfailed in the last day:\n");
        job_table_print(cli, stdout, failures, &columns, false, true);
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
