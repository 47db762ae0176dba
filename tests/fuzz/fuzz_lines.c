/* What a processor writes on descriptor 3: kept by the worker, in whatever pieces it comes; the
 * last result line is the job's, and the last that asks for a checkpoint waits. The first byte says
 * how long the pieces are. */
#include "tests/fuzz/fuzz.h"

#include "common/json.h"
#include "daemon/engine/internal.h"
#include "worker/checkpoint_lines.h"
#include "worker/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL 65536U /* far below what a worker keeps */

static const char *state_folder(int *ret_jobs_fd)
{
    static int jobs_fd = -1;
    const char *folder = fuzz_folder();
    if (jobs_fd < 0) {
        MUST(chdir(folder) == 0 && mkdir("jobs", 0700) == 0);
        jobs_fd = open("jobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        MUST(jobs_fd >= 0);
    }
    *ret_jobs_fd = jobs_fd;
    return folder;
}

/* The last whole line that is a result, found in another way. NULL: there is none. */
static char *last_result(const char *text)
{
    static const char start[] = "{\"type\":\"result\",\"result\":";
    const char *found = NULL;
    size_t length = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if ((size_t)(end - text) > sizeof(start) && end[-1] == '}' &&
            strncmp(text, start, sizeof(start) - 1) == 0) {
            found = text + sizeof(start) - 1;
            length = (size_t)(end - found) - 1;
        }
    }
    return found == NULL ? NULL : xmemdup(found, length);
}

/* The last whole line that asks for a checkpoint, cut as it is kept. NULL: there is none. */
static char *last_asking(const char *text)
{
    static const char start[] = "{\"type\":\"checkpoint\"";
    const size_t length = sizeof(start) - 1;
    const char *found = NULL;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if (strncmp(text, start, length) == 0 && (text[length] == ',' || text[length] == '}'))
            found = text;
    }
    if (found == NULL)
        return NULL;
    size_t bytes = strcspn(found, "\n");
    return xmemdup(found, bytes < CHECKPOINT_LINE_MAX ? bytes : CHECKPOINT_LINE_MAX);
}

static bool same(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int jobs_fd;
    const char *state = state_folder(&jobs_fd);
    const struct attempt_id id = {.job = 1, .attempt = 1};
    struct job_exit end = {.id = id};
    if (bytes < 2 || bytes > SMALL || memchr(data + 1, '\0', bytes - 1) != NULL)
        return 0; /* NUL is no part of a line of JSON: the reader ends there */
    struct output *output = output_new(jobs_fd, (gid_t)-1);
    struct checkpoint_lines asked = {.used = 0};
    (void)unlink("jobs/1/1.events");
    output_begin(output, &id, SMALL);
    for (size_t at = 1, piece; at < bytes; at += piece) {
        piece = 1U + data[0] * 16U;
        piece = piece < bytes - at ? piece : bytes - at;
        output_add_events(output, data + at, piece);
        checkpoint_lines_add(&asked, (const char *)data + at, piece);
    }
    output_end(output, &end);
    output_free(output);
    struct engine engine = {.options = {.state_dir = state}};
    const struct active entry = {.status = {.id = 1, .attempt = 1}};
    CLEANUP_FREE char *text = fuzz_text(data + 1, bytes - 1);
    CLEANUP_FREE char *wanted = last_result(text);
    CLEANUP_FREE char *result = engine_read_result(&engine, &entry);
    MUST(same(wanted, result));
    CLEANUP_FREE char *last = last_asking(text);
    CLEANUP_FREE char *waits = checkpoint_lines_take(&asked);
    MUST(same(last, waits));
    return 0;
}
