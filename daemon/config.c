#include "daemon/config.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/suggest.h"
#include "common/toml.h"
#include "daemon/core/admission.h"
#include "daemon/core/retry_rule.h"
#include "daemon/core/volume.h"
#include "daemon/web/peer.h"

#include <fcntl.h>
#include <glob.h>
#include <string.h>

#define FILE_BYTES_MAX (1U << 20)
#define KEYS_MAX 128U

/* One load: where problems go. */
struct loading {
    struct config *config;
    const char *file;
    config_problem_fn each;
    void *arg;
    struct error *first;
    bool failed;
    char unknown[80]; /* a table that was refused: its keys are not told of one by one */
};

static void problem(struct loading *loading, const struct error *err)
{
    if (!loading->failed && loading->first != NULL)
        *loading->first = *err;
    loading->failed = true;
    if (loading->each != NULL)
        loading->each(loading->arg, err);
}

static void *field(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static void set_number(struct config *config, const struct config_key *key, uint64_t number)
{
    if (key->type == CONFIG_INTEGER32 || key->type == CONFIG_COUNT_OR_AUTO)
        *(uint32_t *)field(config, key) = (uint32_t)number;
    else
        *(uint64_t *)field(config, key) = number;
}

static bool is_one_of(const char *word, const char *words)
{
    size_t length = strlen(word);
    for (const char *at = words; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return length > 0;
    }
    return false;
}

static bool is_text(const struct config_key *key)
{
    return key->type == CONFIG_WORD || key->type == CONFIG_BACKOFF ||
           key->type == CONFIG_RETRY_ON || key->type == CONFIG_MARKS ||
           key->type == CONFIG_FALLING_MARKS || key->type == CONFIG_DISK_MARKS ||
           key->type == CONFIG_INODE_MARKS || key->type == CONFIG_LOOPBACK;
}

static int set_word(struct config *config, const struct config_key *key,
                    const struct toml_value *value, struct error *err)
{
    char **target = field(config, key);
    if (value->kind != TOML_STRING)
        return error_set(err, ERROR_INVALID, "%s must be a string", key->name);
    struct retry_rule rule = {.max_attempts = 0};
    struct admission_marks marks;
    struct volume_marks room;
    if ((key->type == CONFIG_LOOPBACK && value->string[0] != '\0' &&
         peer_check_loopback(value->string, err) < 0) ||
        (key->type == CONFIG_BACKOFF &&
         retry_backoff_parse(value->string, &rule.backoff, err) < 0) ||
        (key->type == CONFIG_RETRY_ON && retry_on_parse(value->string, &rule, err) < 0) ||
        (key->type == CONFIG_MARKS &&
         admission_marks_parse(value->string, false, &marks, err) < 0) ||
        (key->type == CONFIG_FALLING_MARKS &&
         admission_marks_parse(value->string, true, &marks, err) < 0) ||
        (key->type == CONFIG_DISK_MARKS &&
         volume_marks_parse(value->string, VOLUME_DISK, &room, err) < 0) ||
        (key->type == CONFIG_INODE_MARKS &&
         volume_marks_parse(value->string, VOLUME_INODES, &room, err) < 0))
        return error_wrap(err, "%s", key->name);
    if (key->words != NULL && !is_one_of(value->string, key->words))
        return error_set(err, ERROR_INVALID, "%s = \"%.40s\" must be one of: %s", key->name,
                         value->string, key->words);
    free(*target);
    *target = xstrdup(value->string);
    return 0;
}

/* A number, or a text with a unit for spans and sizes. */
static int read_number(const struct config_key *key, const struct toml_value *value, uint64_t *ret,
                       struct error *err)
{
    if (value->kind == TOML_INTEGER && value->integer >= 0) {
        *ret = (uint64_t)value->integer * (key->type == CONFIG_SPAN ? 1000 : 1);
        return 0;
    }
    if (value->kind == TOML_STRING && key->type == CONFIG_SPAN)
        return parse_span_ms(value->string, ret, err);
    if (value->kind == TOML_STRING && key->type == CONFIG_SIZE)
        return parse_size(value->string, ret, err);
    return error_set(err, ERROR_INVALID, "it must be a %s",
                     key->type == CONFIG_SPAN            ? "time span such as \"90s\""
                     : key->type == CONFIG_SIZE          ? "size such as \"64M\""
                     : key->type == CONFIG_COUNT_OR_AUTO ? "whole number, or \"auto\""
                                                         : "whole number that is not negative");
}

static void format_limit(const struct config_key *key, uint64_t number, char *ret, size_t bytes)
{
    if (key->type == CONFIG_SPAN)
        format_span(number, ret, bytes);
    else if (key->type == CONFIG_SIZE)
        format_size(number, ret, bytes);
    else
        (void)snprintf(ret, bytes, "%llu", (unsigned long long)number);
}

static int check_range(const struct config_key *key, const char *name, uint64_t number,
                       struct error *err)
{
    char given[32], low[32], high[32];
    if (number >= key->min && number <= key->max)
        return 0;
    format_limit(key, number, given, sizeof(given));
    format_limit(key, key->min, low, sizeof(low));
    format_limit(key, key->max, high, sizeof(high));
    return error_set(err, ERROR_INVALID, "%s is %s; it must be from %s to %s", name, given, low,
                     high);
}

/* The key's last word is the counter's name. */
static int set_counter(struct config *config, const struct config_key *key,
                       const struct toml_value *value, struct error *err)
{
    const char *name = strrchr(value->key, '.') + 1;
    uint64_t number = 0;
    if (resource_name_check(name, err) < 0 || read_number(key, value, &number, err) < 0)
        return error_wrap(err, "%.80s", value->key);
    if (check_range(key, value->key, number, err) < 0)
        return -1;
    int kind = resource_names_add(&config->counters, name);
    if (kind < 0)
        return error_set(err, ERROR_INVALID,
                         "%.80s is one counter too many: at most %u are counted", value->key,
                         RESOURCE_COUNTERS_MAX);
    config->counter_amounts[kind - RESOURCE_COUNTER] = number;
    return 0;
}

static int set_boolean(struct config *config, const struct config_key *key,
                       const struct toml_value *value, struct error *err)
{
    if (value->kind != TOML_BOOLEAN)
        return error_set(err, ERROR_INVALID, "%s must be true or false", key->name);
    *(bool *)field(config, key) = value->boolean;
    return 0;
}

static int set_value(struct config *config, const struct config_key *key,
                     const struct toml_value *value, struct error *err)
{
    uint64_t number = CONFIG_AUTO;
    bool automatic = key->type == CONFIG_COUNT_OR_AUTO && value->kind == TOML_STRING &&
                     strcmp(value->string, "auto") == 0;
    if (is_text(key))
        return set_word(config, key, value, err);
    if (key->type == CONFIG_BOOLEAN)
        return set_boolean(config, key, value, err);
    if (key->type == CONFIG_COUNTER)
        return set_counter(config, key, value, err);
    if (!automatic && read_number(key, value, &number, err) < 0)
        return error_wrap(err, "%s", key->name);
    if (!automatic && check_range(key, key->name, number, err) < 0)
        return -1;
    set_number(config, key, number);
    return 0;
}

/* Whether this is its row; that of all other names of a table stands behind those with a name. */
static bool is_row_of(const struct config_key *key, const char *name)
{
    size_t table = (size_t)(strrchr(key->name, '.') - key->name);
    if (key->type != CONFIG_COUNTER)
        return strcmp(key->name, name) == 0;
    return strncmp(key->name, name, table + 1) == 0 && strchr(name + table + 1, '.') == NULL;
}

static const struct config_key *find_key(const char *name)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (is_row_of(key, name))
            return key;
    }
    return NULL;
}

