/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Encoders that are built into a GPU. That FFmpeg lists one proves nothing (Debian's has them all):
 * one is used only after it has encoded a picture of the very size and settings here, and that
 * picture was decoded again (encoder_probe.h). Other drivers and cards give other bytes: the
 * journal's key has them (card.h). */
#ifndef BATCHD_PROCESSORS_MEDIA_HARDWARE_H
#define BATCHD_PROCESSORS_MEDIA_HARDWARE_H

#include "processors/media/encoder.h"

#include <jansson.h>
#include <stdbool.h>

struct request;

/* Whether the parameter `hardware` lets a job try one. */
bool hardware_is_asked(const struct request *request);

/* Sessions of an encoder at a time: consumer cards have no more than three to eight. */
#define HARDWARE_LANES 2U

/* `asked` is never, auto or require. Sets `library` and `format` of the settings where one is
 * proven, and leaves them where none is: then software does it. *ret_facts, owned by the caller:
 * {asked, used, card (if used, card.h), refused: [{encoder, why}]}. 0; -1 when one is required and
 * there is none, with field params.hardware: ERROR_BUSY when one had no room, else ERROR_INVALID.
 */
int hardware_choose(const char *asked, struct encoder_settings *settings, json_t **ret_facts,
                    struct error *err);

/* The first of the candidates (ends with NULL) that is proven: true, and the settings have it. Why
 * the others were not, with the driver's words, is added to `refused`; *ret_busy: one of them may
 * work later. Part of hardware_choose, for tests of both its ends. */
bool hardware_prove(const char *const *candidates, struct encoder_settings *settings,
                    json_t *refused, bool *ret_busy);

#endif
