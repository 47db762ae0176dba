#include "client/submission.h"

#include "client/environment.h"
#include "client/limit_options.h"
#include "client/pair.h"
#include "client/retry_options.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "common/words.h"
#include "daemon/core/retry_rule.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Of a key that nobody else has. The time stands before them, so that the index of keys grows at
 * its end and not all over. */
#define KEY_RANDOM_BYTES 10U

struct submission submission_begin(struct cli *cli)
{
    return (struct submission){.cli = cli,
                               .request = json_object(),
                               .env = json_object(),
                               .tags = json_object(),
                               .params = params_begin(),
                               .resources = json_object(),
                               .env_policy = "clean"};
}

void submission_done(struct submission *submission)
{
    json_decref(submission->request);
    json_decref(submission->env);
    json_decref(submission->tags);
    params_done(&submission->params);
    json_decref(submission->resources);
}

static int take_size_or_span(struct submission *submission, const char *name, const char *value)
{
    struct error err;
    uint64_t number = 0;
    bool size =
        strcmp(name, "memory") == 0 || strcmp(name, "disk") == 0 || strcmp(name, "gpu-memory") == 0;
    int result = size ? parse_size(value, &number, &err) : parse_span_ms(value, &number, &err);
    if (result < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    if (strcmp(name, "estimate") == 0 && number == 0)
        return cli_fail(EXIT_USAGE, NULL, "--estimate \"%s\" must be at least 1ms", value);
    const char *field = strcmp(name, "timeout") == 0      ? "timeout_ms"
                        : strcmp(name, "estimate") == 0   ? "estimate_ms"
                        : strcmp(name, "gpu-memory") == 0 ? "gpu_memory"
                                                          : name;
    json_put_int(submission->request, field, (int64_t)number);
    return 0;
}

/* A number of them, or a share of one: which there may be is the daemon's to say. */
static int take_gpus(struct submission *submission, const char *value)
{
    uint64_t number = 0;
    char *end = NULL;
    if (parse_u64(value, 0, 1000000, &number, NULL) == 0) {
        json_put_int(submission->request, "gpus", (int64_t)number);
        return 0;
    }
    const double share = strtod(value, &end);
    if (strspn(value, "0123456789.") != strlen(value) || end == value || *end != '\0')
        return cli_fail(EXIT_USAGE, "batchctl submit -g 0.5 --gpu-memory 8G -- COMMAND",
                        "--gpus \"%s\" must be a whole number, or a share of one GPU such as 0.5",
                        value);
    json_put(submission->request, "gpus", json_real(share));
    return 0;
}

static int take_count(struct submission *submission, const char *name, const char *value)
{
    struct error err;
    uint64_t number = 0;
    bool attempts = strcmp(name, "max-attempts") == 0;
    if (strcmp(name, "gpus") == 0)
        return take_gpus(submission, value);
    if (parse_u64(value, 1, attempts ? RETRY_ATTEMPTS_MAX : 1000000, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    json_put_int(submission->request, attempts ? "max_attempts" : name, (int64_t)number);
    return 0;
}

/* NAME=N. Whether the machine has such a counter is the daemon's to say. */
static int take_resource(struct submission *submission, const char *text)
{
    const char *equals = strchr(text, '=');
    struct error err;
    uint64_t number = 0;
    if (equals == NULL || equals == text)
        return cli_fail(EXIT_USAGE, "batchctl submit -R licence=1 -- COMMAND",
                        "--resource \"%s\" must be NAME=N", text);
    if (parse_u64(equals + 1, 0, INT64_MAX, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--resource %s: %s", text, err.text);
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(equals - text));
    if (json_object_set_new(submission->resources, name, json_integer((json_int_t)number)) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--resource: the name in \"%s\" must be UTF-8", text);
    json_put(submission->request, "resources", json_incref(submission->resources));
    return 0;
}

/* SIG, or SIG@SPAN. */
static int take_warning(struct submission *submission, const char *text)
{
    const char *at = strchrnul(text, '@');
    struct error err;
    uint64_t ms;
    int number;
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(at - text));
    if (parse_signal(name, &number, &err) < 0 ||
        (*at == '@' && parse_span_ms(at + 1, &ms, &err) < 0))
        return cli_fail(EXIT_USAGE, "batchctl submit -t 1h --timeout-signal USR1@60s -- COMMAND",
                        "--timeout-signal: %s", err.text);
    json_put_text(submission->request, "timeout_signal", name);
    if (*at == '@')
        json_put_int(submission->request, "timeout_signal_ms", (int64_t)ms);
    return 0;
}

static int take_policy(struct submission *submission, const char *value)
{
    if (strcmp(value, "clean") != 0 && strcmp(value, "all") != 0 && strcmp(value, "none") != 0)
        return cli_fail(EXIT_USAGE, NULL, "--env-policy \"%s\" must be clean, all or none", value);
    submission->env_policy = value;
    return 0;
}

static int take_chdir(struct submission *submission, const char *value)
{
    CLEANUP_FREE char *path = realpath(value, NULL);
    if (path == NULL)
        return cli_fail(EXIT_USAGE, NULL, "--chdir \"%s\": %s", value, strerrordesc_np(errno));
    json_put_text(submission->request, "cwd", path);
    return 0;
}

static int take_time(struct submission *submission, const char *name, const char *value)
{
    struct error err;
    int64_t at;
    if (parse_time(value, clock_wall_us(), 1, &at, &err) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    json_put_int(submission->request, name, at);
    return 0;
}

/* Each id may be @last, the newest job; what else there may be, the daemon says. */
static int take_depends(struct submission *submission, const char *value)
{
    static const char last[] = "@last";
    const char *at;
    int code = 0;
    CLEANUP_FREE char *text = xstrdup(value);
    while ((at = strstr(text, last)) != NULL) {
        char word[] = "@last";
        char *words[] = {word};
        CLEANUP_JSON json_t *ids = cli_ids(submission->cli, words, 1, &code);
        if (ids == NULL)
            return code;
        char *whole =
            xasprintf("%.*s%lld%s", (int)(at - text), text,
                      (long long)json_integer_value(json_array_get(ids, 0)), at + strlen(last));
        free(text);
        text = whole;
    }
    json_put_text(submission->request, "depends", text);
    return 0;
}

static int take_values(struct submission *submission, const char *name, const char *value)
{
    if (submission->values_option != NULL)
        return cli_fail(EXIT_USAGE, NULL, "--%s and --%s: give one, once",
                        submission->values_option, name);
    submission->values_option = name;
    submission->values_path = value;
    return cli_claim_input(submission->cli, name, value);
}

static int take_checkpoint_signal(struct submission *submission, const char *name)
{
    struct error err;
    int number;
    if (parse_signal(name, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, "batchctl submit --checkpoint-signal USR1 -- COMMAND",
                        "--checkpoint-signal: %s", err.text);
    json_put_text(submission->request, "checkpoint_signal", name);
    return 0;
}

/* One more of those that may be given several times. */
static int take_one_more(struct submission *submission, const char *field, const char *value)
{
    json_t *all = json_object_get(submission->request, field);
    if (all == NULL) {
        all = json_array();
        json_put(submission->request, field, all);
    }
    (void)json_array_append_new(all, json_from_bytes(value, strlen(value)));
    return 0;
}

static int take_options(json_t *request, const char *name, const char *value)
{
    return limit_options_have(name) ? limit_options_take(request, name, value)
                                    : retry_options_take(request, name, value);
}

/* Those that stand in the request or the order as they are. */
static int take_as_it_is(struct submission *submission, const char *name, const char *value)
{
    if (strcmp(name, "shell") == 0)
        submission->shell = value;
    else if (strcmp(name, "max-fails") == 0)
        json_put_text(submission->request, "max_fails", value);
    else if (strcmp(name, "hold") == 0)
        json_put(submission->request, "hold", json_true());
    else if (strcmp(name, "wait") == 0)
        submission->wait = true;
    else if (strcmp(name, "follow") == 0)
        submission->follow = true;
    else if (strcmp(name, "test") == 0)
        submission->test = true;
    else
        json_put(submission->request, "rerun_if_lost",
                 json_boolean(strcmp(name, "rerun-if-lost") == 0));
    return 0;
}

int submission_take(void *arg, const char *name, const char *value)
{
    struct submission *submission = arg;
    static const char *const plain[] = {"name", "queue", "priority", "key",
                                        "type", "stdin", "array",    "unique"};
    if (words_find(plain, sizeof(plain) / sizeof(plain[0]), name) >= 0) {
        json_put_text(submission->request, name, value);
        return 0;
    }
    if (strcmp(name, "memory") == 0 || strcmp(name, "disk") == 0 ||
        strcmp(name, "gpu-memory") == 0 || strcmp(name, "timeout") == 0 ||
        strcmp(name, "estimate") == 0)
        return take_size_or_span(submission, name, value);
    if (strcmp(name, "cpus") == 0 || strcmp(name, "gpus") == 0 || strcmp(name, "max-attempts") == 0)
        return take_count(submission, name, value);
    if (strcmp(name, "timeout-signal") == 0)
        return take_warning(submission, value);
    if (limit_options_have(name) || retry_options_have(name))
        return take_options(submission->request, name, value);
    if (strcmp(name, "resource") == 0)
        return take_resource(submission, value);
    if (strcmp(name, "output") == 0 || strcmp(name, "check") == 0)
        return take_one_more(submission, name[0] == 'o' ? "outputs" : "checks", value);
    if (strcmp(name, "env") == 0)
        return environment_take(submission->env, value);
    if (strcmp(name, "env-policy") == 0)
        return take_policy(submission, value);
    if (strcmp(name, "tag") == 0)
        return pair_take(submission->tags, name, value);
    if (params_option(name))
        return params_take(&submission->params, submission->cli, name, value);
    if (strcmp(name, "each-line") == 0 || strcmp(name, "each-json") == 0)
        return take_values(submission, name, value);
    if (strcmp(name, "checkpoint-signal") == 0)
        return take_checkpoint_signal(submission, value);
    if (strcmp(name, "chdir") == 0)
        return take_chdir(submission, value);
    if (strcmp(name, "begin") == 0 || strcmp(name, "deadline") == 0)
        return take_time(submission, name, value);
    if (strcmp(name, "depends") == 0)
        return take_depends(submission, value);
    return take_as_it_is(submission, name, value);
}

/* One of those that it has from then on. */
static int take_tag(json_t *request, const char *value)
{
    json_t *tags = json_object_get(request, "tags");
    if (tags == NULL) {
        tags = json_object();
        json_put(request, "tags", tags);
    }
    return pair_take(tags, "tag", value);
}

int submission_take_change(struct submission *submission, const char *name, const char *value)
{
    static const char *const numbers[] = {"begin", "deadline", "nice", "pids"};
    if (strcmp(name, "tag") == 0 && strcmp(value, "none") != 0)
        return take_tag(submission->request, value);
    if (strcmp(value, "none") != 0)
        return submission_take(submission, name, value);
    if (words_find(numbers, sizeof(numbers) / sizeof(numbers[0]), name) >= 0)
        json_put_int(submission->request, name, 0);
    else if (strcmp(name, "timeout") == 0 || strcmp(name, "estimate") == 0)
        json_put_int(submission->request, name[0] == 't' ? "timeout_ms" : "estimate_ms", 0);
    else if (strcmp(name, "tag") == 0)
        json_put(submission->request, "tags", json_object());
    else if (strcmp(name, "stdin") == 0)
        json_put_text(submission->request, "stdin", "");
    else if (strcmp(name, "checkpoint-signal") == 0)
        json_put_text(submission->request, "checkpoint_signal", "");
    else if (strcmp(name, "depends") == 0)
        json_put_text(submission->request, "depends", "");
    else if (strcmp(name, "timeout-signal") == 0)
        json_put_text(submission->request, "timeout_signal", "");
    else
        return submission_take(submission, name, value);
    return 0;
}

/* Exactly one of a command, --shell and --type. */
int submission_add_command(struct submission *submission, int argc, char **argv)
{
    bool typed = json_object_get(submission->request, "type") != NULL;
    if (typed && argc > 0 && strchr(argv[0], '=') != NULL)
        return cli_fail(EXIT_USAGE, NULL,
                        "\"%s\" is in the place of a command; a parameter is --param %s", argv[0],
                        argv[0]);
    const char *option = params_given_by(&submission->params);
    if (!typed && option != NULL)
        return cli_fail(EXIT_USAGE, "batchctl processors list", "--%s goes with --type", option);
    if ((argc > 0) + (submission->shell != NULL) + typed != 1)
        return cli_fail(EXIT_USAGE, submission->cli->verb->example,
                        "give exactly one of a command, --shell and --type");
    if (typed)
        return params_add(&submission->params, submission->cli, submission->request);
    json_t *words = submission->shell != NULL ? json_pack("[ss]", "/bin/sh", "-c") : json_array();
    if (submission->shell != NULL)
        (void)json_array_append_new(words,
                                    json_from_bytes(submission->shell, strlen(submission->shell)));
    for (int i = 0; i < argc; i++)
        (void)json_array_append_new(words, json_from_bytes(argv[i], strlen(argv[i])));
    json_put(submission->request, "argv", words);
    return 0;
}

void submission_put_key(json_t *request)
{
    unsigned char random[KEY_RANDOM_BYTES];
    char key[8 + 12 + 2 * KEY_RANDOM_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return;
    int used = snprintf(key, sizeof(key), "auto-%012llx",
                        (unsigned long long)(clock_wall_us() / US_PER_MS));
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(key + used + 2 * i, 3, "%02x", random[i]);
    json_put_text(request, "key", key);
}

static int add_folder(json_t *request)
{
    if (json_object_get(request, "cwd") != NULL)
        return 0;
    CLEANUP_FREE char *here = getcwd(NULL, 0);
    if (here == NULL)
        return cli_fail(EXIT_REFUSED, "batchctl submit --chdir DIR ...",
                        "the current folder cannot be told: %s", strerrordesc_np(errno));
    json_put_text(request, "cwd", here);
    return 0;
}

int submission_add_rest(struct submission *submission)
{
    json_t *request = submission->request;
    int code = add_folder(request);
    if (code != 0)
        return code;
    mode_t mask = umask(0);
    (void)umask(mask);
    json_put_int(request, "umask", mask);
    environment_add(submission->env, submission->env_policy);
    json_put(request, "env", json_incref(submission->env));
    json_put(request, "tags", json_incref(submission->tags));
    return 0;
}
