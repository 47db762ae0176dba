#include "step/server_usage.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "step/notes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 8192U

/* proc_pid_stat(5): utime, stime, cutime and cstime are the fields 14 to 17. The name, the second,
 * may hold anything, so the last ")" counts. */
static void read_times(pid_t server, struct usage *ret)
{
    char path[32];
    uint64_t ticks[4] = {0};
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", server);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES, NULL);
    const char *at = text == NULL ? NULL : strrchr(text, ')');
    for (int field = 2; field < 13 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    for (int i = 0; i < 4 && at != NULL; i++) {
        char *end;
        ticks[i] = strtoull(at, &end, 10);
        at = end;
    }
    const uint64_t tick_us = US_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
    ret->user_us = (ticks[0] + ticks[2]) * tick_us;
    ret->system_us = (ticks[1] + ticks[3]) * tick_us;
}

static void read_peak(pid_t server, struct usage *ret)
{
    static const char name[] = "\nVmHWM:";
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", server);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES, NULL);
    const char *at = text == NULL ? NULL : strstr(text, name);
    ret->max_rss_bytes = at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

void server_usage_begin(pid_t server)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/clear_refs", server);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)fd_write_all(fd, "5", 1); /* proc(5): the peak of what is resident begins anew */
}

void server_usage_read(pid_t server, struct usage *ret)
{
    *ret = (struct usage){0};
    read_times(server, ret);
    read_peak(server, ret);
}

static uint64_t number_of(const json_t *told, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(told, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static uint64_t more(uint64_t after, uint64_t before)
{
    return after > before ? after - before : 0;
}

void server_usage_tell(const json_t *told, const struct usage *before, const struct usage *after)
{
    struct usage used = {.user_us = more(after->user_us, before->user_us),
                         .system_us = more(after->system_us, before->system_us),
                         .max_rss_bytes = after->max_rss_bytes};
    if (json_is_object(told))
        used = (struct usage){.user_us = number_of(told, "user_us"),
                              .system_us = number_of(told, "system_us"),
                              .max_rss_bytes = number_of(told, "max_rss_bytes")};
    notes_add("usage %" PRIu64 " %" PRIu64 " %" PRIu64, used.user_us, used.system_us,
              used.max_rss_bytes);
}
