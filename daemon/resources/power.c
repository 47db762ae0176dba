#include "daemon/resources/power.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Each file is a word or a number. */
#define FILE_BYTES_MAX 4096U

/* What was seen of all supplies so far. */
struct supplies {
    bool supplied, discharging;
    unsigned batteries;
    double percents;
};

/* The first line of a file of the supply; owned by the caller, "" when it cannot be read. */
static char *word_of(const char *folder, const char *supply, const char *name)
{
    size_t bytes = 0;
    CLEANUP_FREE char *path = xasprintf("%s/%s/%s", folder, supply, name);
    char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
    if (text == NULL)
        return xstrdup("");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static bool says(const char *folder, const char *supply, const char *name, const char *wanted)
{
    CLEANUP_FREE char *word = word_of(folder, supply, name);
    return strcmp(word, wanted) == 0;
}

static void take_battery(const char *folder, const char *supply, struct supplies *supplies)
{
    uint64_t percent = 0;
    CLEANUP_FREE char *capacity = word_of(folder, supply, "capacity");
    if (says(folder, supply, "scope", "Device") || says(folder, supply, "present", "0") ||
        parse_u64(capacity, 0, 100, &percent, NULL) < 0)
        return;
    supplies->batteries++;
    supplies->percents += (double)percent;
    supplies->discharging |= says(folder, supply, "status", "Discharging");
}

static void take(const char *folder, const char *supply, struct supplies *supplies)
{
    CLEANUP_FREE char *type = word_of(folder, supply, "type");
    if (strcmp(type, "Battery") == 0)
        take_battery(folder, supply, supplies);
    else
        supplies->supplied |= says(folder, supply, "online", "1");
}

void power_take(const char *root, struct power *ret)
{
    struct supplies supplies = {0};
    const struct dirent *entry;
    CLEANUP_FREE char *path = xasprintf("%s/sys/class/power_supply", root);
    DIR *folder = opendir(path);
    *ret = (struct power){0};
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            take(path, entry->d_name, &supplies);
    }
    (void)closedir(folder);
    if (supplies.batteries == 0)
        return;
    *ret = (struct power){.known = true,
                          .on_battery = supplies.discharging && !supplies.supplied,
                          .percent = supplies.percents / supplies.batteries};
}
