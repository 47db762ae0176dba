#include "client/columns.h"

#include "client/reply.h"
#include "client/table.h"
#include "client/text.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"
#include "common/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* What a cell is made from. */
enum kind {
    KIND_TEXT, /* the member `key` */
    KIND_AT,   /* a time */
    KIND_COUNT,
    KIND_REAL, /* in few digits */
    KIND_BYTES,
    KIND_SPAN_MS,
    KIND_CPU,  /* what it uses of processors; nothing when that is not known */
    KIND_USED, /* and of memory */
    KIND_PRIORITY,
    KIND_ID, /* the others are table.h's */
    KIND_TIME,
    KIND_RESULT,
    KIND_COMMAND,
    KIND_TAGS,
};

struct column {
    const char *name; /* as it heads the table; people write it in any case */
    enum kind kind;
    const char *key; /* a member of the job, or of its resources */
    bool right, cut; /* aligned to the right; cut when the terminal is too narrow */
};

/* Up to COMMAND: what -o wide has. */
static const struct column all[] = {
    {"ID", KIND_ID, "id", true, false},
    {"STATE", KIND_TEXT, "state", false, false},
    {"PRIORITY", KIND_PRIORITY, "priority", false, false},
    {"QUEUE", KIND_TEXT, "queue", false, true},
    {"USER", KIND_TEXT, "user", false, true},
    {"SUBMITTED", KIND_AT, "submitted_at", false, false},
    {"TIME", KIND_TIME, "", true, false},
    {"RESULT", KIND_RESULT, "", false, true},
    {"NAME", KIND_TEXT, "name", false, true},
    {"COMMAND", KIND_COMMAND, "", false, true},
    {"TYPE", KIND_TEXT, "type", false, false},
    {"ATTEMPT", KIND_COUNT, "attempt", true, false},
    {"WORKER", KIND_COUNT, "worker", true, false},
    {"CPUS", KIND_COUNT, "cpus", true, false},
    {"MEMORY", KIND_BYTES, "memory_bytes", true, false},
    {"GPUS", KIND_REAL, "gpus", true, false},
    {"CPU", KIND_CPU, "", true, false},
    {"USED", KIND_USED, "memory_bytes", true, false},
    {"PEAK", KIND_USED, "max_rss_bytes", true, false},
    {"DISK", KIND_BYTES, "disk_bytes", true, false},
    {"BEGIN", KIND_AT, "begin_at", false, false},
    {"STARTED", KIND_AT, "started_at", false, false},
    {"ENDED", KIND_AT, "ended_at", false, false},
    {"DEADLINE", KIND_AT, "deadline_at", false, false},
    {"ESTIMATE", KIND_SPAN_MS, "estimate_ms", true, false},
    {"DEPENDS", KIND_TEXT, "depends", false, true},
    {"TAGS", KIND_TAGS, "", false, true},
};

/* ---- cells ---- */

static const json_t *value_of(const json_t *job, const char *key)
{
    const json_t *value = json_object_get(job, key);
    return value != NULL ? value : json_object_get(json_object_get(job, "resources"), key);
}

static int64_t number_of(const json_t *job, const char *key)
{
    return json_integer_value(value_of(job, key));
}

/* "2", "0.5"; nothing for 0. */
static char *real_text(double number)
{
    return number > 0 ? xasprintf("%g", number) : xstrdup("");
}

/* "3m ago" on a terminal, else the whole time. */
static char *at_text(const struct cli *cli, int64_t at)
{
    char text[40];
    int64_t now = clock_wall_us();
    if (cli->tty) {
        format_span((uint64_t)(now > at ? now - at : at - now) / US_PER_MS, text, sizeof(text));
        return now > at ? xasprintf("%s ago", text) : xasprintf("in %s", text);
    }
    time_t seconds = (time_t)(at / US_PER_SECOND);
    struct tm local;
    (void)localtime_r(&seconds, &local);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &local);
    return xstrdup(text);
}

static char *tags_text(const json_t *job)
{
    const char *key;
    json_t *value;
    char *text = xstrdup("");
    json_object_foreach(json_object_get(job, "tags"), key, value) {
        char *longer = xasprintf("%s%s%s=%s", text, text[0] == '\0' ? "" : ",", key,
                                 json_is_string(value) ? json_string_value(value) : "?");
        free(text);
        text = longer;
    }
    return text;
}

