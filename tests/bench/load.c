/* A client for the benchmarks, over the client library that everybody uses:
 *   load single SOCKET COUNT PROGRAM   submits one at a time; prints seconds, then p50 and p99 in
 *                                      microseconds
 *   load stream SOCKET COUNT PROGRAM   submits all without waiting in between, then waits for the
 *                                      last; prints the seconds until the last result is on disk
 *   load array SOCKET TASKS PROGRAM    one submit of an array; prints seconds
 *   load hold SOCKET COUNT PROGRAM     submits as stream does, at priority background, and does not
 *                                      wait; prints the seconds until the last was taken */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/client.h"
#include "common/clock.h"
#include "common/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* With so many jobs at the end waited for, the last of all is among them: workers take them in
 * order and hold at most eight each. */
#define LAST_JOBS 256

static char *program;

__attribute__((noreturn)) static void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, err == NULL ? strerrordesc_np(errno) : err->text);
    exit(1);
}

static json_t *job(const char *path, const char *priority)
{
    json_t *params = json_object();
    json_t *argv = json_array();
    json_t *env = json_object();
    (void)json_array_append_new(argv, json_string(path));
    json_put_text(env, "PATH", "/usr/bin:/bin");
    json_put(params, "argv", argv);
    json_put(params, "env", env);
    json_put_text(params, "cwd", "/");
    json_put_text(params, "priority", priority);
    return params;
}

static int by_value(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static json_t *call(struct batchd_client *client, const char *method, json_t *params)
{
    struct error err;
    json_t *reply = batchd_call(client, method, params, &err);
    if (reply == NULL)
        die(method, &err);
    return reply;
}

static void single(struct batchd_client *client, long count)
{
    int64_t *took = xcalloc((size_t)count, sizeof(*took));
    int64_t start = clock_monotonic_us();
    for (long i = 0; i < count; i++) {
        int64_t before = clock_monotonic_us();
        json_decref(call(client, "io.batchd.Jobs.Submit", job(program, "normal")));
        took[i] = clock_monotonic_us() - before;
    }
    double seconds = (double)(clock_monotonic_us() - start) / 1e6;
    qsort(took, (size_t)count, sizeof(*took), by_value);
    printf("%.6f %lld %lld\n", seconds, (long long)took[count / 2],
           (long long)took[count * 99 / 100]);
    free(took);
}

static int connect_raw(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        die(path, NULL);
    return fd;
}

/* Counts the replies in what has arrived and remembers the last whole one. */
struct replies {
    char last[4096];
    size_t used;
    long count;
};

static void take_replies(struct replies *replies, const char *data, ssize_t bytes)
{
    for (ssize_t i = 0; i < bytes; i++) {
        if (replies->used == sizeof(replies->last))
            die("a reply is too long", NULL);
        replies->last[replies->used++] = data[i];
        if (data[i] != '\0')
            continue;
        if (strstr(replies->last, "\"error\"") != NULL)
            die(replies->last, NULL);
        replies->count++;
        replies->used = 0;
    }
}

/* Sends all requests and reads the replies as they come; the id of the last job. */
static long long send_all(int fd, const char *text, size_t bytes, long count)
{
    struct replies replies = {.count = 0};
    size_t sent = 0;
    while (replies.count < count) {
        static char data[65536];
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        waiting.events = (short)(POLLIN | (sent < bytes ? POLLOUT : 0));
        if (poll(&waiting, 1, -1) < 0)
            die("poll", NULL);
        if ((waiting.revents & POLLOUT) != 0) {
            ssize_t wrote = send(fd, text + sent, bytes - sent, MSG_DONTWAIT);
            sent += wrote > 0 ? (size_t)wrote : 0;
        }
        if ((waiting.revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t got = recv(fd, data, sizeof(data), MSG_DONTWAIT);
            if (got == 0)
                die("batchd closed the connection", NULL);
            take_replies(&replies, data, got);
        }
    }
    const char *id = strstr(replies.last, "\"id\":");
    return id == NULL ? 0 : strtoll(id + strlen("\"id\":"), NULL, 10);
}

static char *request_text(long count, size_t *ret_bytes, const char *priority)
{
    CLEANUP_JSON json_t *request = json_object();
    size_t one = 0;
    json_put_text(request, "method", "io.batchd.Jobs.Submit");
    json_put(request, "parameters", job(program, priority));
    CLEANUP_FREE char *text = json_to_text(request, &one);
    char *all = xmalloc((one + 1) * (size_t)count);
    for (long i = 0; i < count; i++)
        memcpy(all + (one + 1) * (size_t)i, text, one + 1);
    *ret_bytes = (one + 1) * (size_t)count;
    return all;
}

static void stream(struct batchd_client *client, const char *path, long count, bool wait)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = request_text(count, &bytes, wait ? "normal" : "background");
    int fd = connect_raw(path);
    int64_t start = clock_monotonic_us();
    long long last = send_all(fd, text, bytes, count);
    json_t *ids = json_array();
    for (long long id = last; id > 0 && id > last - count && id > last - LAST_JOBS; id--)
        (void)json_array_append_new(ids, json_integer(id));
    json_t *params = json_object();
    json_put(params, "ids", ids);
    if (wait)
        json_decref(call(client, "io.batchd.Jobs.Wait", params));
    else
        json_decref(params);
    printf("%.6f\n", (double)(clock_monotonic_us() - start) / 1e6);
    (void)close(fd);
}

static void array(struct batchd_client *client, long tasks)
{
    json_t *params = job(program, "background");
    char spec[48];
    (void)snprintf(spec, sizeof(spec), "0-%ld", tasks - 1);
    json_put_text(params, "array", spec);
    int64_t start = clock_monotonic_us();
    json_decref(call(client, "io.batchd.Jobs.Submit", params));
    printf("%.6f\n", (double)(clock_monotonic_us() - start) / 1e6);
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc != 5)
        return 2;
    long count = strtol(argv[3], NULL, 10);
    struct batchd_client *client = batchd_connect(argv[2], 0, &err);
    if (client == NULL)
        die(argv[2], &err);
    program = argv[4];
    if (strcmp(argv[1], "single") == 0)
        single(client, count);
    else if (strcmp(argv[1], "stream") == 0)
        stream(client, argv[2], count, true);
    else if (strcmp(argv[1], "hold") == 0)
        stream(client, argv[2], count, false);
    else if (strcmp(argv[1], "array") == 0)
        array(client, count);
    else
        return 2;
    batchd_close(client);
    return 0;
}
