/* Traces in the Standard Workload Format. */
#include "tests/fuzz/fuzz.h"

#include "client/trace.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct trace trace = {.jobs = NULL};
    struct error err = {.code = ERROR_NONE};
    char path[40];
    CLEANUP_CLOSE int fd = memfd_create("trace", MFD_CLOEXEC);
    MUST(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    if (bytes > 1 && data[0] == 0x1f && data[1] == 0x8b) /* packed: how much comes out is no rule */
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    size_t lines = 1;
    for (size_t i = 0; i < bytes; i++)
        lines += data[i] == '\n';
    if (trace_read(path, 0, &trace, &err) < 0) {
        MUST_EXPLAIN(&err);
        return 0;
    }
    MUST(trace.count + trace_dropped(&trace) <= lines);
    for (size_t i = 0; i < trace.count; i++)
        MUST(trace.jobs[i].position == i);
    CLEANUP_FREE char *text = trace_drops_text(&trace);
    MUST((trace_dropped(&trace) == 0) == (text[0] == '\0'));
    trace_done(&trace);
    return 0;
}
