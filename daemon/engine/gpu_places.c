#include "daemon/engine/gpu_places.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "daemon/engine/internal.h"
#include "daemon/store/number_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A place as a number: the boot's checksum (25 bits), the vendor (2), and the address on the bus:
 * domain (20), bus (8), device (5) and function (3). 0: none was seen. */
#define BOOT_SHIFT 38U
#define VENDOR_SHIFT 36U
#define ADDRESS_BITS ((UINT64_C(1) << VENDOR_SHIFT) - 1)
#define NAME_BYTES 24U

/* ---- in the store ---- */

static void name_of(unsigned place, char ret[NAME_BYTES])
{
    (void)snprintf(ret, NAME_BYTES, "gpu_place_%u", place);
}

static uint64_t boot_of(const char *boot)
{
    return crc32c(0, boot, strlen(boot)) & ((UINT64_C(1) << 25U) - 1);
}

static void format_address(uint64_t address, char *ret, size_t bytes)
{
    (void)snprintf(ret, bytes, "%04x:%02x:%02x.%x", (unsigned)(address >> 16U),
                   (unsigned)(address >> 8U & 0xffU), (unsigned)(address >> 3U & 0x1fU),
                   (unsigned)(address & 7U));
}

static enum gpu_vendor vendor_of(int64_t number)
{
    return (enum gpu_vendor)((uint64_t)number >> VENDOR_SHIFT & 3U);
}

/* 0 of what is no address as /sys has it. */
static int64_t number_of(const char *boot, enum gpu_vendor vendor, const char *pci)
{
    char again[32], *end;
    const uint64_t domain = strtoul(pci, &end, 16);
    const uint64_t bus = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
    const uint64_t device = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
    const uint64_t function = *end == '.' ? strtoul(end + 1, &end, 16) : 0;
    const uint64_t address = (domain << 16U | bus << 8U | device << 3U | function) & ADDRESS_BITS;
    format_address(address, again, sizeof(again));
    if (strcmp(again, pci) != 0)
        return 0;
    return (int64_t)(boot_of(boot) << BOOT_SHIFT | (uint64_t)vendor << VENDOR_SHIFT | address);
}

/* 0 of another boot, and of another vendor than the one that is known. */
static int get(struct db *db, const struct gpu_places_of *of, unsigned place, int64_t *ret,
               struct error *err)
{
    char name[NAME_BYTES];
    name_of(place, name);
    if (number_rows_get(db, name, ret, err) < 0)
        return -1;
    if ((uint64_t)*ret >> BOOT_SHIFT != boot_of(of->boot) ||
        (of->vendor != GPU_VENDOR_COUNT && of->vendor != vendor_of(*ret)))
        *ret = 0;
    return 0;
}

int gpu_places_keep(struct db *db, const struct gpu_places_of *of, uint64_t *count,
                    struct error *err)
{
    int64_t number;
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        if (get(db, of, i, &number, err) < 0)
            return -1;
        *count = number != 0 && *count <= i ? i + 1 : *count;
    }
    return 0;
}

static void take(struct gpu_devices *devices, struct gpu_device *device, int64_t number)
{
    device->seen = true;
    device->stored = number;
    format_address((uint64_t)number & ADDRESS_BITS, device->pci, sizeof(device->pci));
    (void)snprintf(device->fault, sizeof(device->fault), "it was not looked at since batchd began");
    devices->vendor = vendor_of(number);
}

int gpu_places_load(struct engine *engine, struct error *err)
{
    struct gpu_pool pool = *scheduler_gpus(engine->scheduler);
    struct gpu_devices *devices = &engine->gate.gpus;
    const struct gpu_places_of of = {engine->options.boot_id, engine->options.gpu_vendor};
    int64_t number;
    devices->vendor = of.vendor;
    for (unsigned i = 0; i < pool.count && engine->options.gpus != NULL; i++) {
        if (get(engine->db, &of, i, &number, err) < 0)
            return -1;
        if (number == 0)
            continue;
        take(devices, &devices->device[i], number);
        pool.slot[i].out = true;
    }
    scheduler_see_gpus(engine->scheduler, &pool);
    return 0;
}

void gpu_places_store(struct engine *engine)
{
    struct gpu_devices *devices = &engine->gate.gpus;
    struct error err;
    char name[NAME_BYTES];
    for (unsigned i = 0; i < scheduler_gpus(engine->scheduler)->count; i++) {
        struct gpu_device *device = &devices->device[i];
        const int64_t number = number_of(engine->options.boot_id, devices->vendor, device->pci);
        if (number == device->stored || engine->broken)
            continue;
        device->stored = number;
        name_of(i, name);
        if (number_rows_set(engine->db, name, number, &err) < 0)
            engine_break(engine, &err);
    }
}

/* ---- to jobs ---- */

static char *list_of(const struct engine *engine, uint64_t set, bool names)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    const char *comma = "";
    if (file == NULL)
        out_of_memory();
    for (unsigned i = 0; i < GPUS_MAX; i++) {
        const struct gpu_device *device = &engine->gate.gpus.device[i];
        if ((set >> i & 1U) == 0)
            continue;
        if (names)
            (void)fprintf(file, "%s%s", comma, device->uuid);
        else
            (void)fprintf(file, "%s%u", comma, device->seen ? device->position : i);
        comma = ",";
    }
    if (fclose(file) != 0)
        out_of_memory();
    return text;
}

char *gpu_places_names(const struct engine *engine, uint64_t set)
{
    static const char begin[] = "GPU-";
    bool known = engine->gate.gpus.vendor == GPU_NVIDIA;
    for (unsigned i = 0; i < GPUS_MAX; i++)
        known &= (set >> i & 1U) == 0 ||
                 strncmp(engine->gate.gpus.device[i].uuid, begin, strlen(begin)) == 0;
    return known ? list_of(engine, set, true) : NULL;
}

char *gpu_places_numbers(const struct engine *engine, uint64_t set)
{
    return list_of(engine, set, false);
}
