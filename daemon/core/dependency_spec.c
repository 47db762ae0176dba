#include "daemon/core/dependency_spec.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ID_MAX (UINT64_C(1) << 53U)
#define FORMAT_BYTES 64

static const char *const type_words[] = {
    [DEPENDENCY_AFTER] = "after",         [DEPENDENCY_AFTERANY] = "afterany",
    [DEPENDENCY_AFTEROK] = "afterok",     [DEPENDENCY_AFTERNOTOK] = "afternotok",
    [DEPENDENCY_AFTERCORR] = "aftercorr", [DEPENDENCY_SINGLETON] = "singleton",
};
static_assert(sizeof(type_words) / sizeof(type_words[0]) == DEPENDENCY_TYPE_COUNT, "a word each");

static int refuse(struct error *err, const char *text, const char *rule)
{
    return error_set_field(err, "depends", "depends \"%.80s\" %s", text, rule);
}

static int add(struct dependency_spec *spec, const struct dependency *dependency, const char *text,
               struct error *err)
{
    if (spec->count == DEPENDENCIES_MAX)
        return error_set_field(err, "depends",
                               "depends \"%.40s...\" names over %u jobs, the limit; an array of "
                               "them counts as one",
                               text, DEPENDENCIES_MAX);
    if ((spec->count & (spec->count - 1)) == 0) /* there is room up to the next power of two */
        spec->items = xreallocarray(spec->items, spec->count == 0 ? 1 : 2 * spec->count,
                                    sizeof(*spec->items));
    spec->items[spec->count++] = *dependency;
    return 0;
}

/* "42" or "42_7". */
static int parse_parent(char *word, struct dependency *ret)
{
    char *underscore = strchr(word, '_');
    if (underscore != NULL) {
        *underscore = '\0';
        ret->is_task = true;
        if (parse_u64(underscore + 1, 0, UINT32_MAX, &ret->index, NULL) < 0)
            return -1;
    }
    return parse_u64(word, 1, ID_MAX, &ret->parent, NULL);
}

/* The type in front of the ids; -1: the word is none. */
static int parse_type(const char *word, enum dependency_type *ret)
{
    for (unsigned i = 0; i < DEPENDENCY_TYPE_COUNT; i++) {
        if (strcmp(word, type_words[i]) == 0) {
            *ret = (enum dependency_type)i;
            return 0;
        }
    }
    return -1;
}

static int add_parents(struct dependency_spec *spec, enum dependency_type type, char *ids,
                       const char *text, struct error *err)
{
    for (char *id = ids; id != NULL;) {
        struct dependency dependency = {.type = type};
        char *colon = strchr(id, ':');
        if (colon != NULL)
            *colon = '\0';
        if (parse_parent(id, &dependency) < 0)
            return refuse(err, text,
                          "must name jobs as afterok:41, afterok:41:42, afterany:43_7 (types: "
                          "after, afterany, afterok, afternotok, aftercorr, singleton)");
        if (dependency.is_task && type == DEPENDENCY_AFTERCORR)
            return refuse(err, text, "must name a whole array behind aftercorr, as aftercorr:41");
        if (add(spec, &dependency, text, err) < 0)
            return -1;
        id = colon == NULL ? NULL : colon + 1;
    }
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Ids alone: of the type of the part before them, in front afterany (as Slurm has it). */
static int add_bare(struct dependency_spec *spec, char *ids, const char *text, struct error *err)
{
    enum dependency_type type =
        spec->count == 0 ? DEPENDENCY_AFTERANY : spec->items[spec->count - 1].type;
    if (type == DEPENDENCY_SINGLETON)
        return refuse(err, text, "must have a type in front of ids that follow singleton");
    return add_parents(spec, type, ids, text, err);
}

/* "singleton", "afterok:41:42" or "41:42". */
static int parse_term(struct dependency_spec *spec, char *term, const char *text, struct error *err)
{
    const struct dependency singleton = {.type = DEPENDENCY_SINGLETON};
    enum dependency_type type;
    if (is_digit(term[0]))
        return add_bare(spec, term, text, err);
    if (term[0] == '\0')
        return refuse(err, text, "has an empty part");
    char *colon = strchr(term, ':');
    if (colon != NULL)
        *colon = '\0';
    if (parse_type(term, &type) < 0)
        return refuse(err, text,
                      "has a type that is none of after, afterany, afterok, afternotok, aftercorr "
                      "and singleton");
    if (type == DEPENDENCY_SINGLETON && colon == NULL)
        return add(spec, &singleton, text, err);
    if (type == DEPENDENCY_SINGLETON || colon == NULL)
        return refuse(err, text, "must have ids behind every type but singleton, as afterok:41");
    return add_parents(spec, type, colon + 1, text, err);
}

static size_t count_of(const struct dependency_spec *spec, enum dependency_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->count; i++)
        count += spec->items[i].type == type;
    return count;
}

