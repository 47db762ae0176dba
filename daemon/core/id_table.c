#include "daemon/core/id_table.h"

#include "common/alloc.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64U /* a power of two */

void id_table_done(struct id_table *table)
{
    free((void *)table->buckets);
    *table = (struct id_table){.buckets = NULL};
}

static struct id_entry **bucket_of(const struct id_table *table, uint64_t id)
{
    /* Fibonacci hashing (Knuth 6.4), as in jobset.c. */
    uint64_t mixed = id * UINT64_C(11400714819323198485);
    return &table->buckets[(size_t)(mixed >> 32U) & (table->bucket_count - 1)];
}

static void put(const struct id_table *table, struct id_entry *entry)
{
    struct id_entry **bucket = bucket_of(table, entry->id);
    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct id_table *table)
{
    const struct id_table old = *table;
    table->bucket_count = old.bucket_count == 0 ? FIRST_BUCKETS : old.bucket_count * 2;
    table->buckets = xcalloc(table->bucket_count, sizeof(struct id_entry *));
    for (size_t i = 0; i < old.bucket_count; i++) {
        while (old.buckets[i] != NULL) {
            struct id_entry *entry = old.buckets[i];
            old.buckets[i] = entry->next;
            put(table, entry);
        }
    }
    free((void *)old.buckets);
}

struct id_entry *id_table_find(const struct id_table *table, uint64_t id)
{
    struct id_entry *entry = table->count == 0 ? NULL : *bucket_of(table, id);
    while (entry != NULL && entry->id != id)
        entry = entry->next;
    return entry;
}

void id_table_put(struct id_table *table, struct id_entry *entry)
{
    if (++table->count > table->bucket_count)
        grow(table);
    put(table, entry);
}

void id_table_remove(struct id_table *table, struct id_entry *entry)
{
    struct id_entry **link = bucket_of(table, entry->id);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    table->count--;
}

struct id_entry *id_table_any(const struct id_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        if (table->buckets[i] != NULL)
            return table->buckets[i];
    }
    return NULL;
}
