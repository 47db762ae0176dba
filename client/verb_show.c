/* batchctl show: all about a job, for people; with --json as the daemon says it. */
#include "client/reply.h"
#include "client/show_line.h"
#include "client/show_result.h"
#include "client/table.h"
#include "client/text.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>
#include <time.h>

static void print_at(const char *label, const json_t *value)
{
    if (!json_is_integer(value))
        return;
    time_t seconds = (time_t)(json_integer_value(value) / US_PER_SECOND);
    struct tm local;
    char text[48];
    (void)localtime_r(&seconds, &local);
    (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &local);
    show_line(label, text);
}

/* Words of an array with blanks between them. */
static void print_words(const char *label, const json_t *words)
{
    const json_t *word;
    size_t i;
    if (json_array_size(words) == 0)
        return;
    (void)printf("%12s:", label);
    json_array_foreach((json_t *)(uintptr_t)words, i, word) {
        (void)putchar(' ');
        show_text(json_is_string(word) ? json_string_value(word) : "?");
    }
    (void)putchar('\n');
}

/* NAME=VALUE for each member, one a line under the label. */
static void print_pairs(const char *label, const json_t *pairs)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, value) {
        (void)printf("%12s%c ", label, label[0] == '\0' ? ' ' : ':');
        show_text(name);
        (void)putchar('=');
        CLEANUP_FREE char *text =
            json_is_string(value) ? xstrdup(json_string_value(value)) : json_to_text(value, NULL);
        show_text(text);
        (void)putchar('\n');
        label = "";
    }
}

/* What keeps a peak of memory from being exact. */
static const char *source_text(const json_t *usage)
{
    const char *source = json_string_value(json_object_get(usage, "memory_source"));
    if (source != NULL && strcmp(source, "sampled") == 0)
        return " (seen now and then)";
    return source != NULL && strcmp(source, "process") == 0 ? " (of one process)" : "";
}

/* Of a job that runs. */
static void print_live(const json_t *live)
{
    char cpu[32], memory[32], peak[32];
    if (!json_is_object(live))
        return;
    format_span((uint64_t)reply_number(live, "cpu_ms"), cpu, sizeof(cpu));
    format_size((uint64_t)reply_number(live, "memory_bytes"), memory, sizeof(memory));
    format_size((uint64_t)reply_number(live, "max_rss_bytes"), peak, sizeof(peak));
    (void)printf("%12s: cpu %.0f %% now, %s in all, memory %s now, %s at most%s, %lld processes\n",
                 "uses", json_number_value(json_object_get(live, "cpu_percent")), cpu, memory, peak,
                 source_text(live), reply_number(live, "processes"));
}

static void print_usage(const json_t *usage)
{
    char cpu[32], memory[32], out[32], errors[32];
    if (!json_is_object(usage))
        return;
    format_span((uint64_t)reply_number(usage, "cpu_ms"), cpu, sizeof(cpu));
    format_size((uint64_t)reply_number(usage, "max_rss_bytes"), memory, sizeof(memory));
    format_size((uint64_t)reply_number(usage, "stdout_bytes"), out, sizeof(out));
    format_size((uint64_t)reply_number(usage, "stderr_bytes"), errors, sizeof(errors));
    (void)printf("%12s: cpu %s, memory %s%s, stdout %s, stderr %s\n", "usage", cpu, memory,
                 source_text(usage), out, errors);
    if (reply_number(usage, "cut_bytes") + reply_number(usage, "lost_bytes") > 0)
        (void)printf("%12s: %lld bytes were cut out, %lld were lost\n", "output",
                     reply_number(usage, "cut_bytes"), reply_number(usage, "lost_bytes"));
}

static void print_bytes(const json_t *resources, const char *what, const char *key)
{
    char text[32];
    long long bytes = reply_number(resources, key);
    format_size((uint64_t)bytes, text, sizeof(text));
    if (bytes > 0)
        (void)printf(", %s %s", what, text);
}

/* The processors of its own that it runs on, or ran on last. */
static void print_binding(const json_t *job)
{
    const json_t *bind = json_object_get(job, "cpu_bind");
    const json_t *list = json_object_get(job, "cpu_list");
    if (json_is_string(list))
        (void)printf("%12s: processors %s\n", "bound to", json_string_value(list));
    else if (json_is_string(bind) && strcmp(json_string_value(bind), "cores") == 0)
        show_line("bound to", "processors of its own, once it starts");
}

