#include "daemon/api/processors.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/manifest.h"
#include "common/suggest.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

/* A type is a folder name: no separators, nothing hidden. */
static bool valid_type(const char *type)
{
    size_t length = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return length > 0 && length <= 64 && type[length] == '\0';
}

/* ---- what is there ---- */

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

struct names {
    char **list; /* owned, NULL-terminated */
    size_t count;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

static void add_name(struct names *names, const char *dir, const char *type)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/manifest.json", dir, type);
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], type) == 0)
            return;
    }
    if (!valid_type(type) || access(path, F_OK) < 0)
        return;
    names->list = xreallocarray(names->list, names->count + 2, sizeof(char *));
    names->list[names->count++] = xstrdup(type);
    names->list[names->count] = NULL;
}

static void find_names(const char *const *dirs, struct names *ret)
{
    ret->list = xcalloc(1, sizeof(char *));
    for (; *dirs != NULL; dirs++) {
        DIR *folder = opendir(*dirs);
        const struct dirent *entry;
        while (folder != NULL && (entry = readdir(folder)) != NULL)
            add_name(ret, *dirs, entry->d_name);
        if (folder != NULL)
            (void)closedir(folder);
    }
    qsort(ret->list, ret->count, sizeof(char *), by_name);
}

/* ---- one type ---- */

static void refuse_type(const char *const *dirs, const char *type, struct error *err)
{
    CLEANUP(names_done) struct names names = {0};
    find_names(dirs, &names);
    const char *meant = suggest_word(type, (const char *const *)names.list);
    if (meant != NULL)
        (void)error_set_field(err, "type", "no processor \"%.64s\" is installed; did you mean %s?",
                              type, meant);
    else
        (void)error_set_field(err, "type", "no processor \"%.64s\" is installed", type);
    if (err != NULL)
        err->code = ERROR_NOT_FOUND;
}

static json_t *parse(const char *text, size_t bytes, const char *type, const char *path,
                     struct error *err)
{
    json_t *manifest = manifest_load(text, bytes, err);
    if (manifest != NULL && strcmp(json_string_value(json_object_get(manifest, "name")), type) == 0)
        return manifest;
    if (manifest != NULL)
        (void)error_set(err, ERROR_INVALID, "name is \"%.64s\"; it must be that of its folder",
                        json_string_value(json_object_get(manifest, "name")));
    json_decref(manifest);
    (void)error_wrap(err, "%.200s", path);
    if (err != NULL)
        (void)snprintf(err->field, sizeof(err->field), "type");
    return NULL;
}

static json_t *load_manifest(const char *const *dirs, const char *type, char **ret_folder,
                             struct error *err)
{
    for (const char *const *dir = dirs; valid_type(type) && *dir != NULL; dir++) {
        CLEANUP_FREE char *folder = xasprintf("%s/%s", *dir, type);
        CLEANUP_FREE char *path = xasprintf("%s/manifest.json", folder);
        size_t bytes = 0;
        CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, MANIFEST_BYTES_MAX, &bytes);
        if (text == NULL && (errno == ENOENT || errno == ENOTDIR))
            continue;
        if (text == NULL) {
            (void)error_set_errno(err, "%.200s", path);
            return NULL;
        }
        *ret_folder = TAKE_PTR(folder);
        return parse(text, bytes, type, path, err);
    }
    refuse_type(dirs, type, err);
    return NULL;
}

static char *program_of(const json_t *manifest, const char *folder)
{
    return xasprintf("%s/%s", folder, json_string_value(json_object_get(manifest, "exec")));
}

int processor_resolve(const char *const *dirs, const char *type, const json_t *values,
                      struct processor_use *ret, struct error *err)
{
    *ret = (struct processor_use){.program = NULL};
    CLEANUP_FREE char *folder = NULL;
    CLEANUP_JSON json_t *manifest = load_manifest(dirs, type, &folder, err);
    if (manifest == NULL || manifest_check(manifest, values, &ret->params, err) < 0)
        return -1;
    ret->program = program_of(manifest, folder);
    ret->serves = json_is_true(json_object_get(manifest, "serve"));
    return 0;
}

json_t *processor_show(const char *const *dirs, const char *type, struct error *err)
{
    CLEANUP_FREE char *folder = NULL;
    json_t *manifest = load_manifest(dirs, type, &folder, err);
    if (manifest == NULL)
        return NULL;
    CLEANUP_FREE char *program = program_of(manifest, folder);
    json_put_text(manifest, "program", program);
    (void)json_object_del(manifest, "exec");
    return manifest;
}

json_t *processor_list(const char *const *dirs)
{
    static const char *const keys[] = {"version", "summary", "program"};
    CLEANUP(names_done) struct names names = {0};
    json_t *list = json_array();
    find_names(dirs, &names);
    for (size_t i = 0; i < names.count; i++) {
        struct error err = {0};
        CLEANUP_JSON json_t *manifest = processor_show(dirs, names.list[i], &err);
        json_t *entry = json_object();
        json_put_text(entry, "name", names.list[i]);
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
            json_put_text(entry, keys[k], json_string_value(json_object_get(manifest, keys[k])));
        json_put_text(entry, "problem", manifest == NULL ? err.text : NULL);
        (void)json_array_append_new(list, entry);
    }
    return list;
}
