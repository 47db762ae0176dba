/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/container.h"

#include <string.h>
#include <strings.h>

const char *container_of(const char *path, struct error *err)
{
    static const struct {
        const char *ending, *container;
    } endings[] = {
        {".mp4", "mp4"}, {".m4v", "mp4"}, {".mov", "mov"}, {".mkv", "matroska"}, {".webm", "webm"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcasecmp(dot, endings[i].ending) == 0)
            return endings[i].container;
    }
    (void)error_set_field(
        err, "params.output",
        "params.output is \"%.200s\"; it must end in .mp4, .m4v, .mov, .mkv or .webm", path);
    return NULL;
}

int container_takes(const char *container, const char *codec, struct error *err)
{
    const bool open_codec = strcmp(codec, "av1") == 0 || strcmp(codec, "vp9") == 0;
    if (strcmp(container, "webm") == 0 && !open_codec)
        return error_set_field(err, "params.codec", "params.codec is %s; WebM takes vp9 and av1",
                               codec);
    if (strcmp(container, "mov") == 0 && open_codec)
        return error_set_field(err, "params.codec", "params.codec is %s; MOV takes h264 and h265",
                               codec);
    return 0;
}