/* The fixed kinds, then each counter by its name. */
static void print_resources(const json_t *job)
{
    static const char fixed[] = " cpus memory_bytes gpus gpu_memory_bytes disk_bytes ";
    const json_t *resources = json_object_get(job, "resources");
    const json_t *indices = json_object_get(job, "gpu_indices");
    const json_t *value;
    const char *name;
    (void)printf("%12s: %lld cpus", "resources", reply_number(resources, "cpus"));
    print_bytes(resources, "memory", "memory_bytes");
    const double gpus = json_number_value(json_object_get(resources, "gpus"));
    if (gpus > 0)
        (void)printf(", %g gpus", gpus);
    print_bytes(resources, "gpu memory", "gpu_memory_bytes");
    print_bytes(resources, "disk", "disk_bytes");
    json_object_foreach((json_t *)(uintptr_t)resources, name, value) {
        CLEANUP_FREE char *word = xasprintf(" %s ", name);
        if (strstr(fixed, word) == NULL)
            (void)printf(", %lld %s", json_integer_value(value), name);
    }
    (void)putchar('\n');
    if (json_array_size(indices) > 0)
        show_value("gpus", indices);
    print_binding(job);
    print_words("lacking", json_object_get(job, "lacking"));
}

/* "10s:2:1h, jitter full, after exit:75". */
static void print_rule(const json_t *retry)
{
    char base[32], cap[32];
    const json_t *on = json_object_get(retry, "on");
    const json_t *word;
    size_t i;
    if (!json_is_object(retry))
        return;
    format_span((uint64_t)reply_number(retry, "base_ms"), base, sizeof(base));
    format_span((uint64_t)reply_number(retry, "cap_ms"), cap, sizeof(cap));
    if (reply_number(retry, "base_ms") == 0)
        (void)printf("%12s: at once", "retry");
    else
        (void)printf("%12s: after %s:%g:%s, jitter %s", "retry", base,
                     json_number_value(json_object_get(retry, "factor")), cap,
                     json_string_value(json_object_get(retry, "jitter")));
    (void)fputs(json_array_size(on) == 0 ? ", on none" : ", on", stdout);
    json_array_foreach((json_t *)(uintptr_t)on, i, word)
        (void)printf("%s%s", i == 0 ? " " : ",", json_string_value(word));
    if (json_is_false(json_object_get(retry, "rerun_if_lost")))
        (void)fputs(", never when it is lost", stdout);
    (void)putchar('\n');
}

/* "2 of 3", of those that count: the one that runs, succeeded or was lost at last does not so far.
 */
static void print_tries(const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    const char *class =
        json_string_value(json_object_get(json_object_get(job, "outcome"), "class"));
    long long losses = reply_number(job, "losses");
    bool runs = class == NULL && state != NULL && strcmp(state, "pending") != 0;
    bool free = class != NULL && (strcmp(class, "success") == 0 || strcmp(class, "lost") == 0);
    (void)printf("%12s: %lld of %lld", "attempt", reply_number(job, "charged") + (runs || free),
                 reply_number(job, "max_attempts"));
    if (losses > 0)
        (void)printf(", %lld lost", losses);
    (void)putchar('\n');
    print_rule(json_object_get(job, "retry"));
    print_at("tried again", json_object_get(job, "retry_at"));
    if (json_is_integer(json_object_get(job, "suggested_memory"))) {
        char text[32];
        format_size((uint64_t)reply_number(job, "suggested_memory"), text, sizeof(text));
        (void)printf("%12s: ask for %s memory: it, or one like it, had too little\n", "hint", text);
    }
}

/* How it asked to stand beside others. */
static void print_standing(const json_t *limits)
{
    show_value("nice", json_object_get(limits, "nice"));
    show_value("io priority", json_object_get(limits, "io_priority"));
    show_value("pids", json_object_get(limits, "pids"));
}

