#include "daemon/core/volume.h"

#include "common/parse.h"

#include <string.h>

/* Marks in bytes are at most such parts of a file system. */
#define STOP_SHARE 20U
#define GO_SHARE 10U

/* One of the two; false: it is neither a size nor a percentage. */
static bool parse_mark(const char *text, enum volume_kind kind, bool *ret_percent, uint64_t *ret)
{
    char digits[8] = "";
    const size_t length = strlen(text);
    *ret_percent = length > 0 && text[length - 1] == '%';
    if (!*ret_percent)
        return kind == VOLUME_DISK && parse_size(text, ret, NULL) == 0 && *ret > 0;
    if (length > sizeof(digits))
        return false;
    memcpy(digits, text, length - 1);
    return parse_u64(digits, 1, 100, ret, NULL) == 0;
}

int volume_marks_parse(const char *text, enum volume_kind kind, struct volume_marks *ret,
                       struct error *err)
{
    char first[24] = "";
    bool percent[2] = {false, false};
    uint64_t mark[2] = {0, 0};
    const char *colon = strchr(text, ':');
    *ret = (struct volume_marks){0};
    if (strcmp(text, "off") == 0)
        return 0;
    if (colon != NULL && (size_t)(colon - text) < sizeof(first))
        memcpy(first, text, (size_t)(colon - text));
    if (!parse_mark(first, kind, &percent[0], &mark[0]) ||
        !parse_mark(colon + 1, kind, &percent[1], &mark[1]) || percent[0] != percent[1] ||
        mark[0] > mark[1])
        return error_set(err, ERROR_INVALID,
                         "\"%.40s\" is neither \"off\" nor STOP:GO, %s, with STOP <= GO", text,
                         kind == VOLUME_DISK ? "two sizes or two percentages such as \"5%:10%\""
                                             : "two percentages such as \"1%:2%\"");
    *ret = (struct volume_marks){.percent = percent[0], .stop = mark[0], .go = mark[1]};
    return 0;
}

static uint64_t mark_of(const struct volume *volume, enum volume_kind kind, bool go)
{
    const struct volume_marks *marks = kind == VOLUME_DISK ? &volume->disk : &volume->inodes;
    const uint64_t all = kind == VOLUME_DISK ? volume->room.size_bytes : volume->room.inodes;
    const uint64_t mark = go ? marks->go : marks->stop;
    if (marks->percent)
        return all / 100 * mark + all % 100 * mark / 100;
    const uint64_t most = all / (go ? GO_SHARE : STOP_SHARE);
    return mark < most ? mark : most;
}

uint64_t volume_stop(const struct volume *volume, enum volume_kind kind)
{
    return mark_of(volume, kind, false);
}

uint64_t volume_go(const struct volume *volume, enum volume_kind kind)
{
    return mark_of(volume, kind, true);
}

/* Whether it is closed now, where it `was` before. */
static bool closes(const struct volume *volume, enum volume_kind kind, uint64_t left, bool was)
{
    return left < (was ? volume_go(volume, kind) : volume_stop(volume, kind));
}

void volume_see(struct volume *volume, const struct volume_room *room)
{
    volume->room = *room;
    if (!room->known) {
        volume->low = volume->few_inodes = false;
        return;
    }
    volume->low = closes(volume, VOLUME_DISK, room->free_bytes, volume->low);
    volume->few_inodes = closes(volume, VOLUME_INODES, room->inodes_free, volume->few_inodes);
}

bool volume_open(const struct volume *volume)
{
    return !volume->low && !volume->few_inodes;
}

uint64_t volume_closed(const struct volume *volume)
{
    return (uint64_t)volume->low << VOLUME_DISK | (uint64_t)volume->few_inodes << VOLUME_INODES;
}

void volume_restore(struct volume *volume, uint64_t closed)
{
    volume->low = (closed >> VOLUME_DISK & 1U) != 0;
    volume->few_inodes = (closed >> VOLUME_INODES & 1U) != 0;
}

uint64_t volume_left(const struct volume *volume, uint64_t kept_bytes)
{
    const uint64_t floor = volume_stop(volume, VOLUME_DISK);
    const uint64_t free_bytes = volume->room.free_bytes;
    if (!volume->room.known)
        return UINT64_MAX;
    return free_bytes > floor && free_bytes - floor > kept_bytes ? free_bytes - floor - kept_bytes
                                                                 : 0;
}
