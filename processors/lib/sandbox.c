#include "processors/lib/sandbox.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "processors/lib/journal.h"
#include "processors/lib/landlock.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/syscalls.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* An output, an input, a work file and the joints of a plan are a handful. */
#define FILES_MAX 256U
#define GPUS_MAX 32U
#define FILES_MAX_PER_CPU 4 /* what a lane reads and writes */
/* Of private memory that a job asks for and never touches: the data of 200 libraries, and for each
 * of its cpus some threads with a stack of 8 MiB. What is touched is the job's share itself. */
#define MEMORY_SPARE (256ULL << 20)
#define MEMORY_SPARE_PER_CPU (128ULL << 20)

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

/* The folder of a path that stands up to `end`. */
static char *folder_of(const char *path, size_t end)
{
    while (end > 1 && path[end - 1] != '/')
        end--;
    return xasprintf("%.*s", (int)end, path);
}

/* A file, a folder, or a pattern: then all below the last folder that it names. */
static void allow_input(const struct landlock *rules, const char *path)
{
    size_t plain = strcspn(path, "*?[");
    landlock_allow(rules, path, LANDLOCK_READ);
    if (path[plain] == '\0')
        return;
    CLEANUP_FREE char *folder = folder_of(path, plain);
    landlock_allow(rules, folder, LANDLOCK_READ);
}

/* The folder of the output, where the staging file lies too; an output that is a folder itself. In
 * no job the work folder lies beside the output. */
static void allow_output(const struct landlock *rules, const char *path, const char *work)
{
    struct stat info;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (is_folder)
        landlock_allow(rules, path, LANDLOCK_WRITE);
    if (is_folder && work != NULL)
        return;
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    CLEANUP_FREE char *folder = folder_of(path, end);
    landlock_allow(rules, folder, LANDLOCK_WRITE);
}

static void allow_path(const struct landlock *rules, const struct request *request,
                       const json_t *value, bool written, const char *work)
{
    if (!json_is_string(value))
        return;
    CLEANUP_FREE char *path = request_absolute(request, json_string_value(value));
    if (written)
        allow_output(rules, path, work);
    else
        allow_input(rules, path);
}

static void allow_param(const struct landlock *rules, const struct request *request,
                        const json_t *param, const char *work)
{
    const json_t *value =
        json_object_get(request->params, json_string_value(json_object_get(param, "name")));
    const char *access = json_string_value(json_object_get(param, "access"));
    bool written = access != NULL && strcmp(access, "write") == 0;
    size_t i;
    json_t *path;
    if (strncmp(json_string_value(json_object_get(param, "type")), "path", 4) != 0)
        return;
    allow_path(rules, request, value, written, work);
    json_array_foreach((json_t *)(uintptr_t)value, i, path)
        allow_path(rules, request, path, written, work);
}

/* Whether this job has an output: then it may keep what is done of it. */
static bool writes(const struct request *request)
{
    size_t i;
    json_t *param;
    json_array_foreach(json_object_get(request->manifest, "params"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        const char *access = json_string_value(json_object_get(param, "access"));
        if (access != NULL && strcmp(access, "write") == 0 &&
            json_object_get(request->params, name) != NULL)
            return true;
    }
    return false;
}

/* A parameter of this name says so in any processor that has it. */
static bool wants_gpu(const struct request *request)
{
    return strcmp(request_string(request, "hardware", "never"), "never") != 0;
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

static int confine_files(const struct request *request)
{
    struct landlock rules;
    size_t i;
    json_t *param;
    const char *work = getenv("BATCHD_CHECKPOINT_DIR"); /* NOLINT(concurrency-mt-unsafe): alone */
    landlock_begin(&rules);
    if (rules.version == 0)
        return 0;
    allow_system(&rules);
    if (wants_gpu(request))
        allow_gpu(&rules);
    if (work != NULL && writes(request))
        journal_make_home();
    if (work != NULL)
        landlock_allow(&rules, work, LANDLOCK_WRITE);
    json_array_foreach(json_object_get(request->manifest, "params"), i, param)
        allow_param(&rules, request, param, work);
    return landlock_enter(&rules) < 0 ? 0 : rules.version;
}

static void lower_limit(__rlimit_resource_t resource, uint64_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_cur <= value)
        return;
    limit.rlim_cur = value;
    limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

/* How much private memory may be asked for: 0, no limit. Not of address space: the libraries and
 * what a thread's allocator only reserves would count. Beyond it an allocation fails and the job
 * says so, where the kernel's own limit would kill it. */
static uint64_t limit_memory(const struct request *request)
{
    const char *text = getenv("BATCHD_MEMORY_BYTES"); /* NOLINT(concurrency-mt-unsafe): alone */
    uint64_t share = 0;
    if (SANITIZED || text == NULL || parse_u64(text, 1, INT64_MAX, &share, NULL) < 0)
        return 0;
    uint64_t spare = MEMORY_SPARE + MEMORY_SPARE_PER_CPU * request->cpus;
    lower_limit(RLIMIT_DATA, share + spare);
    return share + spare;
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

json_t *sandbox_enter(const struct sandbox *prepared, const struct request *request)
{
    json_t *facts = json_object();
    uint64_t memory = limit_memory(request);
    lower_limit(RLIMIT_CORE, 0);
    lower_limit(RLIMIT_NOFILE, FILES_MAX + FILES_MAX_PER_CPU * (uint64_t)request->cpus);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int landlock = confine_files(request);
    bool seccomp = syscalls_restrict(prepared->calls, wants_gpu(request)) == 0;
    if (landlock == 0)
        report_log("sandbox: this kernel has no landlock; files are not confined");
    if (!seccomp)
        report_log("sandbox: this kernel has no seccomp; the network is not closed");
    json_put(facts, "landlock", landlock == 0 ? json_null() : json_integer(landlock));
    json_put(facts, "seccomp", json_boolean(seccomp));
    json_put(facts, "network", json_boolean(!seccomp));
    json_put(facts, "gpu", json_boolean(wants_gpu(request)));
    json_put(facts, "memory_bytes", memory == 0 ? json_null() : json_integer((json_int_t)memory));
    return facts;
}