/* A number as its kind writes it; 0 is nothing. */
static char *number_text(const struct cli *cli, enum kind kind, int64_t number)
{
    char text[32];
    if (number == 0)
        return xstrdup("");
    if (kind == KIND_AT)
        return at_text(cli, number);
    if (kind == KIND_COUNT)
        return xasprintf("%lld", (long long)number);
    if (kind == KIND_BYTES)
        format_size((uint64_t)number, text, sizeof(text));
    else
        format_span((uint64_t)number, text, sizeof(text));
    return xstrdup(text);
}

/* Of one processor; -1: that is not known. */
static int64_t permille_of(const json_t *job)
{
    const json_t *share = json_object_get(json_object_get(job, "live"), "cpu_percent");
    return share == NULL ? -1 : (int64_t)(json_number_value(share) * 10 + 0.5);
}

/* "85%" */
static char *share_text(const json_t *job)
{
    const int64_t share = permille_of(job);
    return share < 0 ? xstrdup("") : xasprintf("%lld%%", (long long)(share + 5) / 10);
}

/* While it runs, and of its peak when it has ended; -1: that is not known. */
static int64_t used_of(const json_t *job, const char *key)
{
    const json_t *used = json_object_get(json_object_get(job, "live"), key);
    if (used == NULL)
        used = json_object_get(json_object_get(job, "usage"), key);
    return json_is_integer(used) ? json_integer_value(used) : -1;
}

static char *used_text(const json_t *job, const char *key)
{
    char text[32] = "";
    const int64_t used = used_of(job, key);
    if (used >= 0)
        format_size((uint64_t)used, text, sizeof(text));
    return xstrdup(text);
}

static char *cell_text(const struct cli *cli, const struct column *column, const json_t *job)
{
    switch (column->kind) {
    case KIND_TEXT:
    case KIND_PRIORITY:
        return xstrdup(reply_text(job, column->key));
    case KIND_AT:
    case KIND_COUNT:
    case KIND_BYTES:
    case KIND_SPAN_MS:
        return number_text(cli, column->kind, number_of(job, column->key));
    case KIND_REAL:
        return real_text(json_number_value(value_of(job, column->key)));
    case KIND_CPU:
        return share_text(job);
    case KIND_USED:
        return used_text(job, column->key);
    case KIND_ID:
        return cli_id_text(job);
    case KIND_TIME:
        return table_time(job);
    case KIND_RESULT:
        return table_result(job);
    case KIND_COMMAND:
        return table_command(job);
    case KIND_TAGS:
        return tags_text(job);
    }
    return xstrdup("");
}

char *column_text(const struct cli *cli, const struct column *column, const json_t *job)
{
    return text_tame(cell_text(cli, column, job));
}

const char *column_name(const struct column *column)
{
    return column->name;
}

bool column_is_right(const struct column *column)
{
    return column->right;
}

bool column_is_cut(const struct column *column)
{
    return column->cut;
}

/* ---- which ---- */

#define COUNT (sizeof(all) / sizeof(all[0]))
#define COMMAND_AT 9U

static const struct column *find(const char *option, const char *word, size_t length)
{
    const char *names[COUNT + 1] = {NULL};
    char lower[COUNT][16];
    for (size_t i = 0; i < COUNT; i++) {
        size_t k = 0;
        for (; all[i].name[k] != '\0'; k++)
            lower[i][k] = (char)(all[i].name[k] | 0x20);
        lower[i][k] = '\0';
        names[i] = lower[i];
        if (k == length && strncasecmp(word, lower[i], length) == 0)
            return &all[i];
    }
    CLEANUP_FREE char *given = xmemdup(word, length);
    const char *near = suggest_word(given, names);
    CLEANUP_FREE char *hint = near == NULL ? NULL : xasprintf("did you mean %s?", near);
    CLEANUP_FREE char *list = xstrdup("");
    for (size_t i = 0; i < COUNT; i++) {
        char *longer = xasprintf("%s%s%s", list, i == 0 ? "" : " ", names[i]);
        free(list);
        list = longer;
    }
    (void)cli_fail(EXIT_USAGE, hint, "--%s: \"%s\" must be one of %s", option, given, list);
    return NULL;
}

