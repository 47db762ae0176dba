#include "daemon/core/machine_minute.h"

#include <math.h>

const char *const machine_figure_words[MACHINE_FIGURE_COUNT] = {
    [MACHINE_CPU] = "cpu",
    [MACHINE_LOAD] = "load",
    [MACHINE_MEMORY] = "memory",
    [MACHINE_SWAP] = "swap",
    [MACHINE_PRESSURE_CPU] = "cpu_pressure",
    [MACHINE_PRESSURE_MEMORY] = "memory_pressure",
    [MACHINE_PRESSURE_IO] = "io_pressure",
    [MACHINE_CPU_USER] = "cpu_user",
    [MACHINE_CPU_NICE] = "cpu_nice",
    [MACHINE_CPU_SYSTEM] = "cpu_system",
    [MACHINE_CPU_IDLE] = "cpu_idle",
    [MACHINE_CPU_IOWAIT] = "cpu_iowait",
    [MACHINE_CPU_IRQ] = "cpu_irq",
    [MACHINE_CPU_SOFTIRQ] = "cpu_softirq",
    [MACHINE_CPU_STEAL] = "cpu_steal"};

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
