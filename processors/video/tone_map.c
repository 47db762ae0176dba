/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/video/tone_map.h"

#include <libavfilter/avfilter.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>

/* cd/m2. What a sheet of paper has in HDR (ITU-R BT.2408), and white in ordinary pictures. */
#define WHITE 203.0
/* ... and the brightest that is expected where the film does not tell: of HLG by its definition. */
#define PEAK_UNKNOWN 1000.0
/* Of white: below it nothing is changed; above it is bent so that the peak becomes white. */
#define BEND 0.8

/* In parts of white. */
static double peak_of(const struct colour *colour)
{
    double peak = PEAK_UNKNOWN;
    if (colour->has_light && colour->light.MaxCLL > 0)
        peak = colour->light.MaxCLL;
    else if (colour->has_mastering)
        peak = av_q2d(colour->mastering.max_luminance);
    return peak > WHITE ? peak / WHITE : 1;
}

/* Of a matrix that depends on the light, of Dolby's colours and of RGB zscale makes other ones. */
static bool is_doable(const struct colour *colour)
{
    return colour_is_hdr(colour) &&
           (colour->primaries == AVCOL_PRI_BT2020 || colour->primaries == AVCOL_PRI_UNSPECIFIED) &&
           (colour->space == AVCOL_SPC_BT2020_NCL || colour->space == AVCOL_SPC_UNSPECIFIED) &&
           avfilter_get_by_name("zscale") != NULL && avfilter_get_by_name("tonemap") != NULL;
}

/* zscale counts light in parts of its npl. The film's words are said anew: a frame may lack them.
 * What comes out has the curve of sRGB, as stills are shown. */
bool tone_map_filters(const struct colour *colour, char *ret, size_t bytes)
{
    ret[0] = '\0';
    if (!is_doable(colour))
        return false;
    (void)snprintf(ret, bytes,
                   "setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=%s:range=%s,"
                   "zscale=t=linear:p=bt709:npl=%.0f,format=gbrpf32le,"
                   "tonemap=mobius:param=%.1f:peak=%.3f:desat=0,zscale=t=bt709,format=gbrp,"
                   "setparams=color_trc=iec61966-2-1,",
                   av_color_transfer_name(colour->transfer),
                   colour->range == AVCOL_RANGE_JPEG ? "pc" : "tv", WHITE, BEND, peak_of(colour));
    return true;
}
