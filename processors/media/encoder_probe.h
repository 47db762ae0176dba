/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether an encoder works here: one picture goes through it and is decoded again. */
#ifndef BATCHD_PROCESSORS_MEDIA_ENCODER_PROBE_H
#define BATCHD_PROCESSORS_MEDIA_ENCODER_PROBE_H

#include "common/error.h"

struct encoder_settings;

/* 0: what was decoded, in software, is one picture of the size of the settings and looks like what
 * was given. -1 with err: how far it went, and the first words of the encoder or its driver.
 * ERROR_BUSY: it may work later. */
int encoder_probe(const struct encoder_settings *settings, struct error *err);

#endif
