#include "daemon/core/resource_names.h"

#include "common/alloc.h"
#include "common/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fixed_names[RESOURCE_COUNTER] = {[RESOURCE_CPUS] = "cpus",
                                                          [RESOURCE_MEMORY] = "memory",
                                                          [RESOURCE_GPUS] = "gpus",
                                                          [RESOURCE_DISK] = "disk"};

/* What somebody writes who means a fixed kind; the last two are members of a job's resources. */
static const struct {
    const char *name, *meant;
} confusing[] = {{"cpu", "cpus"},       {"gpu", "gpus"},   {"mem", "memory"},
                 {"ram", "memory"},     {"disks", "disk"}, {"memory_bytes", "memory"},
                 {"disk_bytes", "disk"}};

static bool well_formed(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strlen(name);
    return length >= 1 && length <= RESOURCE_NAME_MAX && strchr(first, name[0]) != NULL &&
           strspn(name, rest) == length;
}

static const char *meant_by(const char *name)
{
    static const char *const long_words[] = {"memory", NULL};
    for (size_t i = 0; i < sizeof(confusing) / sizeof(confusing[0]); i++) {
        if (strcmp(confusing[i].name, name) == 0)
            return confusing[i].meant;
    }
    return suggest_word(name, long_words);
}

int resource_name_check(const char *name, struct error *err)
{
    if (!well_formed(name))
        return error_set(err, ERROR_INVALID, "a counter's name must match [a-z][a-z0-9_-]{0,%u}",
                         RESOURCE_NAME_MAX - 1);
    for (int kind = 0; kind < RESOURCE_COUNTER; kind++) {
        if (strcmp(fixed_names[kind], name) == 0)
            return error_set(err, ERROR_INVALID, "%s is no counter", name);
    }
    const char *meant = meant_by(name);
    if (meant != NULL)
        return error_set(err, ERROR_INVALID, "no counter may be called so; did you mean \"%s\"?",
                         meant);
    return 0;
}

int resource_names_find(const struct resource_names *names, const char *name)
{
    for (int kind = 0; kind < RESOURCE_COUNTER; kind++) {
        if (strcmp(fixed_names[kind], name) == 0)
            return kind;
    }
    for (unsigned i = 0; i < names->count; i++) {
        if (strcmp(names->counters[i], name) == 0)
            return RESOURCE_COUNTER + (int)i;
    }
    return -1;
}

int resource_names_add(struct resource_names *names, const char *name)
{
    int kind = resource_names_find(names, name);
    if (kind >= 0 || names->count == RESOURCE_COUNTERS_MAX)
        return kind;
    (void)snprintf(names->counters[names->count], sizeof(names->counters[0]), "%s", name);
    return RESOURCE_COUNTER + (int)names->count++;
}

const char *resource_names_word(const struct resource_names *names, enum resource_kind kind)
{
    return kind < RESOURCE_COUNTER ? fixed_names[kind] : names->counters[kind - RESOURCE_COUNTER];
}

char *resource_names_list(const struct resource_names *names)
{
    char *list = xstrdup(names->count == 0 ? "none" : names->counters[0]);
    for (unsigned i = 1; i < names->count; i++) {
        char *longer = xasprintf("%s, %s", list, names->counters[i]);
        free(list);
        list = longer;
    }
    return list;
}

/* The counter whose name comes first after `last` of those that are asked for, or -1. */
static int next_by_name(const struct resource_names *names, const struct resources *wanted,
                        const char *last)
{
    int best = -1;
    for (int i = 0; i < (int)names->count; i++) {
        const char *name = names->counters[i];
        if (wanted->amount[RESOURCE_COUNTER + i] > 0 && strcmp(name, last) > 0 &&
            (best < 0 || strcmp(name, names->counters[best]) < 0))
            best = i;
    }
    return best;
}

char *resource_counters_text(const struct resource_names *names, const struct resources *wanted)
{
    char *text = NULL;
    for (int i = next_by_name(names, wanted, ""); i >= 0;
         i = next_by_name(names, wanted, names->counters[i])) {
        char *longer =
            xasprintf("%s%s%s=%llu", text == NULL ? "" : text, text == NULL ? "" : ",",
                      names->counters[i], (unsigned long long)wanted->amount[RESOURCE_COUNTER + i]);
        free(text);
        text = longer;
    }
    return text;
}

bool resource_counters_next(const char **text, char ret_name[RESOURCE_NAME_MAX + 1],
                            uint64_t *ret_amount)
{
    if (*text == NULL || **text == '\0')
        return false;
    char *end;
    const char *equals = strchrnul(*text, '=');
    (void)snprintf(ret_name, RESOURCE_NAME_MAX + 1, "%.*s", (int)(equals - *text), *text);
    *ret_amount = strtoull(equals + (*equals == '='), &end, 10);
    *text = *end == ',' ? end + 1 : "";
    return true;
}

void resource_counters_add(const struct resource_names *names, const char *text,
                           struct resources *wanted)
{
    char name[RESOURCE_NAME_MAX + 1];
    uint64_t amount;
    while (resource_counters_next(&text, name, &amount)) {
        int kind = resource_names_find(names, name);
        wanted->amount[kind >= RESOURCE_COUNTER ? kind : RESOURCE_REMOVED] += amount;
    }
}
