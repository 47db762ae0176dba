/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which GPUs the machine has and by which drivers they work: another card or driver encodes to
 * other bytes, so what was made by one is not gone on with by another. From the kernel (`/proc`,
 * `/sys`), and of VAAPI from its library: that driver is no part of the kernel. */
#ifndef BATCHD_PROCESSORS_MEDIA_CARD_H
#define BATCHD_PROCESSORS_MEDIA_CARD_H

/* One line for people and for comparing; owned by the caller. "" where nothing is told. */
char *card_describe(void);

/* That of the kernel alone, for a machine whose `/proc` and `/sys` lie below `root`: for tests. */
char *card_of_kernel(const char *root);

#endif
