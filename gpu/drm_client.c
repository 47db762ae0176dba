#include "gpu/drm_client.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/gpu_report.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the memory of a region is told, the best first: what is there now, the same as older drivers
 * call it, and what was asked for. */
enum { RESIDENT, MEMORY, TOTAL, TELLINGS };

/* The regions are few, and what they are called is the driver's matter: memory of the GPU's own is
 * "vram" (amdgpu), "vram0" (xe) or "local0" (i915); that of the machine "gtt", "system" or
 * "system0". */
struct memory {
    bool has_own;
    uint64_t own[TELLINGS], shared[TELLINGS]; /* GPU_UNKNOWN: no region is told of so */
};

static const char *after(const char *text, const char *begin)
{
    const size_t length = strlen(begin);
    return strncmp(text, begin, length) == 0 ? text + length : NULL;
}

/* "12", "12 KiB", "12 MiB" or "12 ns": the unit must be one of those given, or none. */
static uint64_t number_of(const char *text, bool is_bytes)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return GPU_UNKNOWN;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    uint64_t factor = 1;
    end += strspn(end, " \t");
    if (is_bytes && strcmp(end, "KiB") == 0)
        factor = UINT64_C(1) << 10U;
    else if (is_bytes && strcmp(end, "MiB") == 0)
        factor = UINT64_C(1) << 20U;
    else if (*end != '\0' && (is_bytes || strcmp(end, "ns") != 0))
        return GPU_UNKNOWN;
    return errno != 0 || value > INT64_MAX / factor ? GPU_UNKNOWN : value * factor;
}

static void add(uint64_t *sum, uint64_t more)
{
    const uint64_t known = gpu_known(*sum) ? *sum : 0;
    if (gpu_known(more) && more <= INT64_MAX - known)
        *sum = known + more;
}

static void take_region(const char *region, unsigned telling, const char *value,
                        struct memory *memory)
{
    const bool own = after(region, "vram") != NULL || after(region, "local") != NULL;
    memory->has_own |= own;
    if (own)
        add(&memory->own[telling], number_of(value, true));
    else if (after(region, "system") != NULL || strcmp(region, "gtt") == 0)
        add(&memory->shared[telling], number_of(value, true));
}

/* NULL: there are too many, or its name is none. */
static struct drm_engine *engine_of(struct drm_client *client, const char *name)
{
    for (uint32_t i = 0; i < client->engines; i++) {
        if (strcmp(client->engine[i].name, name) == 0)
            return &client->engine[i];
    }
    if (client->engines == DRM_ENGINES || name[0] == '\0' ||
        strlen(name) >= sizeof(client->engine[0].name))
        return NULL;
    struct drm_engine *engine = &client->engine[client->engines++];
    *engine = (struct drm_engine){
        .busy_ns = GPU_UNKNOWN, .cycles = GPU_UNKNOWN, .total_cycles = GPU_UNKNOWN, .capacity = 1};
    (void)snprintf(engine->name, sizeof(engine->name), "%s", name);
    return engine;
}

/* "drm-engine-capacity-vcs" goes before "drm-engine-vcs": no engine is called "capacity-...". */
static void take_engine(const char *key, const char *value, struct drm_client *client)
{
    static const struct {
        const char *begin;
        size_t offset; /* in struct drm_engine */
    } kinds[] = {{"drm-engine-capacity-", offsetof(struct drm_engine, capacity)},
                 {"drm-engine-", offsetof(struct drm_engine, busy_ns)},
                 {"drm-cycles-", offsetof(struct drm_engine, cycles)},
                 {"drm-total-cycles-", offsetof(struct drm_engine, total_cycles)}};
    const uint64_t number = number_of(value, false);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *name = after(key, kinds[i].begin);
        if (name == NULL)
            continue;
        struct drm_engine *engine = gpu_known(number) ? engine_of(client, name) : NULL;
        if (engine != NULL && (i > 0 || number > 0))
            memcpy((char *)engine + kinds[i].offset, &number, sizeof(number));
        return;
    }
}

static void take_line(const char *key, const char *value, struct drm_client *client,
                      struct memory *memory)
{
    static const char *const tellings[TELLINGS] = {
        [RESIDENT] = "drm-resident-", [MEMORY] = "drm-memory-", [TOTAL] = "drm-total-"};
    if (strcmp(key, "drm-pdev") == 0 && strlen(value) < sizeof(client->pci))
        (void)snprintf(client->pci, sizeof(client->pci), "%s", value);
    else if (strcmp(key, "drm-client-id") == 0)
        client->id = number_of(value, false);
    else
        take_engine(key, value, client);
    for (unsigned i = 0; i < TELLINGS; i++) {
        const char *region = after(key, tellings[i]);
        if (region != NULL)
            take_region(region, i, value, memory);
    }
}

/* "KEY:  VALUE"; other lines are of other subsystems. */
static void take_text(char *text, struct drm_client *client, struct memory *memory)
{
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *value = strchr(line, ':');
        if (value == NULL || after(line, "drm-") == NULL)
            continue;
        *value++ = '\0';
        value += strspn(value, " \t");
        for (size_t end = strlen(value); end > 0 && isspace((unsigned char)value[end - 1]); end--)
            value[end - 1] = '\0';
        take_line(line, value, client, memory);
    }
}

bool drm_client_parse(const char *text, struct drm_client *ret)
{
    struct drm_client client = {.id = GPU_UNKNOWN, .memory_bytes = GPU_UNKNOWN};
    struct memory memory;
    memset(&memory, 0xff, sizeof(memory)); /* all GPU_UNKNOWN */
    memory.has_own = false;
    CLEANUP_FREE char *copy = xstrdup(text);
    take_text(copy, &client, &memory);
    const uint64_t *told = memory.has_own ? memory.own : memory.shared;
    for (unsigned i = TELLINGS; i-- > 0;)
        client.memory_bytes = gpu_known(told[i]) ? told[i] : client.memory_bytes;
    if (client.pci[0] == '\0' || !gpu_known(client.id))
        return false;
    *ret = client;
    return true;
}
