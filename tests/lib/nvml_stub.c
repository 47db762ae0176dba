/* In the place of NVIDIA's management library, for tests: answers as its GPUs are described in a
 * file, line by line, whose path is compiled in (STUB_FILE). So a test changes what it says while
 * it is loaded. Which calls there are is compiled in, too: STUB_VERSION 1, 2 or 3 of the lists of
 * processes and of what else has versions, STUB_LEAST: nothing that can be missed.
 *
 *   gpu NAME UUID BUS TOTAL_MIB USED_MIB BUSY DEGREES   (one more GPU)
 *   process INDEX PID MIB        (computes on GPU INDEX; MIB -1: not available)
 *   graphics INDEX PID MIB
 *   lost INDEX | no-handle INDEX (this GPU fails)
 *   init CODE | count CODE       (that call fails)
 *   odd                          (processes of version 3 are records of 32 bytes)
 *   race                         (one process more, each time that they are counted)
 *   hang init | hang memory | crash init
 *   from LOOK                    (what is above is so before this look at the file, 1, 2, ..., what
 * is below from it on) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GPUS 8
#define PROCESSES 64
#define MIB (UINT64_C(1) << 20)
#define LOST 15
#define NOT_SUPPORTED 3
#define INSUFFICIENT 7

struct process {
    int gpu, graphics;
    unsigned pid;
    long long mib;
};

static struct {
    int count, processes, init, counting, odd, race, hang_init, hang_memory, crash;
    int lost[GPUS], no_handle[GPUS];
    char name[GPUS][64], uuid[GPUS][64];
    unsigned bus[GPUS], busy[GPUS], degrees[GPUS];
    unsigned long long total[GPUS], used[GPUS];
    struct process process[PROCESSES];
} now;

/* At the file as it is now. */
static struct timespec written;
static int looks;

static void count_look(void)
{
    struct stat file;
    if (stat(STUB_FILE, &file) != 0)
        return;
    if (memcmp(&file.st_mtim, &written, sizeof(written)) != 0)
        looks = 0;
    written = file.st_mtim;
    looks++;
}

/* Whether it is not for this look, nor is what follows. */
static int is_later(const char *line)
{
    int from = 0;
    if (sscanf(line, "from %d", &from) == 1 && from <= looks)
        memset(&now, 0, sizeof(now));
    return from > looks;
}

static void take(const char *line)
{
    int i = now.count < GPUS ? now.count : 0;
    struct process p = {0};
    char word[16];
    if (sscanf(line, "gpu %63s %63s %x %llu %llu %u %u", now.name[i], now.uuid[i], &now.bus[i],
               &now.total[i], &now.used[i], &now.busy[i], &now.degrees[i]) == 7)
        now.count++;
    else if (now.processes < PROCESSES &&
             sscanf(line, "%15s %d %u %lld", word, &p.gpu, &p.pid, &p.mib) == 4 &&
             (strcmp(word, "process") == 0 || (p.graphics = strcmp(word, "graphics") == 0)))
        now.process[now.processes++] = p;
    else if (sscanf(line, "lost %d", &i) == 1)
        now.lost[i] = 1;
    else if (sscanf(line, "no-handle %d", &i) == 1)
        now.no_handle[i] = 1;
    else if (sscanf(line, "init %d", &i) == 1)
        now.init = i;
    else if (sscanf(line, "count %d", &i) == 1)
        now.counting = i;
    now.odd |= strncmp(line, "odd", 3) == 0;
    now.race |= strncmp(line, "race", 4) == 0;
    now.hang_init |= strncmp(line, "hang init", 9) == 0;
    now.hang_memory |= strncmp(line, "hang memory", 11) == 0;
    now.crash |= strncmp(line, "crash init", 10) == 0;
}

static void look(void)
{
    char line[256];
    FILE *file = fopen(STUB_FILE, "r");
    memset(&now, 0, sizeof(now));
    while (file != NULL && fgets(line, sizeof(line), file) != NULL && !is_later(line))
        take(line);
    if (file != NULL)
        (void)fclose(file);
}

static int of(const void *device)
{
    return (int)((uintptr_t)device - 1);
}

/* How often it was begun is the length of a file beside. */
static void count_init(void)
{
    FILE *file = fopen(STUB_FILE ".inits", "a");
    if (file != NULL) {
        (void)fputc('.', file);
        (void)fclose(file);
    }
}

int nvmlInit(void)
{
    count_init();
    look();
    if (now.crash)
        abort();
    while (now.hang_init)
        (void)pause();
    return now.init;
}

int nvmlDeviceGetCount(unsigned *ret)
{
    count_look();
    look();
    *ret = (unsigned)now.count;
    return now.counting;
}

int nvmlDeviceGetHandleByIndex(unsigned index, void **ret)
{
    *ret = (void *)((uintptr_t)index + 1);
    return now.no_handle[index] ? 999 : 0;
}

#ifndef STUB_LEAST
int nvmlShutdown(void)
{
    return 0;
}

const char *nvmlErrorString(int result)
{
    return result == LOST ? "GPU is lost"
           : result == 18 ? "Driver/library version mismatch"
                          : "Unknown Error";
}

