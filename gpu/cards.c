#include "gpu/cards.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "gpu/drm_processes.h"
#include "gpu/idle.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRM "/sys/class/drm/"
/* PCI's numbers of vendors. */
#define VENDOR_AMD 0x1002U
#define VENDOR_INTEL 0x8086U

struct cards {
    struct gpu_idle *idle;
    struct drm_processes *processes;
};

struct card {
    enum gpu_vendor vendor;
    char pci[32];
    char path[32];   /* below the root: "/sys/class/drm/card0" */
    char folder[48]; /* "/sys/class/drm/card0/device" */
};

/* "card0", and not its plugs ("card0-DP-1"). */
static bool is_card(const char *path)
{
    const char *digits = strrchr(path, '/') + strlen("/card");
    const size_t count = strspn(digits, "0123456789");
    return count > 0 && count < 8 && digits[count] == '\0';
}

static bool vendor_of(uint64_t number, enum gpu_vendor *ret)
{
    if (number == VENDOR_AMD)
        *ret = GPU_AMD;
    else if (number == VENDOR_INTEL)
        *ret = GPU_INTEL;
    else
        return false;
    return true;
}

/* Its folder is a link into the tree of devices, where it is called by its address. */
static void find_address(const struct look *look, struct card *card)
{
    char target[PATH_MAX];
    CLEANUP_FREE char *path = xasprintf("%s%s", look->root, card->folder);
    const ssize_t bytes = readlink(path, target, sizeof(target) - 1);
    target[bytes < 0 ? 0 : bytes] = '\0';
    const char *slash = strrchr(target, '/');
    (void)snprintf(card->pci, sizeof(card->pci), "%.31s", slash == NULL ? "" : slash + 1);
}

static bool find_card(const struct look *look, const char *path, struct card *ret)
{
    struct card card = {.folder = ""};
    if (!is_card(path))
        return false;
    (void)snprintf(card.path, sizeof(card.path), DRM "%.12s", strrchr(path, '/') + 1);
    (void)snprintf(card.folder, sizeof(card.folder), "%s/device", card.path);
    CLEANUP_FREE char *vendor = xasprintf("%s/vendor", card.folder);
    if (!vendor_of(look_number(look, vendor, 16), &card.vendor))
        return false;
    find_address(look, &card);
    *ret = card;
    return true;
}

static int by_vendor_and_address(const void *a, const void *b)
{
    const struct card *one = a;
    const struct card *other = b;
    const int vendors = (int)one->vendor - (int)other->vendor;
    return vendors != 0 ? vendors : strcmp(one->pci, other->pci);
}

static uint64_t number_in(const struct look *look, const struct card *card, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", card->folder, name);
    return look_number(look, path, 10);
}

/* In thousandths, of the first sensor (Documentation/hwmon/sysfs-interface of Linux). */
static uint64_t temperature_of(const struct look *look, const struct card *card)
{
    uint64_t found = GPU_UNKNOWN;
    glob_t paths = {0};
    CLEANUP_FREE char *pattern =
        xasprintf("%s%s/hwmon/hwmon*/temp1_input", look->root, card->folder);
    if (glob(pattern, 0, NULL, &paths) == 0 && paths.gl_pathc > 0)
        found = look_number(look, paths.gl_pathv[0] + strlen(look->root), 10);
    globfree(&paths);
    return gpu_known(found) && found < 1000000 ? found / 1000 : GPU_UNKNOWN;
}

static void name_card(const struct look *look, const struct card *card, struct gpu_facts *gpu)
{
    CLEANUP_FREE char *name = xasprintf("%s/product_name", card->folder);
    CLEANUP_FREE char *number = xasprintf("%s/device", card->folder);
    CLEANUP_FREE char *unique = xasprintf("%s/unique_id", card->folder);
    if (look_line(look, name, gpu->name, sizeof(gpu->name)) < 0 || gpu->name[0] == '\0') {
        const uint64_t device = look_number(look, number, 16);
        (void)snprintf(gpu->name, sizeof(gpu->name), "%s GPU %04llx",
                       card->vendor == GPU_AMD ? "AMD" : "Intel",
                       (unsigned long long)(gpu_known(device) ? device & 0xffff : 0));
    }
    if (look_line(look, unique, gpu->uuid, sizeof(gpu->uuid)) < 0)
        gpu->uuid[0] = '\0';
}

