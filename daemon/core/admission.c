#include "daemon/core/admission.h"

#include "common/parse.h"

#include <stdio.h>
#include <string.h>

const char *const admission_words[ADMISSION_FIGURE_COUNT] = {
    [ADMISSION_MEMORY_USED] = "memory_used",
    [ADMISSION_MEMORY_PRESSURE] = "memory_pressure",
    [ADMISSION_IO_PRESSURE] = "io_pressure",
    [ADMISSION_CPU_PRESSURE] = "cpu_pressure"};

int admission_marks_parse(const char *text, struct admission_marks *ret, struct error *err)
{
    char first[8] = "";
    uint64_t stop = 0, go = 0;
    const char *colon = strchr(text, ':');
    *ret = (struct admission_marks){0};
    if (strcmp(text, "off") == 0)
        return 0;
    if (colon != NULL && (size_t)(colon - text) < sizeof(first))
        (void)snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text);
    if (parse_u64(first, 1, 100, &stop, NULL) < 0 || parse_u64(colon + 1, 1, stop, &go, NULL) < 0)
        return error_set(err, ERROR_INVALID,
                         "\"%.40s\" is neither \"off\" nor STOP:GO with 1 <= GO <= STOP <= 100",
                         text);
    *ret = (struct admission_marks){.stop = (double)stop, .go = (double)go};
    return 0;
}

void admission_see(struct admission *admission, enum admission_figure figure, bool known,
                   double percent)
{
    const struct admission_marks *marks = &admission->marks[figure];
    admission->last[figure] = percent;
    if (!known || marks->stop == 0 || percent <= marks->go)
        admission->stopped[figure] = false;
    else if (percent >= marks->stop)
        admission->stopped[figure] = true;
}

bool admission_open_for_one(const struct admission *admission)
{
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (admission->stopped[i] && admission->last[i] >= admission->marks[i].stop)
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