static bool is_below(const char *name, const char *table)
{
    size_t length = strlen(table);
    return length > 0 && strncmp(name, table, length) == 0 && name[length] == '.';
}

static bool is_table(const char *name)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (is_below(key->name, name))
            return true;
    }
    return false;
}

/* The known name nearest to a wrong one: of a table, or of a key. NULL when none is near. */
static const char *nearest(const struct toml_value *value, char *buffer, size_t bytes)
{
    const char *names[KEYS_MAX] = {NULL};
    size_t count = 0;
    size_t used = 0;
    for (const struct config_key *key = config_keys; key->name != NULL && count < KEYS_MAX - 1;
         key++) {
        size_t length = strcspn(key->name, ".");
        if (value->kind != TOML_TABLE) {
            names[count++] = key->name;
        } else if ((count == 0 || !is_below(key->name, names[count - 1])) &&
                   used + length < bytes) {
            names[count++] = memcpy(buffer + used, key->name, length);
            buffer[used + length] = '\0';
            used += length + 1;
        }
    }
    return suggest_word(value->key, names);
}

static int refuse_unknown(const struct toml_value *value, struct error *err)
{
    char tables[256];
    const char *what = value->kind == TOML_TABLE ? "table" : "key";
    if (is_table(value->key))
        return error_set(err, ERROR_INVALID, "%.80s is a table: write [%.80s]", value->key,
                         value->key);
    const char *near = nearest(value, tables, sizeof(tables));
    return error_set(err, ERROR_INVALID, "unknown %s \"%.80s\"%s%s%s", what, value->key,
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
}

static int take_value(void *arg, const struct toml_value *value)
{
    struct loading *loading = arg;
    struct error err;
    int taken = config_names_take(&loading->config->named, value, &err);
    const struct config_key *key = value->kind == TOML_TABLE ? NULL : find_key(value->key);
    if (taken > 0)
        return 0;
    if ((value->kind == TOML_TABLE && is_table(value->key)) ||
        is_below(value->key, loading->unknown))
        return 0;
    int result = -1;
    if (taken == 0)
        result = key == NULL ? refuse_unknown(value, &err)
                             : set_value(loading->config, key, value, &err);
    if (result == 0)
        return 0;
    bool by_key = taken == 0 ? key == NULL : err.code == ERROR_NOT_FOUND;
    err.code = ERROR_INVALID; /* whatever it is, the configuration is wrong */
    if (taken == 0 && key == NULL && value->kind == TOML_TABLE)
        (void)snprintf(loading->unknown, sizeof(loading->unknown), "%s", value->key);
    (void)error_wrap(&err, "%s:%u:%u", loading->file, by_key ? value->key_line : value->line,
                     by_key ? value->key_column : value->column);
    problem(loading, &err);
    return 0;
}

static void load_file(struct loading *loading, const char *path, bool required)
{
    struct toml_error wrong;
    struct error err;
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
    loading->file = path;
    if (text == NULL) {
        if (!required && errno == ENOENT)
            return;
        bool lasting = errno == ENOENT || errno == EACCES || errno == EISDIR || errno == EFBIG;
        (void)error_set(&err, lasting ? ERROR_INVALID : ERROR_IO, "%s: %s", path,
                        strerrordesc_np(errno));
        problem(loading, &err);
    } else if (toml_each(text, bytes, take_value, loading, &wrong) < 0) {
        (void)error_set(&err, ERROR_INVALID, "%s:%u:%u: %s", path, wrong.line, wrong.column,
                        wrong.text);
        problem(loading, &err);
    }
}

static void load_drop_ins(struct loading *loading, const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *pattern = slash == NULL
                                     ? xstrdup("conf.d/*.toml")
                                     : xasprintf("%.*s/conf.d/*.toml", (int)(slash - path), path);
    glob_t found = {0};
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            load_file(loading, found.gl_pathv[i], true);
    }
    globfree(&found);
}

