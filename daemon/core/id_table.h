/* Things found by an id: a hash with chains whose links lie in the things themselves. Pure. */
#ifndef BATCHD_DAEMON_CORE_ID_TABLE_H
#define BATCHD_DAEMON_CORE_ID_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is put in. */
struct id_entry {
    struct id_entry *next;
    uint64_t id;
};

/* Zero-initialised it is empty. */
struct id_table {
    struct id_entry **buckets; /* owned */
    size_t bucket_count, count;
};

void id_table_done(struct id_table *table); /* not what is in it */

struct id_entry *id_table_find(const struct id_table *table, uint64_t id); /* NULL: none */
void id_table_put(struct id_table *table, struct id_entry *entry);         /* its id is new */
void id_table_remove(struct id_table *table, struct id_entry *entry);
/* Any one, or NULL when it is empty. */
struct id_entry *id_table_any(const struct id_table *table);

#endif
