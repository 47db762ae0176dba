/* batchctl submit: builds the request, makes a key of its own so that a repeated send is safe. */
#include "client/pipeline_submit.h"
#include "client/limit_options.h"
#include "client/retry_options.h"
#include "client/submission.h"
#include "client/values_submit.h"
#include "client/verbs.h"

#include "common/cleanup.h"

#include <string.h>

static int finish(struct submission *submission, json_int_t id)
{
    struct cli *cli = submission->cli;
    int code = 0;
    if (submission->follow) {
        code = cli_follow(cli, id);
        if (code != 0)
            return code;
    }
    json_t *ids = json_pack("[I]", id);
    return submission->wait || submission->follow ? cli_wait(cli, ids, NULL)
                                                  : (json_decref(ids), 0);
}

void cli_print_submitted(const struct cli *cli, const json_t *reply)
{
    long long id = json_integer_value(json_object_get(reply, "id"));
    if (cli->json)
        cli_print_json(reply);
    else if (cli->quiet || !cli->tty)
        (void)printf("%lld\n", id);
    else if (json_is_true(json_object_get(reply, "existing")))
        (void)printf("Job %lld is it already; nothing was submitted\n", id);
    else
        (void)printf("Submitted job %lld\n", id);
}

/* NULL after reporting. */
static json_t *send_submit(const struct submission *submission, int *ret_code)
{
    struct cli *cli = submission->cli;
    struct values values;
    struct error err;
    if (submission->values_option == NULL)
        return cli_call_again(cli, "io.batchd.Jobs.Submit", json_incref(submission->request),
                              ret_code);
    bool json = strcmp(submission->values_option, "each-json") == 0;
    if (values_open(submission->values_path, json, &values, &err) < 0) {
        *ret_code = cli_fail(EXIT_USAGE, NULL, "--%s: %s", submission->values_option, err.text);
        return NULL;
    }
    json_t *reply = values_submit(cli, submission->request, &values, ret_code);
    values_done(&values);
    return reply;
}

static int say_tested(const struct cli *cli, const json_t *reply)
{
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet && json_is_true(json_object_get(reply, "existing")))
        (void)printf("Job %lld is it already; nothing would be submitted\n",
                     (long long)json_integer_value(json_object_get(reply, "id")));
    else if (!cli->quiet)
        (void)puts("The job would be taken");
    return EXIT_DONE;
}

/* One job, or those of a file. */
struct order {
    struct submission submission;
    struct pipeline_order pipeline;
};

static int take(void *arg, const char *name, const char *value)
{
    struct order *order = arg;
    int taken = pipeline_order_take(&order->pipeline, order->submission.cli, name, value);
    if (taken != 0)
        return taken < 0 ? EXIT_USAGE : 0;
    return submission_take(&order->submission, name, value);
}

static int submit_one(struct submission *submission, int argc, char **argv)
{
    struct cli *cli = submission->cli;
    int code = submission_add_command(submission, argc, argv);
    if (code != 0)
        return code;
    if (submission->test)
        json_put(submission->request, "dry_run", json_true());
    else if (json_object_get(submission->request, "key") == NULL)
        submission_put_key(submission->request);
    code = submission_add_rest(submission);
    if (code != 0)
        return code;
    CLEANUP_JSON json_t *reply = send_submit(submission, &code);
    if (reply == NULL)
        return code;
    if (submission->test)
        return say_tested(cli, reply);
    json_int_t id = json_integer_value(json_object_get(reply, "id"));
    bool waits = submission->wait || submission->follow; /* its end has the id, too */
    if (!cli->json || !waits)
        cli_print_submitted(cli, reply);
    (void)fflush(stdout);
    return finish(submission, id);
}

static int submit(struct order *order, int argc, char **argv)
{
    int operand = 1;
    int code = cli_options(order->submission.cli, argc, argv, take, order, &operand);
    if (code != 0)
        return code;
    if (order->pipeline.path != NULL)
        return pipeline_submit(&order->submission, &order->pipeline, argc - operand);
    if (json_object_size(order->pipeline.set) > 0)
        return cli_fail(EXIT_USAGE, NULL, "--set goes with --file");
    return submit_one(&order->submission, argc - operand, argv + operand);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct order order = {.submission = submission_begin(cli), .pipeline.set = json_object()};
    int code = submit(&order, argc, argv);
    json_decref(order.pipeline.set);
    submission_done(&order.submission);
    return code;
}

