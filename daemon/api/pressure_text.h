/* What is said of the reason Pressure: which figure of the machine keeps a job from starting, and
 * what it has to come down to. */
#ifndef BATCHD_DAEMON_API_PRESSURE_TEXT_H
#define BATCHD_DAEMON_API_PRESSURE_TEXT_H

#include <stdio.h>

struct engine;
struct job;

/* Into `detail`, and into `lifts` what would lift it. */
void pressure_text(const struct engine *engine, const struct job *job, FILE *detail, char *lifts,
                   size_t bytes);
/* The same of the reason DiskLow: on which file system there is no room, and how much is. */
void disk_text(const struct engine *engine, const struct job *job, FILE *detail, char *lifts,
               size_t bytes);

#endif