static void print_limits(const json_t *job)
{
    char text[32];
    print_resources(job);
    if (json_is_integer(json_object_get(job, "timeout_ms"))) {
        format_span((uint64_t)reply_number(job, "timeout_ms"), text, sizeof(text));
        show_line("timeout", text);
    }
    if (json_is_string(json_object_get(job, "timeout_signal"))) {
        format_span((uint64_t)reply_number(job, "timeout_signal_ms"), text, sizeof(text));
        (void)printf("%12s: SIG%s %s before its timeout\n", "warning",
                     json_string_value(json_object_get(job, "timeout_signal")), text);
    }
    print_standing(json_object_get(job, "limits"));
    if (json_is_integer(json_object_get(job, "estimate_ms"))) {
        format_span((uint64_t)reply_number(job, "estimate_ms"), text, sizeof(text));
        (void)printf("%12s: %s (%s)\n", "estimate", text,
                     json_string_value(json_object_get(job, "estimate_source")));
    }
    print_tries(job);
}

static void print_array(const json_t *array)
{
    if (!json_is_object(array))
        return;
    (void)printf("%12s: %s: %lld tasks, %lld wait, %lld run, %lld completed, %lld failed, "
                 "%lld cancelled\n",
                 "array", json_string_value(json_object_get(array, "spec")),
                 reply_number(array, "count"), reply_number(array, "pending"),
                 reply_number(array, "running"), reply_number(array, "completed"),
                 reply_number(array, "failed"), reply_number(array, "cancelled"));
}

/* Of a job's current attempt, or of one that is listed. */
static void print_notes(const json_t *attempt)
{
    const json_t *from = json_object_get(attempt, "resumed_from");
    if (json_is_object(from))
        (void)printf("%12s: checkpoint %lld of attempt %lld\n", "resumed from",
                     reply_number(from, "number"), reply_number(from, "attempt"));
    show_value("note", json_object_get(attempt, "note"));
}

/* What followed from its end. */
static void print_sequel(const json_t *attempt)
{
    const json_t *charged = json_object_get(attempt, "charged");
    const char *class =
        json_string_value(json_object_get(json_object_get(attempt, "outcome"), "class"));
    char text[32];
    if (json_is_false(charged) && class != NULL && strcmp(class, "success") != 0)
        show_line("counted", "no");
    if (!json_is_integer(json_object_get(attempt, "retry_ms")))
        return;
    format_span((uint64_t)reply_number(attempt, "retry_ms"), text, sizeof(text));
    (void)printf("%12s: the next %s later\n", "tried again", text);
}

static void print_attempts(const json_t *attempts)
{
    const json_t *attempt;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)attempts, i, attempt) {
        CLEANUP_FREE char *outcome = table_outcome(attempt);
        CLEANUP_FREE char *label = xasprintf("attempt %lld", reply_number(attempt, "attempt"));
        CLEANUP_FREE char *time = table_time(attempt);
        CLEANUP_FREE char *text =
            xasprintf("%s after %s by worker %lld", outcome[0] == '\0' ? "not ended" : outcome,
                      time, reply_number(attempt, "worker"));
        show_line(label, text);
        print_usage(json_object_get(attempt, "usage"));
        print_sequel(attempt);
        print_notes(attempt);
    }
}

static void print_checkpoints(const json_t *job)
{
    const json_t *newest = json_object_get(job, "checkpoint");
    char bytes[32];
    if (json_is_object(newest)) {
        format_size((uint64_t)reply_number(newest, "bytes"), bytes, sizeof(bytes));
        (void)printf("%12s: %lld by attempt %lld, size %s; %lld made\n", "checkpoint",
                     reply_number(newest, "number"), reply_number(newest, "attempt"), bytes,
                     reply_number(newest, "count"));
        print_at("made at", json_object_get(newest, "made_at"));
    }
    show_value("asked by", json_object_get(job, "checkpoint_signal"));
    print_notes(job);
}

/* "12 %, 1m26s to go, frames 89": what else a processor says stands as it said it. */
static void print_progress(const json_t *progress)
{
    const char *name;
    json_t *value;
    if (!json_is_object(progress))
        return;
    const json_t *fraction = json_object_get(progress, "fraction");
    CLEANUP_FREE char *text = json_is_number(fraction)
                                  ? xasprintf("%.0f %%", 100 * json_number_value(fraction))
                                  : xstrdup("");
    json_object_foreach((json_t *)(uintptr_t)progress, name, value) {
        char span[24];
        CLEANUP_FREE char *before = text;
        CLEANUP_FREE char *said = show_readable(value);
        const char *between = before[0] == '\0' ? "" : ", ";
        const bool is_eta =
            strcmp(name, "eta_ms") == 0 && json_is_integer(value) && json_integer_value(value) >= 0;
        if (is_eta)
            format_span((uint64_t)json_integer_value(value), span, sizeof(span));
        text = strcmp(name, "fraction") == 0 ? xstrdup(before)
               : is_eta                      ? xasprintf("%s%s%s to go", before, between, span)
                                             : xasprintf("%s%s%s %s", before, between, name, said);
    }
    show_line("progress", text);
}

