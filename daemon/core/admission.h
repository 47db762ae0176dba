/* Whether the machine takes one more job: measured figures against two marks each. A figure that
 * reaches `stop` keeps jobs from starting until it is back at `go`, so that what goes up and down
 * between the two changes nothing. After that jobs start a few at a time, for figures tell late of
 * what was started: by each sample twice as many may run, up to half of those that ran as it was
 * short, and then one more by each fifth, as TCP does after a loss (RFC 5681); what has ended may
 * be replaced at once. After a while without a stop there is no limit, as where nothing was short.
 * Pure: figures come in, the answer goes out. */
#ifndef BATCHD_DAEMON_CORE_ADMISSION_H
#define BATCHD_DAEMON_CORE_ADMISSION_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

/* All in percent, and the more the worse, but for the battery: there it is the less. */
enum admission_figure {
    ADMISSION_MEMORY_USED, /* what is not available, of all memory but huge pages */
    ADMISSION_MEMORY_PRESSURE,
    ADMISSION_IO_PRESSURE,
    ADMISSION_CPU_PRESSURE, /* PSI: of the last ten seconds those in which some task waited */
    ADMISSION_BATTERY,      /* its charge; known only while it is what the machine runs on */
    ADMISSION_FIGURE_COUNT
};

/* 0 < go <= stop <= 100, of the battery 0 < stop <= go <= 100; stop 0: it is not looked at. */
struct admission_marks {
    double stop, go;
};

struct admission {
    struct admission_marks marks[ADMISSION_FIGURE_COUNT]; /* the caller's to set */
    bool stopped[ADMISSION_FIGURE_COUNT];                 /* the rest is zeroed at first */
    double last[ADMISSION_FIGURE_COUNT];
    uint64_t ran;     /* so many ran when it was short last */
    unsigned opening; /* so many samples more there is a limit */
    uint64_t limit;   /* of what runs */
};

/* Samples until figures tell all of what was started: PSI's average is of ten seconds, and one is
 * taken every 2 s. And samples without a stop until the limit goes: five minutes. */
#define ADMISSION_LAG 5U
#define ADMISSION_OPENING 150U

extern const char *const admission_words[ADMISSION_FIGURE_COUNT]; /* "memory_used" */

/* Whether the less of it the worse. */
bool admission_falls(enum admission_figure figure);
/* "STOP:GO", whole numbers, or "off"; of one that `falls` GO is the higher one. ERROR_INVALID names
 * the text and the rule. */
int admission_marks_parse(const char *text, bool falls, struct admission_marks *ret,
                          struct error *err);

/* A figure was measured. What is not known stops nobody. */
void admission_see(struct admission *admission, enum admission_figure figure, bool known,
                   double percent);

/* All figures of a sample were told, and so many jobs run. */
void admission_end_sample(struct admission *admission, uint64_t running);
/* After a restart: these (bits by figure) stopped jobs before it. */
void admission_restore(struct admission *admission, uint64_t stopped);
uint64_t admission_stopped(const struct admission *admission); /* the same bits */

/* Whether one more may start beside so many that run. */
bool admission_takes(const struct admission *admission, uint64_t running);
/* Whether no figure stops jobs. */
bool admission_open(const struct admission *admission);
/* Whether one may although it is not open: nothing of ours runs, so that what stands between the
 * marks may stand there for ever, whatever we wait for. */
bool admission_open_for_one(const struct admission *admission);

#endif