int columns_choose(const char *names, struct column_list *ret)
{
    *ret = (struct column_list){.count = 0};
    for (const char *at = names;; at++) {
        size_t length = strcspn(at, ",");
        const struct column *column = find("columns", at, length);
        if (column == NULL)
            return EXIT_USAGE;
        if (ret->count == COLUMNS_MAX)
            return cli_fail(EXIT_USAGE, NULL, "--columns: at most %u", COLUMNS_MAX);
        ret->items[ret->count++] = column;
        at += length;
        if (*at == '\0')
            return 0;
    }
}

struct column_list columns_of(const char *format, bool queues)
{
    bool narrow = strcmp(format, "table") == 0;
    struct column_list list = {.count = 0};
    for (size_t i = 0; i < COMMAND_AT + !narrow; i++) {
        if (!narrow || queues || strcmp(all[i].name, "QUEUE") != 0)
            list.items[list.count++] = &all[i];
    }
    return list;
}

/* ---- sorting ---- */

struct sort_key {
    const struct column *column;
    bool descending;
};

struct order {
    const struct cli *cli;
    struct sort_key keys[COLUMNS_MAX];
    size_t count;
};

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* The most urgent first. */
static int64_t level_of(const json_t *job)
{
    static const char *const levels[] = {"urgent", "high", "normal", "low", "background"};
    int64_t level = 0;
    while (level < 4 && strcmp(levels[level], reply_text(job, "priority")) != 0)
        level++;
    return level;
}

static int compare_by(const struct cli *cli, const struct column *column, const json_t *a,
                      const json_t *b)
{
    switch (column->kind) {
    case KIND_PRIORITY:
        return compare_numbers(level_of(a), level_of(b));
    case KIND_TIME:
        return compare_numbers(table_span(a), table_span(b));
    case KIND_AT:
    case KIND_COUNT:
    case KIND_BYTES:
    case KIND_SPAN_MS:
    case KIND_ID:
        return compare_numbers(number_of(a, column->key), number_of(b, column->key));
    case KIND_REAL:
        return compare_numbers((int64_t)(1000 * json_number_value(value_of(a, column->key))),
                               (int64_t)(1000 * json_number_value(value_of(b, column->key))));
    case KIND_CPU:
        return compare_numbers(permille_of(a), permille_of(b));
    case KIND_USED:
        return compare_numbers(used_of(a, column->key), used_of(b, column->key));
    case KIND_TEXT:
    case KIND_RESULT:
    case KIND_COMMAND:
    case KIND_TAGS:
        break;
    }
    CLEANUP_FREE char *first = column_text(cli, column, a);
    CLEANUP_FREE char *second = column_text(cli, column, b);
    return strcoll(first, second);
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    const json_t *first = *(json_t *const *)a;
    const json_t *second = *(json_t *const *)b;
    for (size_t i = 0; i < order->count; i++) {
        int result = compare_by(order->cli, order->keys[i].column, first, second);
        if (result != 0)
            return order->keys[i].descending ? -result : result;
    }
    int by_id = compare_numbers(number_of(first, "id"), number_of(second, "id"));
    return by_id != 0 ? by_id
                      : compare_numbers(number_of(first, "index"), number_of(second, "index"));
}

static int read_keys(const char *keys, struct order *order)
{
    for (const char *at = keys;; at++) {
        bool descending = *at == '-';
        at += descending;
        size_t length = strcspn(at, ",");
        const struct column *column = find("sort", at, length);
        if (column == NULL)
            return EXIT_USAGE;
        if (order->count < COLUMNS_MAX)
            order->keys[order->count++] = (struct sort_key){column, descending};
        at += length;
        if (*at == '\0')
            return 0;
    }
}

int columns_sort(const struct cli *cli, json_t *jobs, const char *keys)
{
    struct order order = {.cli = cli};
    size_t count = json_array_size(jobs);
    int code = read_keys(keys, &order);
    if (code != 0)
        return code;
    CLEANUP_FREE json_t **items = xcalloc(count + 1, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        items[i] = json_incref(json_array_get(jobs, i));
    qsort_r(items, count, sizeof(json_t *), compare, &order);
    for (size_t i = 0; i < count; i++)
        (void)json_array_set_new(jobs, i, items[i]);
    return 0;
}
