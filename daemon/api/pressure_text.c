#include "daemon/api/pressure_text.h"

#include "common/parse.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gate.h"

#include <string.h>

static const char *const texts[ADMISSION_FIGURE_COUNT] = {
    [ADMISSION_MEMORY_USED] = "of the memory is in use",
    [ADMISSION_MEMORY_PRESSURE] = "of the time something waits for memory",
    [ADMISSION_IO_PRESSURE] = "of the time something waits for a disk",
    [ADMISSION_CPU_PRESSURE] = "of the time something waits for a processor",
    [ADMISSION_BATTERY] = "is what the battery has left"};

/* "no job starts: 90.2% of the memory is in use", where 90 is the mark. */
static void tell_figures(const struct admission *admission, FILE *detail, char *lifts, size_t bytes)
{
    const char *before = "no job starts: ";
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (!admission->stopped[i])
            continue;
        const size_t used = strlen(lifts);
        const bool falls = admission_falls((enum admission_figure)i);
        (void)fprintf(detail, "%s%.1f%% %s", before, admission->last[i], texts[i]);
        (void)snprintf(lifts + used, bytes - used, "%s%.0f%% or %s",
                       used == 0 ? "that is " : ", and that ", admission->marks[i].go,
                       falls ? "more, or the machine is supplied" : "less");
        before = ", ";
    }
}

/* All of it is known to others: they have it. */
static void tell_memory(const struct scheduler *scheduler, const struct job *job, FILE *detail,
                        char *lifts, size_t bytes)
{
    char asked[32], there[32], elsewhere[32];
    format_size(scheduler_wanted(scheduler, job)->amount[RESOURCE_MEMORY], asked, sizeof(asked));
    format_size(scheduler_available(scheduler)->amount[RESOURCE_MEMORY], there, sizeof(there));
    format_size(scheduler_elsewhere(scheduler), elsewhere, sizeof(elsewhere));
    (void)fprintf(detail,
                  "it asks for %s memory (%s available beside what is kept for running jobs; other "
                  "programs have %s)",
                  asked, there, elsewhere);
    (void)snprintf(lifts, bytes, "%s",
                   scheduler_exceeds(scheduler, job)
                       ? "no other job runs, or other programs have less"
                       : "running jobs end, or other programs have less");
}

void pressure_text(const struct engine *engine, const struct job *job, FILE *detail, char *lifts,
                   size_t bytes)
{
    const struct admission *admission = engine_admission(engine);
    lifts[0] = '\0';
    if (!admission_open(admission)) {
        tell_figures(admission, detail, lifts, bytes);
    } else if (!engine_takes(engine)) {
        (void)fputs("the machine was short of something until just now: jobs start a few at a time",
                    detail);
        (void)snprintf(lifts, bytes, "it stays so for some seconds (monitor.interval)");
    } else {
        tell_memory(engine_scheduler(engine), job, detail, lifts, bytes);
    }
}
