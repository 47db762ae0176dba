#include "processors/lib/sandbox.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/lib/landlock.h"
#include "processors/lib/path_params.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/staging.h"
#include "processors/lib/syscalls.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

/* An output, an input, a work file and the joints of a plan are a handful. */
#define FILES_MAX 256U
#define GPUS_MAX 32U
#define FILES_MAX_PER_CPU 4 /* what a lane reads and writes */
/* Of private memory that a job asks for and never touches: the data of 200 libraries, and for each
 * of its cpus some threads with a stack of 8 MiB. What is touched is the job's share itself. */
#define MEMORY_SPARE (256ULL << 20)
#define MEMORY_SPARE_PER_CPU (128ULL << 20)

/* Of a file that it writes: room for pictures and videos made of little, as one colour enlarged to
 * 16384 x 16384 pixels of 8 bytes (2 GiB), and beyond that so many times what it reads: video that
 * is encoded without loss has less than a hundred times the bytes of what people keep. */
#define FILE_BYTES_SPARE (4ULL << 30)
#define FILE_BYTES_EACH 256U
#define FILE_BYTES_READ_MAX (1ULL << 50)

/* What libraries read: themselves (plug-ins that are loaded late), the dynamic linker's index, how
 * many processors and memory nodes there are, chance. */
static void allow_system(const struct landlock *rules)
{
    static const char *const read[] = {
        "/usr",          "/lib",          "/lib64",     "/etc/ld.so.cache",    "/etc/localtime",
        "/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/sys/devices/system", "/dev/urandom"};
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        landlock_allow(rules, read[i], LANDLOCK_READ);
    landlock_allow(rules, "/dev/null", LANDLOCK_DEVICE);
}

/* What the parameters let it read. */
struct reading {
    const struct request *request;
    struct landlock rules;
    uint64_t bytes; /* of all files */
};

static void allow_input(void *arg, const char *path)
{
    struct reading *reading = arg;
    struct stat info;
    landlock_allow(&reading->rules, path, LANDLOCK_READ);
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
        reading->bytes += (uint64_t)info.st_size;
}

/* One that is written is the staging folder's (staging.h). */
static void allow_param(struct reading *reading, const struct path_param *param)
{
    if (!param->is_written)
        path_param_each(reading->request, param, allow_input, reading);
}

/* Its nodes, and where drivers and their libraries look for what is there. */
static void allow_gpu(const struct landlock *rules)
{
    static const char *const nodes[] = {"/dev/dri", "/dev/nvidiactl", "/dev/nvidia-uvm",
                                        "/dev/nvidia-caps", "/dev/nvidia-modeset"};
    static const char *const read[] = {"/sys/class/drm", "/sys/dev/char", "/sys/bus/pci",
                                       "/sys/devices",   "/sys/module",   "/proc/driver",
                                       "/proc/devices",  "/proc/modules", "/etc/nvidia"};
    char path[32];
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        landlock_allow(rules, nodes[i], LANDLOCK_GPU);
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        landlock_allow(rules, read[i], LANDLOCK_READ);
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        (void)snprintf(path, sizeof(path), "/dev/nvidia%u", i);
        landlock_allow(rules, path, LANDLOCK_GPU);
    }
}

/* The version of landlock that holds, 0: none. */
static int confine_files(const struct request *request, bool gpu, uint64_t *ret_bytes)
{
    struct reading reading = {.request = request};
    struct path_param param;
    size_t at = 0;
    landlock_begin(&reading.rules);
    allow_system(&reading.rules);
    if (gpu)
        allow_gpu(&reading.rules);
    while (path_param_next(request, &at, &param))
        allow_param(&reading, &param);
    if (staging_folder() != NULL)
        landlock_allow(&reading.rules, staging_folder(), LANDLOCK_WRITE);
    if (staging_work() != NULL)
        landlock_allow(&reading.rules, staging_work(), LANDLOCK_WRITE);
    *ret_bytes = reading.bytes;
    if (reading.rules.version == 0)
        return 0;
    return landlock_enter(&reading.rules) < 0 ? 0 : reading.rules.version;
}

/* A limit that is lower stays. */
static void lower_limit(__rlimit_resource_t resource, uint64_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_cur <= value)
        return;
    limit.rlim_cur = value;
    limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

/* What holds now; null: no limit. */
static json_t *limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY
               ? json_null()
               : json_integer((json_int_t)limit.rlim_cur);
}

/* Where the job has no share: all of the machine's, with what it swaps. */
static uint64_t machine_memory(void)
{
    struct sysinfo info;
    return sysinfo(&info) < 0 ? 0 : ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

/* How much private memory may be asked for. Not of address space: the libraries and what a thread's
 * allocator only reserves would count. Beyond it an allocation fails and the job says so, where the
 * kernel's own limit would kill it. */
static void limit_memory(const struct request *request, bool gpu)
{
    uint64_t share = request->memory_bytes;
    if (share == 0 && !gpu) /* drivers map what the card has, too */
        share = machine_memory();
    if (!SANITIZED && share > 0)
        lower_limit(RLIMIT_DATA, share + MEMORY_SPARE + MEMORY_SPARE_PER_CPU * request->cpus);
}

/* Whether somebody looks at how much it writes in all; null: there is nowhere to. */
static json_t *is_watched(void)
{
    return staging_folder() == NULL && staging_work() == NULL ? json_null()
                                                              : json_boolean(staging_is_watched());
}

/* How large each file that it writes may become, by what it reads. The kernel then refuses the
 * write, and the job says so. */
static void limit_files(uint64_t read_bytes)
{
    if (read_bytes <= FILE_BYTES_READ_MAX)
        lower_limit(RLIMIT_FSIZE, FILE_BYTES_SPARE + FILE_BYTES_EACH * read_bytes);
}

void sandbox_prepare(struct sandbox *ret)
{
    ret->calls = syscalls_prepare();
}

void sandbox_done(struct sandbox *sandbox)
{
    syscalls_done(sandbox->calls);
    sandbox->calls = NULL;
}

json_t *sandbox_enter(const struct sandbox *prepared, const struct request *request, bool gpu)
{
    json_t *facts = json_object();
    uint64_t read_bytes = 0;
    limit_memory(request, gpu);
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_NOFILE, FILES_MAX + FILES_MAX_PER_CPU * (uint64_t)request->cpus);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int landlock = confine_files(request, gpu, &read_bytes);
    limit_files(read_bytes);
    bool seccomp = syscalls_restrict(prepared->calls, gpu) == 0;
    if (landlock == 0)
        report_log("sandbox: this kernel has no landlock; files are not confined");
    if (!seccomp)
        report_log("sandbox: this kernel has no seccomp; the network is not closed");
    if (staging_folder() != NULL && !staging_is_watched())
        report_log("sandbox: nobody looks at how much is written in all; each file is limited");
    json_put(facts, "landlock", landlock == 0 ? json_null() : json_integer(landlock));
    json_put(facts, "seccomp", json_boolean(seccomp));
    json_put(facts, "network", json_boolean(!seccomp));
    json_put(facts, "gpu", json_boolean(gpu));
    json_put(facts, "memory_bytes", limit_of(RLIMIT_DATA));
    json_put(facts, "file_bytes", limit_of(RLIMIT_FSIZE));
    json_put(facts, "watched", is_watched());
    return facts;
}