/* Documentation/gpu/amdgpu of Linux: mem_info_vram_*. */
static void look_at_memory_of_amd(const struct look *look, const struct card *card,
                                  struct gpu_facts *gpu)
{
    const uint64_t total = number_in(look, card, "mem_info_vram_total");
    const uint64_t used = number_in(look, card, "mem_info_vram_used");
    if (!gpu_known(total) || total == 0)
        return;
    gpu->memory_total_bytes = total;
    gpu->memory_used_bytes = !gpu_known(used) || used <= total ? used : total;
}

/* Of cards with memory of their own: xe tells it of each tile, i915 only with Intel's own modules.
 * What of it is in use they do not tell. */
static void look_at_memory_of_intel(const struct look *look, const struct card *card,
                                    struct gpu_facts *gpu)
{
    static const char *const places[] = {"/device/tile*/physical_vram_size_bytes",
                                         "/device/tile*/memory/physical_vram_size_bytes",
                                         "/lmem_total_bytes", "/device/lmem_total_bytes"};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && sum == 0; i++) {
        glob_t paths = {0};
        CLEANUP_FREE char *pattern = xasprintf("%s%s%s", look->root, card->path, places[i]);
        const int result = glob(pattern, 0, NULL, &paths);
        for (size_t p = 0; result == 0 && p < paths.gl_pathc; p++) {
            const uint64_t bytes = look_number(look, paths.gl_pathv[p] + strlen(look->root), 10);
            sum += bytes <= INT64_MAX / GPU_REPORT_GPUS ? bytes : 0;
        }
        globfree(&paths);
    }
    gpu->memory_total_bytes = sum > 0 ? sum : GPU_UNKNOWN;
}

/* A card that sleeps as a whole does nothing, and to ask how much, or how warm it is, wakes it. */
static bool sleeps(const struct look *look, const struct card *card)
{
    char state[16];
    CLEANUP_FREE char *path = xasprintf("%s/power/runtime_status", card->folder);
    return look_line(look, path, state, sizeof(state)) == 0 && strcmp(state, "suspended") == 0;
}

static void look_at_load(struct cards *cards, const struct look *look, const struct card *card,
                         struct gpu_facts *gpu)
{
    if (sleeps(look, card)) {
        gpu->busy_percent = 0;
        return;
    }
    const uint64_t busy = card->vendor == GPU_AMD ? number_in(look, card, "gpu_busy_percent")
                                                  : gpu_idle_busy(cards->idle, look, card->path);
    gpu->busy_percent = busy <= 100 ? busy : GPU_UNKNOWN;
    gpu->temperature = temperature_of(look, card);
}

/* What is not there is unknown. */
static void look_at_card(struct cards *cards, const struct look *look, const struct card *card,
                         struct gpu_report *report)
{
    struct gpu_facts *gpu = look_add(report, card->vendor);
    if (gpu == NULL)
        return;
    (void)snprintf(gpu->pci, sizeof(gpu->pci), "%s", card->pci);
    name_card(look, card, gpu);
    if (card->vendor == GPU_AMD)
        look_at_memory_of_amd(look, card, gpu);
    else
        look_at_memory_of_intel(look, card, gpu);
    look_at_load(cards, look, card, gpu);
    gpu->numa_node = number_in(look, card, "numa_node");
}

struct cards *cards_new(void)
{
    struct cards *cards = xcalloc(1, sizeof(*cards));
    *cards = (struct cards){.idle = gpu_idle_new(), .processes = drm_processes_new()};
    return cards;
}

void cards_free(struct cards *cards)
{
    if (cards == NULL)
        return;
    gpu_idle_free(cards->idle);
    drm_processes_free(cards->processes);
    free(cards);
}

void cards_look(struct cards *cards, const struct look *look, struct gpu_report *report)
{
    struct card found[GPU_REPORT_GPUS];
    size_t count = 0;
    const uint32_t first = report->count;
    glob_t paths = {0};
    CLEANUP_FREE char *pattern = xasprintf("%s" DRM "card[0-9]*", look->root);
    if (glob(pattern, 0, NULL, &paths) == 0) {
        for (size_t i = 0; i < paths.gl_pathc && count < GPU_REPORT_GPUS; i++)
            count += find_card(look, paths.gl_pathv[i], &found[count]);
    }
    globfree(&paths);
    qsort(found, count, sizeof(found[0]), by_vendor_and_address);
    for (size_t i = 0; i < count; i++)
        look_at_card(cards, look, &found[i], report);
    drm_processes_look(cards->processes, look, report, first);
}
