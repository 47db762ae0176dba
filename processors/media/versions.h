/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which FFmpeg it is that does the work: for the results. */
#ifndef BATCHD_PROCESSORS_MEDIA_VERSIONS_H
#define BATCHD_PROCESSORS_MEDIA_VERSIONS_H

#include <jansson.h>

/* The libraries as they are loaded now, by name, and the release of FFmpeg. */
void media_add_versions(json_t *versions);

#endif
