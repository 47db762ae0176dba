#include "daemon/api/pressure_text.h"

#include "common/parse.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/gate.h"
#include "daemon/engine/volumes.h"

#include <inttypes.h>

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

/* ---- disks ---- */

static void tell_marks(const struct volume_view *view, FILE *detail, char *lifts, size_t bytes)
{
    char left[32], all[32], wanted[32];
    const struct volume *volume = view->volume;
    (void)fprintf(detail,
                  view->every ? "no job starts: its output goes to %s, and "
                              : "no job starts that writes to %s: ",
                  view->point);
    if (volume->low) {
        format_size(volume->room.free_bytes, left, sizeof(left));
        format_size(volume->room.size_bytes, all, sizeof(all));
        format_size(volume_go(volume, VOLUME_DISK), wanted, sizeof(wanted));
        (void)fprintf(detail, "%s of %s are free there", left, all);
        (void)snprintf(lifts, bytes, "%s are free there", wanted);
    } else {
        (void)fprintf(detail, "%" PRIu64 " of %" PRIu64 " inodes are free there",
                      volume->room.inodes_free, volume->room.inodes);
        (void)snprintf(lifts, bytes, "%" PRIu64 " inodes are free there",
                       volume_go(volume, VOLUME_INODES));
    }
}

static void tell_room(const struct volume_view *view, uint64_t asked_bytes, FILE *detail,
                      char *lifts, size_t bytes)
{
    char asked[32], left[32], kept[32], floor[32];
    const struct volume *volume = view->volume;
    format_size(asked_bytes, asked, sizeof(asked));
    format_size(volume->room.free_bytes, left, sizeof(left));
    format_size(view->kept_bytes, kept, sizeof(kept));
    format_size(volume_stop(volume, VOLUME_DISK), floor, sizeof(floor));
    (void)fprintf(detail,
                  "it asks for %s disk, and of %s that are free at %s running jobs asked for %s, "
                  "and %s are left free",
                  asked, left, view->point, kept, floor);
    (void)snprintf(lifts, bytes, "%s",
                   asked_bytes > volume_left(volume, 0)
                       ? "files there are removed"
                       : "running jobs end, or files there are removed");
}

void disk_text(const struct engine *engine, const struct job *job, FILE *detail, char *lifts,
               size_t bytes)
{
    struct volume_view view;
    lifts[0] = '\0';
    if (!engine_volume_of(engine, job, &view)) {
        (void)fputs("there is room again", detail);
        (void)snprintf(lifts, bytes, "it is asked for again");
    } else if (!volume_open(view.volume)) {
        tell_marks(&view, detail, lifts, bytes);
    } else {
        tell_room(&view, scheduler_wanted(engine_scheduler(engine), job)->amount[RESOURCE_DISK],
                  detail, lifts, bytes);
    }
}
