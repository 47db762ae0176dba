/* How busy Intel's GPUs are, by how long the parts of a chip slept since the look before. */
#ifndef BATCHD_GPU_IDLE_H
#define BATCHD_GPU_IDLE_H

#include "gpu/look.h"

struct gpu_idle;

struct gpu_idle *gpu_idle_new(void);
void gpu_idle_free(struct gpu_idle *idle);

/* In percent, of the part that slept least, of one card ("/sys/class/drm/card0"); GPU_UNKNOWN: its
 * driver does not tell, or this is the first look. To ask it wakes the card: a card that sleeps as
 * a whole must not be asked. */
uint64_t gpu_idle_busy(struct gpu_idle *idle, const struct look *look, const char *card);

#endif
