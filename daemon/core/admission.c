#include "daemon/core/admission.h"

#include "common/parse.h"

#include <stdio.h>
#include <string.h>

/* What ran as it was short may have been little, since others made it so. */
#define AT_ONCE 4U

const char *const admission_words[ADMISSION_FIGURE_COUNT] = {
    [ADMISSION_MEMORY_USED] = "memory_used",
    [ADMISSION_MEMORY_PRESSURE] = "memory_pressure",
    [ADMISSION_IO_PRESSURE] = "io_pressure",
    [ADMISSION_CPU_PRESSURE] = "cpu_pressure",
    [ADMISSION_BATTERY] = "battery"};

bool admission_falls(enum admission_figure figure)
{
    return figure == ADMISSION_BATTERY;
}

int admission_marks_parse(const char *text, bool falls, struct admission_marks *ret,
                          struct error *err)
{
    char first[8] = "";
    uint64_t stop = 0, go = 0;
    const char *colon = strchr(text, ':');
    *ret = (struct admission_marks){0};
    if (strcmp(text, "off") == 0)
        return 0;
    if (colon != NULL && (size_t)(colon - text) < sizeof(first))
        (void)snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text);
    if (parse_u64(first, 1, 100, &stop, NULL) < 0 ||
        parse_u64(colon + 1, falls ? stop : 1, falls ? 100 : stop, &go, NULL) < 0)
        return error_set(err, ERROR_INVALID,
                         "\"%.40s\" is neither \"off\" nor STOP:GO with 1 <= %s <= 100", text,
                         falls ? "STOP <= GO" : "GO <= STOP");
    *ret = (struct admission_marks){.stop = (double)stop, .go = (double)go};
    return 0;
}

/* At the mark that stops, or beyond. */
static bool is_past(const struct admission *admission, enum admission_figure figure)
{
    const double last = admission->last[figure];
    const double stop = admission->marks[figure].stop;
    return admission_falls(figure) ? last <= stop : last >= stop;
}

void admission_see(struct admission *admission, enum admission_figure figure, bool known,
                   double percent)
{
    const struct admission_marks *marks = &admission->marks[figure];
    const bool falls = admission_falls(figure);
    admission->last[figure] = percent;
    const bool back = falls ? percent >= marks->go : percent <= marks->go;
    if (known && marks->stop > 0 && is_past(admission, figure))
        admission->stopped[figure] = true;
    else if (!known || marks->stop == 0 || back)
        admission->stopped[figure] = false;
}

static void raise_limit(struct admission *admission, uint64_t running)
{
    const uint64_t half = admission->ran / 2 > AT_ONCE ? admission->ran / 2 : AT_ONCE;
    const uint64_t twice = running == 0 ? 1 : 2 * running;
    if (running < half)
        admission->limit = twice < half ? twice : half;
    else if (admission->opening % ADMISSION_LAG == 0)
        admission->limit = running + 1;
}

void admission_end_sample(struct admission *admission, uint64_t running)
{
    if (!admission_open(admission)) {
        if (admission->opening <= ADMISSION_OPENING)
            admission->ran = running;
        admission->opening = ADMISSION_OPENING + 1;
    } else if (admission->opening > 0) {
        admission->opening--;
        raise_limit(admission, running);
    }
}

void admission_restore(struct admission *admission, uint64_t stopped)
{
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++)
        admission->stopped[i] = (stopped >> i & 1U) != 0;
}

uint64_t admission_stopped(const struct admission *admission)
{
    uint64_t stopped = 0;
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++)
        stopped |= (uint64_t)admission->stopped[i] << i;
    return stopped;
}

bool admission_takes(const struct admission *admission, uint64_t running)
{
    return admission_open(admission) && (admission->opening == 0 || running < admission->limit);
}

bool admission_open_for_one(const struct admission *admission)
{
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (admission->stopped[i] && is_past(admission, (enum admission_figure)i))
            return false;
    }
    return true;
}

bool admission_open(const struct admission *admission)
{
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (admission->stopped[i])
            return false;
    }
    return true;
}
