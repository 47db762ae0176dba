/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What FFmpeg's libraries make once in a process, at the first file: tables of decoders, what the
 * processor can do, symbols that are bound at their first call. Where many processes are forked it
 * is made before; nothing of a file is looked at. */
#ifndef BATCHD_PROCESSORS_MEDIA_WARM_H
#define BATCHD_PROCESSORS_MEDIA_WARM_H

void media_warm(void);

#endif
