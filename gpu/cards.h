/* The GPUs of AMD and Intel, by what their drivers show below /sys/class/drm, and of the processes
 * on them below /proc. */
#ifndef BATCHD_GPU_CARDS_H
#define BATCHD_GPU_CARDS_H

#include "gpu/look.h"

/* What is kept from one look to the next. */
struct cards;

struct cards *cards_new(void);
void cards_free(struct cards *cards); /* NULL is allowed */

/* Adds them to the report, by vendor and then by their address on the bus. What cannot be read, or
 * is none of what a driver writes, is unknown; a card that vanishes meanwhile is left out. */
void cards_look(struct cards *cards, const struct look *look, struct gpu_report *report);

#endif
