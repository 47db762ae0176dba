/* batchctl submit: builds the request, makes a key of its own so that a repeated send is safe. */
#include "client/submission.h"
#include "client/values_submit.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* A NAME of the caller's environment that may hold a secret is sent only when it is named. */
static bool is_secret(const char *name)
{
    static const char *const marks[] = {"TOKEN", "SECRET", "PASSWORD"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strcasestr(name, marks[i]) != NULL)
            return true;
    }
    return length >= 4 && strcasecmp(name + length - 4, "_KEY") == 0;
}

static bool is_clean(const char *name)
{
    static const char *const names[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return strncmp(name, "LC_", 3) == 0;
}

static bool is_name(const char *name)
{
    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] ==
               '\0' &&
           name[0] != '\0' && strspn(name, "0123456789") == 0;
}

/* Our account, when the environment is somebody else's (runuser, su -p, sudo -E): HOME, USER,
 * LOGNAME and SHELL are then the account's, or the job would work in another person's home. NULL:
 * it is ours. */
static const struct passwd *account_of_foreign_environment(void)
{
    const char *name = getenv("LOGNAME");
    const char *user = getenv("USER");
    const struct passwd *account = getpwuid(getuid());
    bool ours = account == NULL || ((name == NULL || strcmp(name, account->pw_name) == 0) &&
                                    (user == NULL || strcmp(user, account->pw_name) == 0));
    return ours ? NULL : account;
}

static void put_default(json_t *env, const char *name, const char *value)
{
    if (json_object_get(env, name) == NULL)
        json_put_text(env, name, value);
}

static void add_environment(struct submission *submission)
{
    bool all = strcmp(submission->env_policy, "all") == 0;
    const struct passwd *account = account_of_foreign_environment();
    if (account != NULL && strcmp(submission->env_policy, "clean") == 0) {
        put_default(submission->env, "HOME", account->pw_dir);
        put_default(submission->env, "USER", account->pw_name);
        put_default(submission->env, "LOGNAME", account->pw_name);
        put_default(submission->env, "SHELL",
                    account->pw_shell[0] == '\0' ? "/bin/sh" : account->pw_shell);
    }
    for (char **entry = environ; *entry != NULL && strcmp(submission->env_policy, "none") != 0;
         entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals == NULL)
            continue;
        CLEANUP_FREE char *name = xmemdup(*entry, (size_t)(equals - *entry));
        if (is_name(name) && (is_clean(name) || (all && !is_secret(name))))
            put_default(submission->env, name, equals + 1);
    }
}

/* NAME=VALUE, or NAME alone for the caller's own value. */
static int take_env(struct submission *submission, const char *text)
{
    const char *equals = strchrnul(text, '=');
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(equals - text));
    const char *value = *equals == '=' ? equals + 1 : getenv(name);
    if (value == NULL)
        return cli_fail(EXIT_USAGE, NULL, "--env %s: it is not set here", name);
    json_put_text(submission->env, name, value);
    return 0;
}

static int take_pair(json_t *object, const char *option, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return cli_fail(EXIT_USAGE, NULL, "--%s \"%s\" must be NAME=VALUE", option, text);
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(equals - text));
    json_t *value = json_from_bytes(equals + 1, strlen(equals + 1));
    if (json_object_set_new(object, name, value) < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: the name in \"%s\" must be UTF-8", option, text);
    return 0;
}

/* The value as its type in the manifest wants it; what does not read so is sent as text, and the
 * daemon says what is wrong with it. */
static json_t *typed_value(const char *type, const char *text)
{
    bool plain = strcmp(type, "string") == 0 || strcmp(type, "path") == 0 ||
                 (strcmp(type, "paths") == 0 && text[0] != '[');
    json_t *value = plain ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        value = json_from_bytes(text, strlen(text));
    return value;
}

