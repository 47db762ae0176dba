/* Whether the machine takes one more job: measured figures against two marks each. A figure that
 * reaches `stop` keeps jobs from starting until it is back at `go` or below, so that what goes up
 * and down between the two changes nothing. Pure: figures come in, the answer goes out. */
#ifndef BATCHD_DAEMON_CORE_ADMISSION_H
#define BATCHD_DAEMON_CORE_ADMISSION_H

#include "common/error.h"

#include <stdbool.h>

/* All in percent, and the more the worse. */
enum admission_figure {
    ADMISSION_MEMORY_USED, /* what is not available, of all memory but huge pages */
    ADMISSION_MEMORY_PRESSURE,
    ADMISSION_IO_PRESSURE,
    ADMISSION_CPU_PRESSURE, /* PSI: of the last ten seconds those in which some task waited */
    ADMISSION_FIGURE_COUNT
};

/* 0 < go <= stop <= 100; stop 0: it is not looked at. */
struct admission_marks {
    double stop, go;
};

struct admission {
    struct admission_marks marks[ADMISSION_FIGURE_COUNT]; /* the caller's to set */
    bool stopped[ADMISSION_FIGURE_COUNT];                 /* the rest is zeroed at first */
    double last[ADMISSION_FIGURE_COUNT];
};

extern const char *const admission_words[ADMISSION_FIGURE_COUNT]; /* "memory_used" */

/* "STOP:GO", whole numbers, or "off". ERROR_INVALID names the text and the rule. */
int admission_marks_parse(const char *text, struct admission_marks *ret, struct error *err);

/* A figure was measured. What is not known stops nobody. */
void admission_see(struct admission *admission, enum admission_figure figure, bool known,
                   double percent);

/* Whether jobs may start. */
bool admission_open(const struct admission *admission);
/* Whether one may although it is not open: nothing of ours runs, so that what stands between the
 * marks may stand there for ever, whatever we wait for. */
bool admission_open_for_one(const struct admission *admission);

#endif
