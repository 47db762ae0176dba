/* The GPUs of AMD and Intel, by what their drivers show below /sys/class/drm. */
#ifndef BATCHD_GPU_CARDS_H
#define BATCHD_GPU_CARDS_H

#include "gpu/look.h"

/* Adds them to the report, by vendor and then by their address on the bus. What cannot be read, or
 * is none of what a driver writes, is unknown; a card that vanishes meanwhile is left out. */
void cards_look(const struct look *look, struct gpu_report *report);

#endif
