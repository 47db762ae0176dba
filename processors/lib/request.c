#include "processors/lib/request.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/manifest.h"
#include "common/parse.h"
#include "processors/lib/manifest.h"

#include <limits.h>
#include <string.h>

/* What the kernel takes as one text of the environment (MAX_ARG_STRLEN). */
#define VALUE_BYTES_MAX (128U << 10)
#define LINE_BYTES_FIRST 4096U /* of most jobs; pages of a large one are made for each */
#define CPUS_MAX 1024          /* more threads than this help no codec */

static char *read_line(int fd, size_t *ret_bytes, struct error *err)
{
    size_t used = 0;
    size_t room = LINE_BYTES_FIRST;
    CLEANUP_FREE char *line = xmalloc(room);
    while (used < REQUEST_BYTES_MAX) {
        if (used == room) {
            room *= 2; /* comes to REQUEST_BYTES_MAX: both are powers of two */
            line = xreallocarray(line, room, 1);
        }
        ssize_t got = read(fd, line + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            (void)error_set_errno(err, "the job on stdin cannot be read");
            return NULL;
        }
        const char *end = memchr(line + used, '\n', (size_t)got);
        used = end == NULL ? used + (size_t)got : (size_t)(end - line);
        if (got == 0 || end != NULL) {
            *ret_bytes = used;
            return TAKE_PTR(line);
        }
    }
    (void)error_set(err, ERROR_INVALID, "the job on stdin is longer than %u bytes",
                    REQUEST_BYTES_MAX);
    return NULL;
}

struct number {
    const char *key, *variable;
    int64_t min, max;
};

/* From the request, else from the environment, else it stays as it is. */
static int take_number(const json_t *line, const struct number *is, int64_t *number,
                       struct error *err)
{
    int found = json_get_int(line, is->key, false, is->min, is->max, number, err);
    const char *text = getenv(is->variable); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    uint64_t value = 0;
    if (found == 0 && text != NULL &&
        parse_u64(text, (uint64_t)is->min, (uint64_t)is->max, &value, NULL) == 0)
        *number = (int64_t)value;
    return found < 0 ? -1 : 0;
}

static int take_numbers(const json_t *line, struct request *ret, struct error *err)
{
    static const struct number is_job = {"job", "BATCHD_JOB_ID", 0, INT64_MAX};
    static const struct number is_attempt = {"attempt", "BATCHD_ATTEMPT", 1, INT_MAX};
    static const struct number is_cpus = {"cpus", "BATCHD_CPUS", 1, INT_MAX};
    int64_t job = 0;
    int64_t attempt = 1;
    int64_t cpus = 1;
    if (take_number(line, &is_job, &job, err) < 0 ||
        take_number(line, &is_attempt, &attempt, err) < 0 ||
        take_number(line, &is_cpus, &cpus, err) < 0)
        return -1;
    ret->job = (uint64_t)job;
    ret->attempt = (unsigned)attempt;
    ret->cpus = cpus > CPUS_MAX ? CPUS_MAX : (unsigned)cpus;
    return 0;
}

/* Of a job that came to a server: what it would have found had it come alone. */
static int enter_attempt(const json_t *line, const struct request *request, struct error *err)
{
    const char *name;
    json_t *value;
    json_t *own = json_object_get(line, "env");
    if (!json_is_object(own))
        return 0;
    json_object_foreach(own, name, value) {
        CLEANUP_FREE char *text = NULL;
        if (strncmp(name, "BATCHD_", 7) != 0)
            continue;
        if (json_get_bytes(own, name, true, VALUE_BYTES_MAX, &text, err) < 0)
            return -1;
        if (setenv(name, text, 1) < 0) /* NOLINT(concurrency-mt-unsafe) */
            return error_set_errno(err, "cannot set %.80s", name);
    }
    if (chdir(request->cwd) < 0)
        return error_set_errno(err, "cannot enter directory \"%.80s\"", request->cwd);
    return 0;
}

/* What is no number of bytes is no share. */
static void take_memory(struct request *ret)
{
    const char *text = getenv("BATCHD_MEMORY_BYTES"); /* NOLINT(concurrency-mt-unsafe): no thread */
    if (text == NULL || parse_u64(text, 1, INT64_MAX, &ret->memory_bytes, NULL) < 0)
        ret->memory_bytes = 0;
}

int request_read(int fd, json_t *manifest, struct request *ret, struct error *err)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = read_line(fd, &bytes, err);
    if (text == NULL)
        return -1;
    CLEANUP_JSON json_t *line = json_load_limited(text, bytes, err);
    if (line == NULL) {
        err->code = ERROR_INVALID;
        return error_wrap(err, "the job on stdin");
    }
    if (!json_is_object(line))
        return error_set(err, ERROR_INVALID, "the job on stdin is not a JSON object");
    json_t *params = NULL;
    if (json_get_object(line, "params", false, &params, err) < 0 ||
        json_get_bytes(line, "cwd", true, PATH_MAX - 1, &ret->cwd, err) < 0 ||
        enter_attempt(line, ret, err) < 0 || take_numbers(line, ret, err) < 0)
        return -1;
    if (ret->cwd[0] != '/')
        return error_set_field(err, "cwd", "cwd is \"%.200s\"; it must be absolute", ret->cwd);
    take_memory(ret);
    ret->manifest = manifest == NULL ? own_manifest_load(err) : json_incref(manifest);
    return ret->manifest == NULL ? -1 : manifest_check(ret->manifest, params, &ret->params, err);
}

void request_done(struct request *request)
{
    json_decref(request->params);
    json_decref(request->manifest);
    free(request->cwd);
    *request = (struct request){0};
}

char *request_absolute(const struct request *request, const char *path)
{
    return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", request->cwd, path);
}

char *request_path(const struct request *request, const char *name)
{
    const char *path = json_string_value(json_object_get(request->params, name));
    return path == NULL ? NULL : request_absolute(request, path);
}

const char *request_string(const struct request *request, const char *name, const char *fallback)
{
    const char *text = json_string_value(json_object_get(request->params, name));
    return text == NULL ? fallback : text;
}

int request_int(const struct request *request, const char *name, int fallback)
{
    const json_t *value = json_object_get(request->params, name);
    return json_is_integer(value) ? (int)json_integer_value(value) : fallback;
}

double request_number(const struct request *request, const char *name, double fallback)
{
    const json_t *value = json_object_get(request->params, name);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

int request_bool(const struct request *request, const char *name, int fallback)
{
    const json_t *value = json_object_get(request->params, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}
