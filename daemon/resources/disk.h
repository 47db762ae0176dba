/* Room for the ends of what runs, on the file system of the state folder. New jobs are refused
 * while it is nearly full, and a reserve file gives its blocks back when it fills up all the same
 * (by the output of jobs, or by anybody), so that results and cancels can still be written.
 *
 *   free >= reserve, counting what was accepted in this turn     new jobs are taken
 *   free <  reserve                                              new jobs are refused
 *   free <  reserve / 2                                          the reserve file is removed
 *   without the file: free >= 2 * reserve                        new jobs are taken
 *                     free >= 3 * reserve                        the file is made again
 *
 * The reserve is what was configured, but at most an eighth of the file system. */
#ifndef BATCHD_DAEMON_RESOURCES_DISK_H
#define BATCHD_DAEMON_RESOURCES_DISK_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct disk;

struct disk *disk_new(const char *state_dir, uint64_t reserve_bytes);
void disk_free(struct disk *disk); /* the reserve file stays */

/* Whether a new job of so many bytes may be written. 0, or -1 with ERROR_BUSY. */
int disk_accept(struct disk *disk, uint64_t bytes, struct error *err);

/* To be called right before every commit: a fast writer (1 GiB/s) eats a reserve of megabytes in
 * milliseconds, and a commit that finds no room closes every connection. */
void disk_watch(struct disk *disk);
/* What was accepted is on disk. */
void disk_committed(struct disk *disk);

/* Whether so much is free that a daemon can start: at least the reserve. */
bool disk_has_room(const char *state_dir, uint64_t reserve_bytes);

/* The size of the file system of this folder without the reserve, 0 when it cannot be asked or has
 * no size. It is what jobs may be promised in sum: what is free now changes with what they do. */
uint64_t disk_size_bytes(const char *state_dir, uint64_t reserve_bytes);

/* True while new jobs are refused. */
bool disk_low(const struct disk *disk);
uint64_t disk_free_bytes(const struct disk *disk); /* as last seen */

#endif