int nvmlDeviceGetName(void *device, char *ret, unsigned bytes)
{
    (void)snprintf(ret, bytes, "%s", now.name[of(device)]);
    return 0;
}

int nvmlDeviceGetUUID(void *device, char *ret, unsigned bytes)
{
    (void)snprintf(ret, bytes, "%s", now.uuid[of(device)]);
    return 0;
}

/* Writes no more than its version has. */
static int put_pci(const void *device, unsigned char *ret, size_t bytes)
{
    uint32_t numbers[5] = {0, now.bus[of(device)], 0, 0x20b010de, 0};
    memset(ret, 0, bytes);
    (void)snprintf((char *)ret, 16, "0000:%02X:00.0", numbers[1]);
    memcpy(ret + 16, numbers, sizeof(numbers));
    return 0;
}

#if STUB_VERSION >= 3
int nvmlDeviceGetPciInfo_v3(void *device, void *ret)
{
    (void)put_pci(device, ret, 68);
    (void)snprintf((char *)ret + 36, 32, "00000000:%02X:00.0", now.bus[of(device)]);
    return 0;
}
#elif STUB_VERSION == 2
int nvmlDeviceGetPciInfo_v2(void *device, void *ret)
{
    return put_pci(device, ret, 52);
}
#else
int nvmlDeviceGetPciInfo(void *device, void *ret)
{
    return put_pci(device, ret, 36);
}
#endif

static int memory(const void *device, unsigned long long *total, unsigned long long *used)
{
    look();
    while (now.hang_memory)
        (void)pause();
    *total = now.total[of(device)] * MIB;
    *used = now.used[of(device)] * MIB;
    return now.lost[of(device)] ? LOST : 0;
}

#if STUB_VERSION >= 2
/* Its driver wants the version of the record. What it keeps for itself is not used. */
int nvmlDeviceGetMemoryInfo_v2(void *device, void *ret)
{
    uint32_t version;
    unsigned long long total, used;
    memcpy(&version, ret, sizeof(version));
    if (version != 0x02000028)
        return 2;
    int result = memory(device, &total, &used);
    uint64_t numbers[4] = {total, 100 * MIB, total - used - 100 * MIB, used};
    memcpy((char *)ret + 8, numbers, sizeof(numbers));
    return result;
}
#endif

int nvmlDeviceGetMemoryInfo(void *device, void *ret)
{
    unsigned long long total, used;
    int result = memory(device, &total, &used);
    uint64_t numbers[3] = {total, total - used, used};
    memcpy(ret, numbers, sizeof(numbers));
    return result;
}

int nvmlDeviceGetUtilizationRates(void *device, void *ret)
{
    uint32_t numbers[2] = {now.busy[of(device)], 0};
    memcpy(ret, numbers, sizeof(numbers));
    return now.lost[of(device)] ? LOST : 0;
}

int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *ret)
{
    *ret = now.degrees[of(device)];
    return sensor != 0 ? 2 : now.degrees[of(device)] == 0 ? NOT_SUPPORTED : 0;
}

static void put_record(unsigned char *at, const struct process *process, size_t bytes)
{
    uint32_t none = UINT32_MAX; /* no instance of a GPU */
    uint64_t used = process->mib < 0 ? UINT64_MAX : (uint64_t)process->mib * MIB;
    uint64_t of_confidential = process->mib % 2 == 0 ? 0 : UINT64_MAX;
    memcpy(at, &process->pid, sizeof(process->pid));
    memcpy(at + 8, &used, sizeof(used));
    if (bytes >= 24)
        memcpy(at + 16, &none, sizeof(none));
    if (bytes >= 24)
        memcpy(at + 20, &none, sizeof(none));
    if (bytes >= 32)
        memcpy(at + 24, &of_confidential, sizeof(of_confidential));
}

/* As the library: with too little room it says how many there are. */
static int list(const void *device, int graphics, unsigned *count, unsigned char *ret, size_t bytes)
{
    unsigned found = 0;
    look();
    for (int i = 0; i < now.processes; i++)
        found += now.process[i].gpu == of(device) && now.process[i].graphics == graphics;
    if (*count < found) {
        *count = found - (now.race && found > 0);
        return INSUFFICIENT;
    }
    *count = found;
    for (int i = 0, at = 0; i < now.processes; i++) {
        if (now.process[i].gpu == of(device) && now.process[i].graphics == graphics)
            put_record(ret + bytes * (size_t)at++, &now.process[i], bytes);
    }
    return 0;
}

#if STUB_VERSION >= 3
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *ret)
{
    return list(device, 0, count, ret, now.odd ? 32 : 24);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, void *ret)
{
    return list(device, 1, count, ret, now.odd ? 32 : 24);
}
#endif
#if STUB_VERSION >= 2
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, void *ret)
{
    return list(device, 0, count, ret, 24);
}
#endif
int nvmlDeviceGetComputeRunningProcesses(void *device, unsigned *count, void *ret)
{
    return list(device, 0, count, ret, 16);
}
#endif