/* The parameters were taken as texts: `output=42` is a path and `crf=42` a number. */
static int type_params(struct submission *submission)
{
    int code = 0;
    size_t i;
    json_t *param;
    json_t *type = json_object_get(submission->request, "type");
    CLEANUP_JSON json_t *reply = cli_call_again(submission->cli, "io.batchd.Processors.Show",
                                                json_pack("{sO}", "name", type), &code);
    if (reply == NULL)
        return code;
    json_array_foreach(json_object_get(json_object_get(reply, "processor"), "params"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        const char *text = json_string_value(json_object_get(submission->params, name));
        if (text != NULL)
            json_put(submission->params, name,
                     typed_value(json_string_value(json_object_get(param, "type")), text));
    }
    json_put(submission->request, "params", json_incref(submission->params));
    return 0;
}

static int take_size_or_span(struct submission *submission, const char *name, const char *value)
{
    struct error err;
    uint64_t number = 0;
    bool size = strcmp(name, "memory") == 0 || strcmp(name, "disk") == 0;
    int result = size ? parse_size(value, &number, &err) : parse_span_ms(value, &number, &err);
    if (result < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    const char *field = strcmp(name, "timeout") == 0    ? "timeout_ms"
                        : strcmp(name, "estimate") == 0 ? "estimate_ms"
                                                        : name;
    json_put_int(submission->request, field, (int64_t)number);
    return 0;
}

static int take_count(struct submission *submission, const char *name, const char *value)
{
    struct error err;
    uint64_t number = 0;
    bool attempts = strcmp(name, "max-attempts") == 0;
    bool gpus = strcmp(name, "gpus") == 0;
    if (parse_u64(value, gpus ? 0 : 1, 1000000, &number, &err) < 0)
        return cli_fail(EXIT_USAGE, gpus ? "a GPU is given to one job as a whole" : NULL,
                        "--%s: %s", name, err.text);
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
    return 0;
}

int submission_take(struct submission *submission, const char *name, const char *value)
{
    static const char *const plain[] = {"name", "queue", "priority", "key",
                                        "type", "stdin", "array"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strcmp(name, plain[i]) == 0) {
            json_put_text(submission->request, name, value);
            return 0;
        }
    }
    if (strcmp(name, "memory") == 0 || strcmp(name, "disk") == 0 || strcmp(name, "timeout") == 0 ||
        strcmp(name, "estimate") == 0)
        return take_size_or_span(submission, name, value);
    if (strcmp(name, "cpus") == 0 || strcmp(name, "gpus") == 0 || strcmp(name, "max-attempts") == 0)
        return take_count(submission, name, value);
    if (strcmp(name, "resource") == 0)
        return take_resource(submission, value);
    if (strcmp(name, "env") == 0)
        return take_env(submission, value);
    if (strcmp(name, "env-policy") == 0)
        return take_policy(submission, value);
    if (strcmp(name, "tag") == 0)
        return take_pair(submission->tags, name, value);
    if (strcmp(name, "param") == 0)
        return take_pair(submission->params, "param", value);
    if (strcmp(name, "each-line") == 0 || strcmp(name, "each-json") == 0)
        return take_values(submission, name, value);
    if (strcmp(name, "max-fails") == 0) {
        json_put_text(submission->request, "max_fails", value);
        return 0;
    }
    if (strcmp(name, "chdir") == 0)
        return take_chdir(submission, value);
    if (strcmp(name, "begin") == 0 || strcmp(name, "deadline") == 0)
        return take_time(submission, name, value);
    if (strcmp(name, "depends") == 0)
        return take_depends(submission, value);
    if (strcmp(name, "shell") == 0)
        submission->shell = value;
    else if (strcmp(name, "hold") == 0)
        json_put(submission->request, "hold", json_true());
    else if (strcmp(name, "wait") == 0)
        submission->wait = true;
    else if (strcmp(name, "follow") == 0)
        submission->follow = true;
    else
        json_put(submission->request, "rerun_if_lost",
                 json_boolean(strcmp(name, "rerun-if-lost") == 0));
    return 0;
}

/* Exactly one of a command, --shell and --type. */
int submission_add_command(struct submission *submission, int argc, char **argv)
{
    bool typed = json_object_get(submission->request, "type") != NULL;
    if ((argc > 0) + (submission->shell != NULL) + typed != 1)
        return cli_fail(EXIT_USAGE, submission->cli->verb->example,
                        "give exactly one of a command, --shell and --type");
    if (typed)
        return type_params(submission);
    if (json_object_size(submission->params) > 0)
        return cli_fail(EXIT_USAGE, NULL, "--param goes with --type");
    json_t *words = submission->shell != NULL ? json_pack("[ss]", "/bin/sh", "-c") : json_array();
    if (submission->shell != NULL)
        (void)json_array_append_new(words,
                                    json_from_bytes(submission->shell, strlen(submission->shell)));
    for (int i = 0; i < argc; i++)
        (void)json_array_append_new(words, json_from_bytes(argv[i], strlen(argv[i])));
    json_put(submission->request, "argv", words);
    return 0;
}

void cli_put_random_key(json_t *request)
{
    unsigned char random[16];
    char key[48] = "auto-";
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return;
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(key + 5 + 2 * i, 3, "%02x", random[i]);
    json_put_text(request, "key", key);
}

void submission_add_rest(struct submission *submission)
{
    json_t *request = submission->request;
    CLEANUP_FREE char *here = getcwd(NULL, 0);
    if (json_object_get(request, "cwd") == NULL && here != NULL)
        json_put_text(request, "cwd", here);
    mode_t mask = umask(0);
    (void)umask(mask);
    json_put_int(request, "umask", mask);
    add_environment(submission);
    json_put(request, "env", json_incref(submission->env));
    json_put(request, "tags", json_incref(submission->tags));
}

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

static int submit(struct submission *submission, int argc, char **argv)
{
    struct cli *cli = submission->cli;
    const char *name;
    const char *value = NULL;
    bool failed = false;
    int operand = 1;
    int code = 0;
    while ((name = cli_next(cli, argc, argv, &value, &failed, &operand)) != NULL) {
        code = submission_take(submission, name, value);
        if (code != 0)
            return code;
    }
    if (failed)
        return EXIT_USAGE;
    code = submission_add_command(submission, argc - operand, argv + operand);
    if (code != 0)
        return code;
    if (json_object_get(submission->request, "key") == NULL)
        cli_put_random_key(submission->request);
    submission_add_rest(submission);
    CLEANUP_JSON json_t *reply = send_submit(submission, &code);
    if (reply == NULL)
        return code;
    json_int_t id = json_integer_value(json_object_get(reply, "id"));
    bool waits = submission->wait || submission->follow; /* its end has the id, too */
    if (!cli->json || !waits)
        cli_print_submitted(cli, reply);
    (void)fflush(stdout);
    return finish(submission, id);
}

struct submission submission_begin(struct cli *cli)
{
    return (struct submission){.cli = cli,
                               .request = json_object(),
                               .env = json_object(),
                               .tags = json_object(),
                               .params = json_object(),
                               .resources = json_object(),
                               .env_policy = "clean"};
}

void submission_done(struct submission *submission)
{
    json_decref(submission->request);
    json_decref(submission->env);
    json_decref(submission->tags);
    json_decref(submission->params);
    json_decref(submission->resources);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct submission submission = submission_begin(cli);
    int code = submit(&submission, argc, argv);
    submission_done(&submission);
    return code;
}

static const struct cli_option options[] = {
    {"name", 'n', "NAME", "a name (default: the program's)"},
    {"queue", 'Q', "NAME", "the queue (default: default)"},
    {"priority", 'p', "LEVEL", "urgent, high, normal, low or background (default: normal)"},
    {"cpus", 'c', "N", "processors it uses, told to it as BATCHD_CPUS (default: 1)"},
    {"memory", 'm', "SIZE", "memory it needs, told to it as BATCHD_MEMORY_BYTES"},
    {"gpus", 'g', "N", "GPUs it is given, told to it as CUDA_VISIBLE_DEVICES and BATCHD_GPUS"},
    {"disk", 0, "SIZE", "disk it needs"},
    {"resource", 'R', "NAME=N", "so much of a counter that the configuration names (licences)"},
    {"timeout", 't', "SPAN", "stop it after this running time (default: never)"},
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
    {"tag", 0, "KEY=VALUE", "a mark to find it by"},
    {"key", 0, "KEY", "the same key and job again gives the same id (default: a random one)"},
    {"max-attempts", 0, "N", "try again until it succeeds, N times in all (default: 1)"},
    {"rerun-if-lost", 0, NULL, "run it again when its worker or machine dies (the default)"},
    {"never-rerun", 0, NULL, "never run it again by itself once it may have started"},
    {"shell", 0, "TEXT", "run TEXT by /bin/sh -c"},
    {"type", 0, "TYPE", "a processor job (batchctl processors list)"},
    {"param", 0, "NAME=VALUE", "a parameter of the processor"},
    {"wait", 'w', NULL, "wait for its end and exit as it does"},
    {"follow", 'f', NULL, "show its output as it comes, then as --wait"},
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
