#include "daemon/core/dependency_spec.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"
#include "common/suggest.h"
#include "common/words.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ID_MAX (UINT64_C(1) << 53U)
#define FORMAT_BYTES 64
#define NAME_BYTES_MAX 64U

static const char *const type_words[] = {
    [DEPENDENCY_AFTER] = "after",         [DEPENDENCY_AFTERANY] = "afterany",
    [DEPENDENCY_AFTEROK] = "afterok",     [DEPENDENCY_AFTERNOTOK] = "afternotok",
    [DEPENDENCY_AFTERCORR] = "aftercorr", [DEPENDENCY_SINGLETON] = "singleton",
};
static_assert(sizeof(type_words) / sizeof(type_words[0]) == DEPENDENCY_TYPE_COUNT, "a word each");

/* What is being read. */
struct reading {
    const char *text;         /* all of it, for errors */
    const char *const *names; /* that stand for jobs, NULL-terminated; NULL: none do */
    struct dependency_spec *spec;
};

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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int find_name(const char *const *names, const char *word, uint64_t *ret)
{
    for (uint64_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], word) == 0) {
            *ret = DEPENDENCY_SIBLING + i;
            return 0;
        }
    }
    return -1;
}

/* "encode", or "encode_7" when no name is that. */
static int parse_name(const char *const *names, char *word, struct dependency *ret)
{
    if (find_name(names, word, &ret->parent) == 0)
        return 0;
    char *underscore = strrchr(word, '_');
    if (underscore == NULL || parse_u64(underscore + 1, 0, UINT32_MAX, &ret->index, NULL) < 0)
        return -1;
    *underscore = '\0';
    ret->is_task = true;
    int result = find_name(names, word, &ret->parent);
    *underscore = '_';
    return result;
}

/* "42" or "42_7". */
static int parse_id(char *word, struct dependency *ret)
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
    const int found = words_find(type_words, DEPENDENCY_TYPE_COUNT, word);
    if (found >= 0)
        *ret = (enum dependency_type)found;
    return found < 0 ? -1 : 0;
}

static int refuse_parent(const struct reading *reading, const char *word, struct error *err)
{
    if (reading->names == NULL)
        return refuse(err, reading->text,
                      "must name jobs as afterok:41, afterok:41:42, afterany:43_7 (types: "
                      "after, afterany, afterok, afternotok, aftercorr, singleton)");
    const char *meant = suggest_word(word, reading->names);
    return error_set_field(err, "depends",
                           "depends \"%.80s\": \"%.64s\" is neither a job of this request, nor an "
                           "id, nor a type such as afterok%s%s%s",
                           reading->text, word, meant == NULL ? "" : "; did you mean ",
                           meant == NULL ? "" : meant, meant == NULL ? "" : "?");
}

static int parse_parent(const struct reading *reading, char *word, struct dependency *ret,
                        struct error *err)
{
    bool named = reading->names != NULL && !is_digit(word[0]);
    int result = named ? parse_name(reading->names, word, ret) : parse_id(word, ret);
    return result == 0 ? 0 : refuse_parent(reading, word, err);
}

static int add_parents(struct reading *reading, enum dependency_type type, char *ids,
                       struct error *err)
{
    for (char *id = ids; id != NULL;) {
        struct dependency dependency = {.type = type};
        char *colon = strchr(id, ':');
        if (colon != NULL)
            *colon = '\0';
        if (parse_parent(reading, id, &dependency, err) < 0)
            return -1;
        if (dependency.is_task && type == DEPENDENCY_AFTERCORR)
            return refuse(err, reading->text,
                          "must name a whole array behind aftercorr, as aftercorr:41");
        if (add(reading->spec, &dependency, reading->text, err) < 0)
            return -1;
        id = colon == NULL ? NULL : colon + 1;
    }
    return 0;
}

/* Jobs alone: of the type of the part before them, in front afterany (as Slurm has it). */
static int add_bare(struct reading *reading, char *ids, struct error *err)
{
    const struct dependency_spec *spec = reading->spec;
    enum dependency_type type =
        spec->count == 0 ? DEPENDENCY_AFTERANY : spec->items[spec->count - 1].type;
    if (type == DEPENDENCY_SINGLETON)
        return refuse(err, reading->text, "must have a type in front of ids that follow singleton");
    return add_parents(reading, type, ids, err);
}

/* "singleton", "afterok:41:42", "41:42", and where there are names "encode:41". */
static int parse_term(struct reading *reading, char *term, struct error *err)
{
    const struct dependency singleton = {.type = DEPENDENCY_SINGLETON};
    const char *text = reading->text;
    enum dependency_type type;
    if (is_digit(term[0]))
        return add_bare(reading, term, err);
    if (term[0] == '\0')
        return refuse(err, text, "has an empty part");
    char *colon = strchr(term, ':');
    if (colon != NULL)
        *colon = '\0';
    if (parse_type(term, &type) < 0) {
        if (reading->names == NULL)
            return refuse(err, text,
                          "has a type that is none of after, afterany, afterok, afternotok, "
                          "aftercorr and singleton");
        if (colon != NULL)
            *colon = ':';
        return add_bare(reading, term, err);
    }
    if (type == DEPENDENCY_SINGLETON && colon == NULL)
        return add(reading->spec, &singleton, text, err);
    if (type == DEPENDENCY_SINGLETON || colon == NULL)
        return refuse(err, text, "must have ids behind every type but singleton, as afterok:41");
    return add_parents(reading, type, colon + 1, err);
}

static size_t count_of(const struct dependency_spec *spec, enum dependency_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->count; i++)
        count += spec->items[i].type == type;
    return count;
}

static int parse(struct reading *reading, struct error *err)
{
    const char *text = reading->text;
    struct dependency_spec *spec = reading->spec;
    CLEANUP_FREE char *words = xstrdup(text);
    spec->any = strchr(words, '?') != NULL;
    if (spec->any && strchr(words, ',') != NULL)
        return refuse(err, text, "must have either , (all) or ? (any) between its parts, not both");
    for (char *term = words; term != NULL;) {
        char *end = strchr(term, spec->any ? '?' : ',');
        if (end != NULL)
            *end = '\0';
        if (parse_term(reading, term, err) < 0)
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
    return dependency_spec_parse_named(text, NULL, ret, err);
}

bool dependency_name_valid(const char *word)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    enum dependency_type type;
    return strspn(word, first) > 0 && word[strspn(word, all)] == '\0' &&
           strlen(word) <= NAME_BYTES_MAX && parse_type(word, &type) < 0;
}

int dependency_spec_parse_named(const char *text, const char *const *names,
                                struct dependency_spec *ret, struct error *err)
{
    struct dependency_spec spec = {.items = NULL};
    struct reading reading = {.text = text, .names = names, .spec = &spec};
    if (strlen(text) > DEPENDENCY_TEXT_MAX)
        return error_set_field(err, "depends", "depends has %zu bytes; the limit is %u",
                               strlen(text), DEPENDENCY_TEXT_MAX);
    if (parse(&reading, err) < 0) {
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
