/* The machine's GPUs, a line each: for status and top. */
#ifndef BATCHD_CLIENT_GPU_LINES_H
#define BATCHD_CLIENT_GPU_LINES_H

#include "common/json.h"

#include <stdio.h>

/* `machine` as Status has it. Nothing where there are none. */
void gpu_lines_print(FILE *file, const json_t *machine);

#endif
