#include "daemon/resources/host_sample.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* /proc/stat has a number for each interrupt: 100 KB on a machine with many processors. */
#define FILE_BYTES_MAX (4U << 20)
#define KIBI UINT64_C(1024)

const char *const cpu_class_words[CPU_CLASS_COUNT] = {
    [CPU_USER] = "user",     [CPU_NICE] = "nice", [CPU_SYSTEM] = "system",   [CPU_IDLE] = "idle",
    [CPU_IOWAIT] = "iowait", [CPU_IRQ] = "irq",   [CPU_SOFTIRQ] = "softirq", [CPU_STEAL] = "steal"};

const char *const pressure_kind_words[PRESSURE_KIND_COUNT] = {
    [PRESSURE_CPU] = "cpu", [PRESSURE_MEMORY] = "memory", [PRESSURE_IO] = "io"};

/* Owned by the caller; NULL: it cannot be read. */
static char *read_proc(const char *root, const char *name)
{
    size_t bytes = 0;
    CLEANUP_FREE char *path = xasprintf("%s/proc/%s", root, name);
    return fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
}

/* Digits after blanks; moves on behind them. False: there are none, or they are too many. */
static bool take_number(const char **text, uint64_t *ret)
{
    char *end;
    const char *at = *text + strspn(*text, " \t");
    if (*at < '0' || *at > '9')
        return false;
    errno = 0;
    *ret = strtoull(at, &end, 10);
    *text = end;
    return errno == 0;
}

/* Neither below 0 nor endless. */
static bool take_real(const char **text, double *ret)
{
    char *end;
    const char *at = *text + strspn(*text, " \t");
    if (*at < '0' || *at > '9')
        return false;
    *ret = strtod(at, &end);
    *text = end;
    return isfinite(*ret);
}

/* What stands behind a word that begins a line; NULL: no line begins so. */
static const char *behind(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, word, length) == 0)
            return line + length;
    }
    return NULL;
}

static bool take_cpu(const char *root, uint64_t ret[static CPU_CLASS_COUNT])
{
    CLEANUP_FREE char *text = read_proc(root, "stat");
    const char *at = text == NULL ? NULL : behind(text, "cpu ");
    for (unsigned i = 0; at != NULL && i < CPU_CLASS_COUNT; i++) {
        if (!take_number(&at, &ret[i]))
            return false;
    }
    return at != NULL;
}

static bool take_load(const char *root, double ret[static 3])
{
    CLEANUP_FREE char *text = read_proc(root, "loadavg");
    const char *at = text;
    for (unsigned i = 0; at != NULL && i < 3; i++) {
        if (!take_real(&at, &ret[i]))
            return false;
    }
    return at != NULL;
}

static bool take_kibi(const char *text, const char *name, uint64_t *ret_bytes)
{
    uint64_t kibi = 0;
    const char *at = behind(text, name);
    if (at == NULL || !take_number(&at, &kibi) || kibi > UINT64_MAX / KIBI)
        return false;
    *ret_bytes = kibi * KIBI;
    return true;
}

/* The cache of ZFS gives way down to its least size, as that of the kernel does, but MemAvailable
 * does not count it: it is memory of a module. */
static uint64_t take_arc(const char *root)
{
    CLEANUP_FREE char *text = read_proc(root, "spl/kstat/zfs/arcstats");
    const char *size_at = text == NULL ? NULL : behind(text, "size ");
    const char *least_at = text == NULL ? NULL : behind(text, "c_min ");
    uint64_t kind, size, least; /* "size 4 1234", in bytes */
    if (size_at == NULL || !take_number(&size_at, &kind) || !take_number(&size_at, &size) ||
        least_at == NULL || !take_number(&least_at, &kind) || !take_number(&least_at, &least))
        return 0;
    return size > least ? size - least : 0;
}

static bool take_memory(const char *root, struct host_sample *ret)
{
    CLEANUP_FREE char *text = read_proc(root, "meminfo");
    if (text == NULL || !take_kibi(text, "MemTotal:", &ret->memory_total_bytes) ||
        !take_kibi(text, "MemAvailable:", &ret->memory_available_bytes))
        return false;
    if (ret->memory_available_bytes < ret->memory_total_bytes) {
        const uint64_t rest = ret->memory_total_bytes - ret->memory_available_bytes;
        const uint64_t arc = take_arc(root);
        ret->memory_available_bytes += arc < rest ? arc : rest;
    }
    (void)take_kibi(text, "Hugetlb:", &ret->memory_huge_bytes); /* since Linux 4.16; else 0 */
    if (!take_kibi(text, "SwapTotal:", &ret->swap_total_bytes) ||
        !take_kibi(text, "SwapFree:", &ret->swap_free_bytes))
        ret->swap_total_bytes = ret->swap_free_bytes = 0; /* a kernel without swap */
    return true;
}

/* "some avg10=0.12 avg60=..."; before Linux 5.13 cpu has no line "full". */
static bool take_average(const char *text, const char *line, double *ret)
{
    const char *at = behind(text, line);
    return at != NULL && take_real(&at, ret) && *ret <= 100;
}

static void take_pressure(const char *root, enum pressure_kind kind, struct pressure *ret)
{
    CLEANUP_FREE char *name = xasprintf("pressure/%s", pressure_kind_words[kind]);
    CLEANUP_FREE char *text = read_proc(root, name);
    ret->known = text != NULL && take_average(text, "some avg10=", &ret->some);
    if (!ret->known || !take_average(text, "full avg10=", &ret->full))
        ret->full = 0;
}

void host_sample_take(const char *root, struct host_sample *ret)
{
    *ret = (struct host_sample){.taken_at = clock_wall_us()};
    ret->cpu_known = take_cpu(root, ret->cpu);
    ret->load_known = take_load(root, ret->load);
    ret->memory_known = take_memory(root, ret);
    for (unsigned i = 0; i < PRESSURE_KIND_COUNT; i++)
        take_pressure(root, (enum pressure_kind)i, &ret->pressure[i]);
    power_take(root, &ret->power);
}

bool host_sample_shares(const struct host_sample *from, const struct host_sample *to,
                        double ret_shares[static CPU_CLASS_COUNT])
{
    double sum = 0;
    for (unsigned i = 0; i < CPU_CLASS_COUNT; i++) {
        /* Linux lets iowait step back a little (proc(5)). */
        const bool back = to->cpu[i] < from->cpu[i];
        if (!from->cpu_known || !to->cpu_known || (back && i != CPU_IOWAIT && i != CPU_IDLE))
            return false;
        ret_shares[i] = back ? 0 : (double)(to->cpu[i] - from->cpu[i]);
        sum += ret_shares[i];
    }
    for (unsigned i = 0; sum > 0 && i < CPU_CLASS_COUNT; i++)
        ret_shares[i] /= sum;
    return sum > 0;
}

double host_sample_busy(const double shares[static CPU_CLASS_COUNT])
{
    double busy = 0;
    for (unsigned i = 0; i < CPU_CLASS_COUNT; i++)
        busy += i == CPU_IDLE || i == CPU_IOWAIT ? 0 : shares[i];
    return busy;
}
