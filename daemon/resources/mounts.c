#include "daemon/resources/mounts.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define FILE_BYTES_MAX (16U << 20)
/* What systemd mounts over what a unit is not to see (ProtectHome=, InaccessiblePaths=). */
#define HIDDEN "/systemd/inaccessible/"

struct mounts {
    struct mount *list; /* in the order they were made in; points are owned */
    size_t count;
};

static const char *const local_types[] = {
    "ext2",   "ext3", "ext4",     "xfs",   "btrfs", "f2fs",  "zfs",   "jfs",    "bcachefs",
    "nilfs2", "vfat", "reiserfs", "exfat", "ntfs3", "tmpfs", "ramfs", "overlay"};

static bool is_local(const char *type)
{
    return words_find(local_types, sizeof(local_types) / sizeof(local_types[0]), type) >= 0;
}

static bool is_octal(const char *digits)
{
    for (unsigned i = 0; i < 3; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return false;
    }
    return true;
}

/* Blanks, tabs, newlines and backslashes are written as "\040". */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        if (*from == '\\' && is_octal(from + 1)) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* "98:0". */
static bool parse_device(const char *text, uint64_t *ret)
{
    char *end;
    const unsigned long long major = strtoull(text, &end, 10);
    if (end == text || *end != ':')
        return false;
    const char *at = end + 1;
    const unsigned long long minor = strtoull(at, &end, 10);
    *ret = (uint64_t)major << 32U | minor;
    return end != at && *end == '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw". What is none is left out. */
static void add_line(struct mounts *mounts, char *line)
{
    char *fields[5], *rest = line;
    uint64_t device;
    char *dash = strstr(line, " - ");
    if (dash == NULL)
        return;
    *dash = '\0';
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fields[i] = strsep(&rest, " ");
        if (fields[i] == NULL)
            return;
    }
    char *type = dash + strlen(" - ");
    type[strcspn(type, " ")] = '\0';
    if (!parse_device(fields[2], &device))
        return;
    const bool hidden = strncmp(fields[3], HIDDEN, strlen(HIDDEN)) == 0;
    unescape(fields[4]);
    mounts->list = xreallocarray(mounts->list, mounts->count + 1, sizeof(*mounts->list));
    mounts->list[mounts->count++] = (struct mount){
        .point = xstrdup(fields[4]), .device = device, .local = !hidden && is_local(type)};
}

struct mounts *mounts_read(const char *root)
{
    size_t bytes = 0;
    char *rest = NULL;
    struct mounts *mounts = xcalloc(1, sizeof(*mounts));
    CLEANUP_FREE char *path = xasprintf("%s/proc/self/mountinfo", root);
    CLEANUP_FREE char *text = fd_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &bytes);
    if (text == NULL)
        return mounts;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        add_line(mounts, line);
    return mounts;
}

void mounts_free(struct mounts *mounts)
{
    if (mounts == NULL)
        return;
    for (size_t i = 0; i < mounts->count; i++)
        free((char *)(uintptr_t)mounts->list[i].point);
    free(mounts->list);
    free(mounts);
}

/* Without "." and "..", by the text alone; "" is the root. */
static char *plain_path(const char *folder, const char *path)
{
    char *rest = NULL;
    CLEANUP_FREE char *text = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", folder, path);
    char *plain = xcalloc(1, strlen(text) + 2);
    for (char *part = strtok_r(text, "/", &rest); part != NULL; part = strtok_r(NULL, "/", &rest)) {
        char *last = strrchr(plain, '/');
        if (strcmp(part, "..") == 0 && last != NULL) {
            *last = '\0';
        } else if (strcmp(part, ".") != 0 && strcmp(part, "..") != 0) {
            size_t length = strlen(plain);
            plain[length] = '/';
            memcpy(plain + length + 1, part, strlen(part) + 1);
        }
    }
    return plain;
}

/* How much of the path the point is; -1: the path is not below it. */
static int covers(const char *point, const char *path)
{
    const size_t length = strcmp(point, "/") == 0 ? 0 : strlen(point);
    return strncmp(point, path, length) == 0 && (path[length] == '/' || path[length] == '\0')
               ? (int)length
               : -1;
}

const struct mount *mounts_find(const struct mounts *mounts, const char *folder, const char *path)
{
    const struct mount *found = NULL;
    int most = -1;
    CLEANUP_FREE char *plain = plain_path(folder, path);
    for (size_t i = 0; i < mounts->count; i++) {
        const int length = covers(mounts->list[i].point, plain);
        if (length < 0 || length < most)
            continue;
        most = length; /* of two at one place the later one is on top */
        found = &mounts->list[i];
    }
    return found;
}

bool mounts_have(const struct mounts *mounts, const char *point, uint64_t device)
{
    const struct mount *found = mounts_find(mounts, "", point);
    return found != NULL && found->device == device && strcmp(found->point, point) == 0;
}

void mounts_ask(const char *point, struct volume_room *ret)
{
    struct statvfs info;
    *ret = (struct volume_room){.known = false};
    if (statvfs(point, &info) < 0 || info.f_blocks == 0)
        return;
    *ret = (struct volume_room){.known = true,
                                .size_bytes = (uint64_t)info.f_blocks * info.f_frsize,
                                .free_bytes = (uint64_t)info.f_bavail * info.f_frsize,
                                .inodes = info.f_files,
                                .inodes_free = info.f_favail};
}
