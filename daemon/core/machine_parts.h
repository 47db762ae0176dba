/* What of a machine there may be several of, in a minute: file systems and GPUs, each with the
 * mean, the least and the most of its figures, and only so many of a kind. Pure. */
#ifndef BATCHD_DAEMON_CORE_MACHINE_PARTS_H
#define BATCHD_DAEMON_CORE_MACHINE_PARTS_H

#include <stdint.h>

/* Of each kind; further ones are left out of the minute. */
#define MACHINE_PARTS_OF_KIND 16U

/* The numbers are those of the store. */
enum machine_part_kind {
    MACHINE_DISK, /* by where it is mounted */
    MACHINE_GPU,  /* by its address on the bus, which outlives restarts */
    MACHINE_PART_KIND_COUNT
};

/* Whole numbers, so that what is stored is exact. */
enum machine_part_figure {
    PART_FREE,        /* of a file system: bytes that are free for users */
    PART_INODES,      /* and inodes */
    PART_BUSY,        /* of a GPU: thousandths of the time in which it was busy */
    PART_MEMORY,      /* bytes of its memory that were in use */
    PART_TEMPERATURE, /* degrees Celsius */
    PART_FIGURE_COUNT
};

struct machine_range {
    int64_t count, sum, lowest, highest; /* count 0: it was never known, as the rest is then */
};

struct machine_part {
    enum machine_part_kind kind;
    char *name; /* owned by the list */
    struct machine_range figures[PART_FIGURE_COUNT];
};

/* Zero-initialised it is empty. */
struct machine_parts {
    unsigned count;
    struct machine_part part[MACHINE_PART_KIND_COUNT * MACHINE_PARTS_OF_KIND];
};

/* The one of this name, made where there is none yet; NULL: there are too many. */
struct machine_part *machine_parts_need(struct machine_parts *parts, enum machine_part_kind kind,
                                        const char *name);
void machine_parts_done(struct machine_parts *parts);

/* What a sum of them has no room for is left out. */
void machine_range_add(struct machine_range *range, uint64_t value);
void machine_range_join(struct machine_range *range, const struct machine_range *more);

#endif
