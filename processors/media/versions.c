/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/versions.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libswscale/swscale.h>

static void put(json_t *versions, const char *name, unsigned version)
{
    CLEANUP_FREE char *text = xasprintf("%u.%u.%u", AV_VERSION_MAJOR(version),
                                        AV_VERSION_MINOR(version), AV_VERSION_MICRO(version));
    json_put_text(versions, name, text);
}

void media_add_versions(json_t *versions)
{
    put(versions, "libavformat", avformat_version());
    put(versions, "libavcodec", avcodec_version());
    put(versions, "libavfilter", avfilter_version());
    put(versions, "libavutil", avutil_version());
    put(versions, "libswscale", swscale_version());
    json_put_text(versions, "ffmpeg", av_version_info());
}