static int parse(const char *text, struct dependency_spec *spec, struct error *err)
{
    CLEANUP_FREE char *words = xstrdup(text);
    spec->any = strchr(words, '?') != NULL;
    if (spec->any && strchr(words, ',') != NULL)
        return refuse(err, text, "must have either , (all) or ? (any) between its parts, not both");
    for (char *term = words; term != NULL;) {
        char *end = strchr(term, spec->any ? '?' : ',');
        if (end != NULL)
            *end = '\0';
        if (parse_term(spec, term, text, err) < 0)
            return -1;
        term = end == NULL ? NULL : end + 1;
    }
    if (count_of(spec, DEPENDENCY_AFTERCORR) > 1)
        return refuse(err, text, "must have at most one array behind aftercorr");
    if (spec->any && count_of(spec, DEPENDENCY_AFTERCORR) > 0)
        return refuse(err, text, "must not have aftercorr as one of several alternatives");
    return 0;
}

int dependency_spec_parse(const char *text, struct dependency_spec *ret, struct error *err)
{
    struct dependency_spec spec = {.items = NULL};
    if (strlen(text) > DEPENDENCY_TEXT_MAX)
        return error_set_field(err, "depends", "depends has %zu bytes; the limit is %u",
                               strlen(text), DEPENDENCY_TEXT_MAX);
    if (parse(text, &spec, err) < 0) {
        dependency_spec_done(&spec);
        return -1;
    }
    *ret = spec;
    return 0;
}

void dependency_spec_done(struct dependency_spec *spec)
{
    free(spec->items);
    *spec = (struct dependency_spec){.items = NULL};
}

static void format_parent(const struct dependency *dependency, char *ret, size_t bytes)
{
    (void)snprintf(ret, bytes, dependency->is_task ? "%llu_%llu" : "%llu",
                   (unsigned long long)dependency->parent, (unsigned long long)dependency->index);
}

void dependency_format(const struct dependency *dependency, char *ret, size_t bytes)
{
    char parent[FORMAT_BYTES] = "";
    bool none = dependency->type == DEPENDENCY_SINGLETON;
    if (!none)
        format_parent(dependency, parent, sizeof(parent));
    (void)snprintf(ret, bytes, "%s%s%s", type_words[dependency->type], none ? "" : ":", parent);
}

char *dependency_spec_text(const struct dependency_spec *spec)
{
    char *text = NULL;
    size_t bytes = 0;
    if (spec->count == 0)
        return NULL;
    FILE *stream = open_memstream(&text, &bytes);
    if (stream == NULL)
        out_of_memory();
    for (size_t i = 0; i < spec->count; i++) {
        const struct dependency *item = &spec->items[i];
        char word[FORMAT_BYTES];
        bool joins = i > 0 && !spec->any && item->type == item[-1].type &&
                     item->type != DEPENDENCY_SINGLETON;
        if (joins)
            format_parent(item, word, sizeof(word));
        else
            dependency_format(item, word, sizeof(word));
        (void)fprintf(stream, "%s%s", i == 0 ? "" : joins ? ":" : spec->any ? "?" : ",", word);
    }
    if (fclose(stream) != 0)
        out_of_memory();
    return text;
}

bool dependency_fulfilled(enum dependency_type type, enum job_state ended)
{
    assert(job_state_terminal(ended));
    switch (type) {
    case DEPENDENCY_AFTEROK:
        return ended == JOB_STATE_COMPLETED;
    case DEPENDENCY_AFTERNOTOK:
        return ended != JOB_STATE_COMPLETED;
    case DEPENDENCY_AFTER:
    case DEPENDENCY_AFTERANY:
    case DEPENDENCY_AFTERCORR:
    case DEPENDENCY_SINGLETON:
    case DEPENDENCY_TYPE_COUNT:
        break;
    }
    return true;
}
