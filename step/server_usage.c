#include "step/server_usage.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/job_usage.h"
#include "common/process_stat.h"
#include "step/notes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES 8192U

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
    struct process_stat stat = {.user_us = 0};
    (void)process_stat_read(server, &stat);
    *ret = (struct usage){.user_us = stat.user_us, .system_us = stat.system_us};
    read_peak(server, ret);
}

static uint64_t number_of(const json_t *told, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(told, name));
    return value < 0 ? 0 : (uint64_t)value;
}

void server_usage_tell(const json_t *told, const struct usage *before, const struct usage *after)
{
    struct usage used = {.user_us = usage_without(after->user_us, before->user_us),
                         .system_us = usage_without(after->system_us, before->system_us),
                         .max_rss_bytes = after->max_rss_bytes};
    if (json_is_object(told))
        used = (struct usage){.user_us = number_of(told, "user_us"),
                              .system_us = number_of(told, "system_us"),
                              .max_rss_bytes = number_of(told, "max_rss_bytes")};
    notes_add("usage %" PRIu64 " %" PRIu64 " %" PRIu64 " %d", used.user_us, used.system_us,
              used.max_rss_bytes, json_is_object(told));
}