/* The defaults are read by the same code as a file: the table is the only place that has them. */
void config_defaults(struct config *ret)
{
    *ret = (struct config){0};
    config_names_defaults(&ret->named);
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        struct toml_value value = {.key = key->name};
        struct error err;
        if (key->type == CONFIG_COUNTER)
            continue; /* there is none */
        CLEANUP_FREE char *text = xstrdup(key->fallback);
        if (text[0] == '"') {
            text[strlen(text) - 1] = '\0';
            value.kind = TOML_STRING;
            value.string = text + 1;
        } else if (key->type == CONFIG_BOOLEAN) {
            value.kind = TOML_BOOLEAN;
            value.boolean = strcmp(text, "true") == 0;
        } else {
            value.kind = TOML_INTEGER;
            value.integer = (int64_t)strtoull(text, NULL, 10);
        }
        if (set_value(ret, key, &value, &err) < 0)
            abort(); /* a default outside its own range: tests/unit/test_config.c */
    }
}

void config_done(struct config *config)
{
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        if (is_text(key))
            free(*(char **)field(config, key));
    }
    config_names_done(&config->named);
    *config = (struct config){0};
}

int config_load(const char *path, bool required, config_problem_fn each, void *arg,
                struct config *ret, struct error *err)
{
    struct config config;
    config_defaults(&config);
    struct loading loading = {.config = &config, .each = each, .arg = arg, .first = err};
    if (path != NULL) {
        load_file(&loading, path, required);
        load_drop_ins(&loading, path);
    }
    struct error wrong;
    if (config.workers_max > 0 && config.workers_min > config.workers_max) {
        (void)error_set(&wrong, ERROR_INVALID,
                        "workers.min is %u; it must not exceed workers.max, %u", config.workers_min,
                        config.workers_max);
        problem(&loading, &wrong);
    }
    if (config.breakers_minimum > config.breakers_window) {
        (void)error_set(&wrong, ERROR_INVALID,
                        "breakers.minimum is %u; it must not exceed breakers.window, %u",
                        config.breakers_minimum, config.breakers_window);
        problem(&loading, &wrong);
    }
    if (config.breakers_open_ms > config.breakers_open_max_ms) {
        (void)error_set(&wrong, ERROR_INVALID,
                        "breakers.open is longer than breakers.open_max; it must not be");
        problem(&loading, &wrong);
    }
    if (loading.failed) {
        config_done(&config);
        return -1;
    }
    *ret = config;
    return 0;
}

