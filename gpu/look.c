#include "gpu/look.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one file of /sys. */
#define FILE_BYTES_MAX 4096U

struct gpu_facts *look_add(struct gpu_report *report, enum gpu_vendor vendor)
{
    if (report->count == GPU_REPORT_GPUS)
        return NULL;
    struct gpu_facts *gpu = &report->gpu[report->count++];
    *gpu = (struct gpu_facts){.vendor = vendor,
                              .memory_total_bytes = GPU_UNKNOWN,
                              .memory_used_bytes = GPU_UNKNOWN,
                              .busy_percent = GPU_UNKNOWN,
                              .temperature = GPU_UNKNOWN,
                              .numa_node = GPU_UNKNOWN,
                              .process_count = GPU_UNKNOWN};
    return gpu;
}

int look_line(const struct look *look, const char *path, char *ret, size_t bytes)
{
    size_t got = 0;
    CLEANUP_FREE char *whole = xasprintf("%s%s", look->root, path);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, whole, FILE_BYTES_MAX, &got);
    if (text == NULL)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(ret, bytes, "%s", text);
    return 0;
}

uint64_t look_number(const struct look *look, const char *path, int base)
{
    char line[32];
    char *end = line;
    if (look_line(look, path, line, sizeof(line)) < 0 || strchr(line, '-') != NULL)
        return GPU_UNKNOWN;
    errno = 0;
    const unsigned long long value = strtoull(line, &end, base);
    return errno != 0 || end == line || *end != '\0' ? GPU_UNKNOWN : value;
}

uint64_t look_numa_node(const struct look *look, const char *pci)
{
    CLEANUP_FREE char *path = xasprintf("/sys/bus/pci/devices/%s/numa_node", pci);
    return look_number(look, path, 10); /* -1 on machines with one */
}
