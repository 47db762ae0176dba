#include "daemon/config_names.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/suggest.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_KEYS_MAX 32U
#define SHARES_MAX 1e6

static struct queue_config *queue_named(struct config_names *names, const char *name)
{
    for (size_t i = 0; i < names->queue_count; i++) {
        if (strcmp(names->queues[i].name, name) == 0)
            return &names->queues[i];
    }
    names->queues = xreallocarray(names->queues, names->queue_count + 1, sizeof(*names->queues));
    struct queue_config *queue = &names->queues[names->queue_count++];
    queue->name = xstrdup(name);
    queue_settings_defaults(&queue->settings);
    return queue;
}

void config_names_defaults(struct config_names *ret)
{
    (void)queue_named(ret, QUEUE_DEFAULT);
}

void config_names_done(struct config_names *names)
{
    for (size_t i = 0; i < names->queue_count; i++)
        free(names->queues[i].name);
    for (size_t i = 0; i < names->share_count; i++)
        free(names->shares[i].user);
    for (size_t i = 0; i < names->retry_type_count; i++)
        free(names->retry_types[i].type);
    free(names->queues);
    free(names->shares);
    free(names->retry_types);
}

/* ---- read ---- */

static int refuse_key(const struct toml_value *value, const char *name, struct error *err)
{
    const char *known[QUEUE_KEYS_MAX] = {NULL};
    for (size_t i = 0; queue_keys[i].name != NULL && i < QUEUE_KEYS_MAX - 1; i++)
        known[i] = queue_keys[i].name;
    const char *near = suggest_word(name, known);
    return error_set(err, ERROR_NOT_FOUND, "unknown key \"%.80s\"%s%s%s", value->key,
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
}

static int set_key(struct queue_config *queue, const struct queue_key *key,
                   const struct toml_value *value, struct error *err)
{
    if (value->kind == TOML_STRING && key->kind != QUEUE_KEY_COUNT)
        return queue_settings_set(&queue->settings, key, value->string, err);
    if (value->kind != TOML_INTEGER || queue_key_is_text(key))
        return error_set(err, ERROR_INVALID, "%s must be a %s", key->name,
                         queue_key_is_text(key)        ? "string"
                         : key->kind == QUEUE_KEY_SPAN ? "time span such as \"90s\""
                                                       : "whole number");
    int64_t scale = key->kind == QUEUE_KEY_SPAN ? 1000 : 1;
    if (value->integer > INT64_MAX / 1000 || value->integer < INT64_MIN / 1000)
        return error_set(err, ERROR_INVALID, "%s is too large a number", key->name);
    return queue_settings_set_number(&queue->settings, key, value->integer * scale, err);
}

/* "NAME" as a table, or "NAME.KEY"; a name may have dots, a key has none. */
static int take_queue(struct config_names *names, const char *rest, const struct toml_value *value,
                      struct error *err)
{
    const char *dot = strrchr(rest, '.');
    bool table = value->kind == TOML_TABLE;
    if (!table && dot == NULL)
        return error_set(err, ERROR_INVALID, "queues.%.60s must be a table", rest);
    CLEANUP_FREE char *name =
        xasprintf("%.*s", table ? (int)strlen(rest) : (int)(dot - rest), rest);
    if (queue_name_check(name, err) < 0)
        return -1;
    struct queue_config *queue = queue_named(names, name);
    if (table)
        return 1;
    const struct queue_key *key = queue_key_find(dot + 1);
    if (key == NULL)
        return refuse_key(value, dot + 1, err);
    return set_key(queue, key, value, err) < 0 ? error_wrap(err, "queues.%s", name) : 1;
}

/* What is called `retry_on` of a queue is `on` in [retry]. */
static const struct {
    const char *name, *of_queue;
} retry_keys[] = {{"max_attempts", "max_attempts"},
                  {"backoff", "backoff"},
                  {"jitter", "jitter"},
                  {"on", "retry_on"}};
#define RETRY_KEYS (sizeof(retry_keys) / sizeof(retry_keys[0]))

static struct retry_rule *rule_of_type(struct config_names *names, const char *type)
{
    for (size_t i = 0; i < names->retry_type_count; i++) {
        if (strcmp(names->retry_types[i].type, type) == 0)
            return &names->retry_types[i].rule;
    }
    names->retry_types =
        xreallocarray(names->retry_types, names->retry_type_count + 1, sizeof(*names->retry_types));
    struct retry_of_type *fresh = &names->retry_types[names->retry_type_count++];
    *fresh = (struct retry_of_type){.type = xstrdup(type)};
    return &fresh->rule;
}

/* "NAME" as a table, or "NAME.KEY". */
static int take_type(struct config_names *names, const char *rest, const struct toml_value *value,
                     struct error *err)
{
    const char *dot = strrchr(rest, '.');
    size_t i = 0;
    if (value->kind == TOML_TABLE) {
        (void)rule_of_type(names, rest);
        return 1;
    }
    if (dot == NULL)
        return error_set(err, ERROR_INVALID, "retry.types.%.60s must be a table", rest);
    while (i < RETRY_KEYS && strcmp(retry_keys[i].name, dot + 1) != 0)
        i++;
    if (i == RETRY_KEYS)
        return error_set(err, ERROR_NOT_FOUND,
                         "unknown key \"%.80s\"; it must be max_attempts, backoff, jitter or on",
                         value->key);
    CLEANUP_FREE char *type = xasprintf("%.*s", (int)(dot - rest), rest);
    if (strcmp(dot + 1, "max_attempts") == 0 && value->kind == TOML_INTEGER && value->integer == 0)
        return error_set(err, ERROR_INVALID,
                         "retry.types.%s: max_attempts 0 must be from 1 to %u; what is left out is "
                         "as the configuration says",
                         type, RETRY_ATTEMPTS_MAX);
    struct retry_rule *rule = rule_of_type(names, type);
    struct queue_config queue = {.settings = {.retry = *rule}};
    if (set_key(&queue, queue_key_find(retry_keys[i].of_queue), value, err) < 0)
        return error_wrap(err, "retry.types.%s", type);
    *rule = queue.settings.retry;
    return 1;
}

static int take_shares(struct config_names *names, const char *user, const struct toml_value *value,
                       struct error *err)
{
    double shares = value->kind == TOML_INTEGER ? (double)value->integer : value->real;
    bool number = value->kind == TOML_INTEGER || value->kind == TOML_REAL;
    if (!number || !(shares > 0 && shares <= SHARES_MAX))
        return error_set(err, ERROR_INVALID, "%.100s must be a number above 0, at most %.0f",
                         value->key, SHARES_MAX);
    names->shares = xreallocarray(names->shares, names->share_count + 1, sizeof(*names->shares));
    names->shares[names->share_count++] =
        (struct config_shares){.user = xstrdup(user), .shares = shares};
    return 1;
}

int config_names_take(struct config_names *names, const struct toml_value *value, struct error *err)
{
    static const char queues[] = "queues.", shares[] = "fair_share.shares.",
                      types[] = "retry.types.";
    bool table = value->kind == TOML_TABLE;
    if (table && (strcmp(value->key, "queues") == 0 || strcmp(value->key, "retry.types") == 0 ||
                  strcmp(value->key, "fair_share.shares") == 0))
        return 1;
    if (strncmp(value->key, types, sizeof(types) - 1) == 0)
        return take_type(names, value->key + sizeof(types) - 1, value, err);
    if (strncmp(value->key, queues, sizeof(queues) - 1) == 0)
        return take_queue(names, value->key + sizeof(queues) - 1, value, err);
    if (strncmp(value->key, shares, sizeof(shares) - 1) == 0)
        return take_shares(names, value->key + sizeof(shares) - 1, value, err);
    return 0;
}

/* ---- print ---- */

static void print_queue(FILE *file, const struct queue_config *queue, bool example)
{
    (void)fprintf(file, "\n[queues.%s]\n", queue->name);
    for (const struct queue_key *key = queue_keys; key->name != NULL; key++) {
        char text[QUEUE_TEXT_MAX];
        queue_settings_text(&queue->settings, key, text);
        bool bare = key->kind == QUEUE_KEY_COUNT || strcmp(text, "0") == 0;
        if (example)
            (void)fprintf(file, "\n# %s\n#", key->help);
        (void)fprintf(file, "%s = %s%s%s\n", key->name, bare ? "" : "\"", text, bare ? "" : "\"");
    }
}

static void print_type(FILE *file, const struct retry_of_type *type)
{
    const struct queue_settings settings = {.retry = type->rule};
    (void)fprintf(file, "\n[retry.types.%s]\n", type->type);
    for (size_t i = 0; i < RETRY_KEYS; i++) {
        const struct queue_key *key = queue_key_find(retry_keys[i].of_queue);
        const char *quote = queue_key_is_text(key) ? "\"" : "";
        char text[QUEUE_TEXT_MAX];
        queue_settings_text(&settings, key, text);
        if (strcmp(text, "0") != 0) /* else it is not said */
            (void)fprintf(file, "%s = %s%s%s\n", retry_keys[i].name, quote, text, quote);
    }
}

void config_names_print(FILE *file, const struct config_names *names, bool example)
{
    if (example)
        (void)fputs(
            "\n# The same for jobs of one type, where their queue does not say it; each key "
            "may be left out.\n# [retry.types.video]\n# max_attempts = 5\n"
            "# backoff = \"1m\"\n# jitter = \"full\"\n# on = \"exit:75,signal\"\n",
            file);
    for (size_t i = 0; i < names->retry_type_count; i++)
        print_type(file, &names->retry_types[i]);
    if (example)
        (void)fputs(
            "\n# Users and what they are due: alice = 2 gives alice twice what others get.\n"
            "[fair_share.shares]\n\n"
            "# Queues: \"default\" is always there; others have the same keys.\n",
            file);
    else if (names->share_count > 0)
        (void)fputs("\n[fair_share.shares]\n", file);
    for (size_t i = 0; i < names->share_count; i++)
        (void)fprintf(file, "\"%s\" = %g\n", names->shares[i].user, names->shares[i].shares);
    for (size_t i = 0; i < names->queue_count; i++)
        print_queue(file, &names->queues[i], example);
}
