/* Small pictures of what a job is at, for people: one file in the folder of its journal, which each
 * newer one replaces and which goes with the journal, and a line that names it
 * (processors/README.md). A job without that folder, or whose lines nobody reads, has none. */
#ifndef BATCHD_PROCESSORS_LIB_PREVIEW_H
#define BATCHD_PROCESSORS_LIB_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>

/* Once for each job, with no thread but this one, behind report_init and staging_prepare. */
void preview_begin(void);

/* Whether it is time for one: true to one thread after 2 s, and then each 5 s at most, so that a
 * short job has none and a long one pays nothing to speak of. Any thread may ask, for each picture.
 */
bool preview_due(void);

/* Puts a JPEG there and tells of it. What cannot be written is left out. Only after preview_due. */
void preview_write(const void *jpeg, size_t bytes);

#endif