static void print_job(const json_t *job)
{
    static const char *const facts[] = {"name", "type", "priority", "queue",
                                        "user", "cwd",  "depends"};
    static const char *const times[] = {"submitted_at", "begin_at", "deadline_at", "started_at",
                                        "ended_at"};
    const json_t *env = json_object_get(job, "env");
    CLEANUP_FREE char *command = table_command(job);
    CLEANUP_FREE char *outcome = table_outcome(job);
    CLEANUP_FREE char *span = table_time(job);
    (void)printf("%12s: %lld", "job", reply_number(job, "id"));
    if (json_is_integer(json_object_get(job, "index")))
        (void)printf("_%lld", reply_number(job, "index"));
    (void)putchar('\n');
    show_line("command", command);
    show_value("state", json_object_get(job, "state"));
    print_array(json_object_get(job, "array"));
    show_value("value", json_object_get(job, "value"));
    show_value("max fails", json_object_get(job, "max_fails"));
    show_value("unique", json_object_get(job, "unique"));
    show_value("retry of", json_object_get(job, "retry_of"));
    show_line("outcome", outcome);
    print_words("reasons", json_object_get(job, "reasons"));
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        show_value(facts[i], json_object_get(job, facts[i]));
    print_limits(job);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        print_at(times[i], json_object_get(job, times[i]));
    print_at("starts about", json_object_get(job, "predicted_start"));
    print_at("ends about", json_object_get(job, "predicted_end"));
    show_line("time", span);
    print_words("outputs", json_object_get(job, "outputs"));
    print_words("checks", json_object_get(job, "checks"));
    print_checkpoints(job);
    print_live(json_object_get(job, "live"));
    print_usage(json_object_get(job, "usage"));
    print_pairs("tags", json_object_get(job, "tags"));
    if (json_is_object(env))
        print_pairs("env", env);
    else
        print_words("env", env);
    show_value("params", json_object_get(job, "params"));
    print_progress(json_object_get(job, "progress"));
    show_value("preview", json_object_get(json_object_get(job, "preview"), "path"));
    show_result(json_object_get(job, "result"));
    print_attempts(json_object_get(job, "attempts"));
}

struct show {
    const json_t *parameters;
    bool begun; /* one was shown */
};

static int show_one(struct cli *cli, json_t *id, void *arg)
{
    struct show *show = arg;
    int code = 0;
    json_t *request = json_deep_copy(show->parameters);
    cli_put_id(request, id);
    CLEANUP_JSON json_t *reply = cli_call(cli, "io.batchd.Jobs.Show", request, &code);
    if (reply == NULL)
        return code;
    if (cli->json) {
        cli_give_json(cli, json_object_get(reply, "job"));
        return EXIT_DONE;
    }
    if (show->begun)
        (void)putchar('\n');
    show->begun = true;
    print_job(json_object_get(reply, "job"));
    return EXIT_DONE;
}

/* 42, 42_7: one job or task, of which the daemon may predict the start without making many wait. */
static bool is_one(const char *word)
{
    return word[strspn(word, "0123456789_")] == '\0';
}

static int run_show(struct cli *cli, int argc, char **argv)
{
    CLEANUP_JSON json_t *parameters = json_object();
    struct show show = {.parameters = parameters};
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL)
        json_put(parameters, strcmp(name, "env-values") == 0 ? "env_values" : name, json_true());
    if (failed)
        return EXIT_USAGE;
    if (argc - operand == 1 && is_one(argv[operand]))
        json_put(parameters, "predict", json_true());
    return cli_each_id(cli, argv + operand, argc - operand, show_one, &show);
}

static const struct cli_option show_options[] = {
    {"attempts", 0, NULL, "also each attempt's end"},
    {"env-values", 0, NULL, "also the values of its environment"},
    {"predict", 0, NULL, "of several jobs, too, when each is predicted to start and to end"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_show = {.name = "show",
                               .arguments = "ID...",
                               .tasks = CLI_TASKS_EACH,
                               .help = "Show all about a job, or about a task of an array",
                               .example = "batchctl show --attempts 42",
                               .options = show_options,
                               .run = run_show};
