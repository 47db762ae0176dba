/* What each look at the machine's GPUs goes by. */
#ifndef BATCHD_GPU_LOOK_H
#define BATCHD_GPU_LOOK_H

#include "common/gpu_report.h"

#include <stdbool.h>

struct look {
    const char *root;  /* in front of /proc and /sys: "" or a folder */
    const char *state; /* of the batchd whose workers are to be known; NULL: any */
};

/* One more in the report, all unknown; NULL: it is full. */
struct gpu_facts *look_add(struct gpu_report *report, enum gpu_vendor vendor);
/* One line of a file below the root; -1: it cannot be read. */
int look_line(const struct look *look, const char *path, char *ret, size_t bytes);
/* A number alone in a file, of this base; GPU_UNKNOWN: it is none, or below 0. */
uint64_t look_number(const struct look *look, const char *path, int base);
/* Of the GPU's address on the bus. */
uint64_t look_numa_node(const struct look *look, const char *pci);

#endif