static const struct cli_option options[] = {
    {"name", 'n', "NAME", "a name (default: the program's)"},
    {"queue", 'Q', "NAME", "the queue (default: default)"},
    {"priority", 'p', "LEVEL", "urgent, high, normal, low or background (default: normal)"},
    {"cpus", 'c', "N", "processors it uses, told to it as BATCHD_CPUS (default: 1)"},
    {"memory", 'm', "SIZE", "memory it needs, told to it as BATCHD_MEMORY_BYTES"},
    {"gpus", 'g', "N",
     "GPUs it is given, or a share of one (0.5): told to it as CUDA_VISIBLE_DEVICES and BATCHD_GPUS"},
    {"gpu-memory", 0, "SIZE", "memory it uses of each of its GPUs"},
    {"disk", 0, "SIZE", "disk it needs"},
    LIMIT_OPTIONS,
    {"resource", 'R', "NAME=N", "so much of a counter that the configuration names (licences)"},
    {"timeout", 't', "SPAN", "stop it after this running time (default: never)"},
    {"timeout-signal", 0, "SIG[@SPAN]", "a signal so long before that and before a deadline (60s)"},
    {"estimate", 'e', "SPAN", "how long it runs (default: as such jobs did, see batchctl stats)"},
    {"array", 'a', "SPEC", "one job of many tasks: 0-99, 1,3,5, 0-30:2, 0-99%8 (8 at a time)"},
    {"depends", 'd', "LIST",
     "start it after others: afterok:41:42, all of several by , or any by ? (see DEPENDENCIES)"},
    {"each-line", 0, "FILE", "an array with a task for each line, BATCHD_ARRAY_VALUE; -: stdin"},
    {"each-json", 0, "FILE", "the same for each element of a JSON array"},
    {"max-fails", 0, "N|P%", "cancel the rest of the array when more tasks than that have failed"},
    {"begin", 0, "TIME", "do not start it before: now+2h, 16:00, tomorrow 09:00, ISO 8601"},
    {"deadline", 0, "TIME", "end it if it has not ended by then, whether it waits or runs"},
    {"hold", 0, NULL, "do not start it until batchctl release"},
    {"chdir", 'C', "DIR", "run there (default: here)"},
    {"env", 0, "NAME[=VALUE]", "one variable more; without a value, yours"},
    {"env-policy", 0, "POLICY", "clean, all or none of your environment (default: clean)"},
    {"stdin", 0, "FILE", "read standard input from it (default: /dev/null)"},
    {"output", 0, "PATH", "a file or folder that it makes: whole, or as it was (see OUTPUTS)"},
    {"check", 0, "CHECK", "what is to be true of each output: exists, nonempty, or a shell's text"},
    {"checkpoint-signal", 0, "SIG", "what asks it for a checkpoint (see CHECKPOINTS)"},
    {"tag", 0, "KEY=VALUE", "a mark to find it by"},
    {"key", 0, "KEY", "the same key and job again gives the same id (default: a random one)"},
    {"unique", 0, "KEY", "while a job of yours with this KEY has not ended, give its id instead"},
    {"max-attempts", 0, "N",
     "try it again when it fails, N times in all (default: 3, after passing failures alone)"},
    RETRY_OPTIONS,
    {"rerun-if-lost", 0, NULL, "run it again when its worker or machine dies (the default)"},
    {"never-rerun", 0, NULL, "never run it again by itself once it may have started"},
    {"shell", 0, "TEXT", "run TEXT by /bin/sh -c"},
    {"type", 0, "TYPE", "a processor job (batchctl processors list)"},
    {"param", 0, "NAME=VALUE", "a parameter of the processor; of a list, once for each"},
    {"params-file", 0, "FILE",
     "its parameters from a JSON object, -: stdin; --param goes before what it says"},
    {"file", 0, "FILE", "several jobs that depend on each other by name (see PIPELINES); -: stdin"},
    {"graph", 0, "FILE", "the same as --file"},
    {"set", 0, "NAME=VALUE", "what ${NAME} stands for in that file"},
    {"wait", 'w', NULL, "wait for its end and exit as it does"},
    {"follow", 'f', NULL, "show its output as it comes, then as --wait"},
    {"test", 0, NULL, "submit nothing, only say whether it would be taken"},
    {NULL, 0, NULL, NULL},
};

const struct verb verb_submit = {.name = "submit",
                                 .alias = "sbatch",
                                 .arguments = "[--] COMMAND [ARG...]",
                                 .help = "Hand over a job",
                                 .example = "batchctl submit -p high -t 30m -- make -j2",
                                 .options = options,
                                 .stop_at_operand = true,
                                 .run = run};
