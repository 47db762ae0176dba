#include "daemon/resources/gpu_devices.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/core/gpus.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* PCI's numbers. */
#define VENDOR_AMD 0x1002
#define VENDOR_NVIDIA 0x10de
#define VENDOR_INTEL 0x8086

/* Of one file, at most that long. */
#define NUMBER_BYTES 64U

/* Whether the path ends in a word and a number, as in "nvidia0": "nvidiactl" does not. */
static bool is_numbered(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t word = strcspn(slash, "0123456789");
    return slash[word] != '\0' && slash[word + strspn(slash + word, "0123456789")] == '\0';
}

static bool any(const char *path)
{
    return path[0] != '\0';
}

/* A processor is a node, too, with the id 0. */
static bool has_gpu_id(const char *path)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, NUMBER_BYTES, &bytes);
    return text != NULL && strtoull(text, NULL, 10) != 0;
}

static unsigned long long vendor_of(const char *path)
{
    size_t bytes = 0;
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, NUMBER_BYTES, &bytes);
    return text == NULL ? 0 : strtoull(text, NULL, 16);
}

/* ".../card0/device/vendor"; "card0-DP-1" is a plug. */
static bool is_of_card(const char *path)
{
    static const char word[] = "/drm/card";
    const char *card = strstr(path, word);
    const char *digits = card == NULL ? "" : card + strlen(word);
    return digits[strspn(digits, "0123456789")] == '/';
}

static bool is_amd(const char *path)
{
    return is_of_card(path) && vendor_of(path) == VENDOR_AMD;
}

static bool is_known(const char *path)
{
    const unsigned long long vendor = vendor_of(path);
    return vendor == VENDOR_AMD || vendor == VENDOR_NVIDIA || vendor == VENDOR_INTEL;
}

static uint32_t count(const char *root, const char *pattern, bool (*counts)(const char *path))
{
    CLEANUP_FREE char *whole = xasprintf("%s%s", root, pattern);
    uint32_t found = 0;
    glob_t paths = {0};
    if (glob(whole, 0, NULL, &paths) == 0) {
        for (size_t i = 0; i < paths.gl_pathc && found < GPUS_MAX; i++)
            found += counts(paths.gl_pathv[i]);
    }
    globfree(&paths);
    return found;
}

uint32_t gpu_devices_count(const char *root, enum gpu_vendor *ret_vendor)
{
    static const struct {
        const char *pattern;
        bool (*counts)(const char *path);
        enum gpu_vendor vendor;
    } places[] = {{"/proc/driver/nvidia/gpus/*", any, GPU_NVIDIA},
                  {"/dev/nvidia[0-9]*", is_numbered, GPU_NVIDIA},
                  {"/sys/class/kfd/kfd/topology/nodes/*/gpu_id", has_gpu_id, GPU_AMD},
                  {"/sys/class/drm/card[0-9]*/device/vendor", is_amd, GPU_AMD}};
    uint32_t found = 0;
    enum gpu_vendor vendor = GPU_VENDOR_COUNT;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && found == 0; i++) {
        found = count(root, places[i].pattern, places[i].counts);
        vendor = found > 0 ? places[i].vendor : vendor;
    }
    if (ret_vendor != NULL)
        *ret_vendor = vendor;
    return found;
}

bool gpu_devices_any(const char *root)
{
    return count(root, "/proc/driver/nvidia/gpus/*", any) > 0 ||
           count(root, "/dev/nvidia[0-9]*", is_numbered) > 0 ||
           count(root, "/dev/dxg", any) > 0 || /* Windows' subsystem for Linux */
           count(root, "/sys/class/drm/card[0-9]*/device/vendor", is_known) > 0;
}
