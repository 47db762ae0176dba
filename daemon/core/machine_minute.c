#include "daemon/core/machine_minute.h"

#include <math.h>

const char *const machine_figure_words[MACHINE_FIGURE_COUNT] = {
    [MACHINE_CPU] = "cpu",
    [MACHINE_LOAD] = "load",
    [MACHINE_MEMORY] = "memory",
    [MACHINE_SWAP] = "swap",
    [MACHINE_PRESSURE_CPU] = "cpu_pressure",
    [MACHINE_PRESSURE_MEMORY] = "memory_pressure",
    [MACHINE_PRESSURE_IO] = "io_pressure"};

void machine_minute_add(struct machine_minute *minute, enum machine_figure figure, double value)
{
    struct machine_sums *sums = &minute->figures[figure];
    const int64_t thousandths = llround(value * 1000);
    if (value < 0)
        return;
    sums->count++;
    sums->sum += thousandths;
    if (thousandths > sums->highest)
        sums->highest = thousandths;
}
