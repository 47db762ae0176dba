/* Arrays that wait for another one task by task (aftercorr): their task of an index may start when
 * the other's task of that index has completed. Both have the same tasks, so positions
 * (array_spec.h) are those of both. How the other's tasks ended is kept once, as ranges, for all
 * that wait for it; of one that waits nothing is kept but its link. What has happened is told to
 * them in rounds, so that whoever calls may stop between any two of them. Pure. */
#ifndef BATCHD_DAEMON_CORE_ARRAY_LINKS_H
#define BATCHD_DAEMON_CORE_ARRAY_LINKS_H

#include "daemon/core/array_spec.h"
#include "daemon/core/id_table.h"
#include "daemon/core/task_ranges.h"

struct array_link;

/* An array that is waited for. */
struct linked_array {
    struct id_entry entry;
    struct array_spec spec;       /* owned */
    struct task_ranges completed; /* of its tasks */
    struct task_ranges otherwise; /* ended, and did not complete */
    uint64_t otherwise_version;   /* changes with it; 0: it is empty */
    uint64_t read_from;           /* lower indices were read from the store */
    bool read;                    /* all were */
    bool ended;                   /* it has ended: none of its tasks ends from now on */
    bool closed;                  /* and each of them is in one of the two sets */
    /* Owned by array_links.c, as the rest. */
    struct array_link *first, *last, *visit;
    bool listed, again;
    struct linked_array *next, *prev;
};

/* An array that waits for it. */
struct array_link {
    struct id_entry entry;
    struct linked_array *awaited;
    uint32_t position; /* of the dependency among the array's */
    uint64_t told;     /* the version that it has followed */
    /* What an array that is not live would read again (engine/arrays.c). */
    bool kept;
    struct task_ranges taken; /* owned */
    size_t cancelled_rows;
    /* Owned by array_links.c. */
    bool fresh;
    struct array_link *next, *prev, *next_fresh, *prev_fresh;
};

/* Zero-initialised it is empty. */
struct array_links {
    struct id_table links, awaited;
    struct linked_array *first, *last;           /* those with news, in rounds */
    struct array_link *first_fresh, *last_fresh; /* that nobody has looked at */
};

void array_links_done(struct array_links *set);

struct array_link *array_links_find(const struct array_links *set, uint64_t child);
struct linked_array *array_links_awaited(const struct array_links *set, uint64_t parent);
/* `child`, which has no link, waits for `parent`; *ret_new: nobody did before, and the caller fills
 * in what it is. */
struct array_link *array_links_add(struct array_links *set, uint64_t child, uint64_t parent,
                                   bool *ret_new);
void array_links_remove(struct array_links *set, struct array_link *link);

/* The oldest that was added and not taken so far, or NULL: a new one needs no round of all others.
 */
struct array_link *array_links_take_fresh(struct array_links *set);
/* Something is known of this one that all that wait for it are to be told. */
void array_links_news(struct array_links *set, struct linked_array *awaited);
/* Whether there are news or fresh ones. */
bool array_links_unfinished(const struct array_links *set);
/* One with news, or NULL; and the next to be told of it, or NULL: its round is over, and another
 * one has its turn. */
struct linked_array *array_links_first(const struct array_links *set);
struct array_link *array_links_next(struct array_links *set, struct linked_array *awaited);

#endif