/* NAME = VALUE and the end of the line. */
static void print_value(FILE *file, const struct config *config, const struct config_key *key)
{
    const char *at = (const char *)config + key->offset;
    (void)fprintf(file, "%s = ", strrchr(key->name, '.') + 1);
    switch (key->type) {
    case CONFIG_WORD:
    case CONFIG_BACKOFF:
    case CONFIG_RETRY_ON:
    case CONFIG_LOOPBACK:
    case CONFIG_MARKS:
    case CONFIG_FALLING_MARKS:
    case CONFIG_DISK_MARKS:
    case CONFIG_INODE_MARKS:
        (void)fprintf(file, "\"%s\"", *(char *const *)(const void *)at);
        break;
    case CONFIG_BOOLEAN:
        (void)fputs(*(const bool *)(const void *)at ? "true" : "false", file);
        break;
    case CONFIG_INTEGER32:
        (void)fprintf(file, "%u", *(const uint32_t *)(const void *)at);
        break;
    case CONFIG_INTEGER64:
    case CONFIG_SIZE:
        (void)fprintf(file, "%llu", (unsigned long long)*(const uint64_t *)(const void *)at);
        break;
    case CONFIG_SPAN:
        (void)fprintf(file, "\"%llums\"", (unsigned long long)*(const uint64_t *)(const void *)at);
        break;
    case CONFIG_COUNT_OR_AUTO:
        if (*(const uint32_t *)(const void *)at == CONFIG_AUTO)
            (void)fputs("\"auto\"", file);
        else
            (void)fprintf(file, "%u", *(const uint32_t *)(const void *)at);
        break;
    case CONFIG_COUNTER:
        break;
    }
    (void)fputc('\n', file);
}

static void print_counters(FILE *file, const struct config *config)
{
    for (unsigned i = 0; i < config->counters.count; i++)
        (void)fprintf(file, "%s = %llu\n", config->counters.counters[i],
                      (unsigned long long)config->counter_amounts[i]);
}

/* What a file may say in the place of the row; of a row of all other names an instance. */
static void print_example(FILE *file, const struct config_key *key)
{
    if (key->type == CONFIG_COUNTER)
        (void)fprintf(file, "\n# %s\n# licence = %s\n", key->help, key->fallback);
    else
        (void)fprintf(file, "\n# %s\n#%s = %s\n", key->help, strrchr(key->name, '.') + 1,
                      key->fallback);
}

void config_print(FILE *file, const struct config *config, bool example)
{
    const char *table = "";
    if (example)
        (void)fputs(
            "# batchd's settings, each at its default: see batchd.toml(5).\n"
            "# Made from the table in daemon/config_table.c by batchd --print-config=example.\n",
            file);
    for (const struct config_key *key = config_keys; key->name != NULL; key++) {
        const char *dot = strrchr(key->name, '.');
        size_t length = (size_t)(dot - key->name);
        if (strncmp(table, key->name, length + 1) != 0)
            (void)fprintf(file, "%s[%.*s]\n", key == config_keys && !example ? "" : "\n",
                          (int)length, key->name);
        table = key->name;
        if (example)
            print_example(file, key);
        else if (key->type == CONFIG_COUNTER)
            print_counters(file, config);
        else
            print_value(file, config, key);
    }
    config_names_print(file, &config->named, example);
}
