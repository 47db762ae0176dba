/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/still.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* An animated PNG says so in front of its first picture: behind a profile, at most. */
#define HEAD_BYTES 65536

static bool begins(const uint8_t *head, size_t bytes, const char *mark, size_t mark_bytes)
{
    return bytes >= mark_bytes && memcmp(head, mark, mark_bytes) == 0;
}

static const char *demuxer_of(const uint8_t *head, size_t bytes)
{
    if (begins(head, bytes, "\xff\xd8\xff", 3))
        return "jpeg_pipe";
    if (begins(head, bytes, "\x89PNG\r\n\x1a\n", 8))
        return memmem(head, bytes, "acTL", 4) == NULL ? "png_pipe" : NULL;
    return bytes >= 12 && begins(head, bytes, "RIFF", 4) && memcmp(head + 8, "WEBP", 4) == 0
               ? "webp_pipe"
               : NULL;
}

const AVInputFormat *still_format(const char *path)
{
    CLEANUP_FREE uint8_t *head = xmalloc(HEAD_BYTES);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, head, HEAD_BYTES);
    const char *name = got <= 0 ? NULL : demuxer_of(head, (size_t)got);
    return name == NULL ? NULL : av_find_input_format(name);
}

/* From the start of a scan on there are pixels, in which FF D9 does not occur. In front of it stand
 * segments with their lengths, one of which may hold a small JPEG of its own. */
bool still_is_whole(enum AVCodecID codec, const AVPacket *packet)
{
    const uint8_t *data = packet->data;
    const size_t bytes = (size_t)packet->size;
    size_t at = 2;
    if (codec != AV_CODEC_ID_MJPEG)
        return true;
    while (at + 4 <= bytes && data[at] == 0xff && data[at + 1] != 0xda)
        at += data[at + 1] == 0xff ? 1 : 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
    return at < bytes && memmem(data + at, bytes - at, "\xff\xd9", 2) != NULL;
}
