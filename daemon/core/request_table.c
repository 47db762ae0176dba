#include "daemon/core/request_table.h"

#include "common/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NO_REQUEST UINT32_MAX

struct request {
    struct resources wanted;
    uint64_t holders;
    uint32_t next; /* in its bucket, or in the list of free ones */
};

struct request_table {
    struct request *requests;
    uint32_t used, room;
    uint32_t free_head;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two, at least the number of requests */
};

/* FNV-1a over the amounts. */
static uint32_t bucket_of(const struct request_table *table, const struct resources *wanted)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        hash = (hash ^ wanted->amount[kind]) * UINT64_C(1099511628211);
    return (uint32_t)(hash ^ hash >> 32U) & (table->bucket_count - 1);
}

static void link_request(struct request_table *table, uint32_t number)
{
    uint32_t bucket = bucket_of(table, &table->requests[number].wanted);
    table->requests[number].next = table->buckets[bucket];
    table->buckets[bucket] = number;
}

static void grow(struct request_table *table)
{
    table->room = table->room == 0 ? 16 : table->room * 2;
    table->requests = xreallocarray(table->requests, table->room, sizeof(*table->requests));
    table->buckets = xreallocarray(table->buckets, table->room, sizeof(*table->buckets));
    table->bucket_count = table->room;
    memset(table->buckets, 0xff, table->room * sizeof(*table->buckets));
    for (uint32_t number = 0; number < table->used; number++)
        link_request(table, number);
}

struct request_table *request_table_new(void)
{
    struct request_table *table = xcalloc(1, sizeof(*table));
    table->free_head = NO_REQUEST;
    grow(table);
    return table;
}

void request_table_free(struct request_table *table)
{
    if (table == NULL)
        return;
    free(table->requests);
    free(table->buckets);
    free(table);
}

/* All requests are held when it grows, so none of the free ones is linked into a bucket. */
static uint32_t new_request(struct request_table *table)
{
    uint32_t number = table->free_head;
    if (number != NO_REQUEST) {
        table->free_head = table->requests[number].next;
        return number;
    }
    if (table->used == table->room)
        grow(table);
    return table->used++;
}

uint32_t request_table_take(struct request_table *table, const struct resources *wanted)
{
    uint32_t number = table->buckets[bucket_of(table, wanted)];
    while (number != NO_REQUEST && !resources_equal(&table->requests[number].wanted, wanted))
        number = table->requests[number].next;
    if (number == NO_REQUEST) {
        number = new_request(table);
        table->requests[number] = (struct request){.wanted = *wanted};
        link_request(table, number);
    }
    table->requests[number].holders++;
    return number;
}

void request_table_hold(struct request_table *table, uint32_t number)
{
    table->requests[number].holders++;
}

void request_table_release(struct request_table *table, uint32_t number)
{
    struct request *request = &table->requests[number];
    assert(number < table->used && request->holders > 0);
    if (--request->holders > 0)
        return;
    uint32_t *link = &table->buckets[bucket_of(table, &request->wanted)];
    while (*link != number)
        link = &table->requests[*link].next;
    *link = request->next;
    request->next = table->free_head;
    table->free_head = number;
}

const struct resources *request_table_at(const struct request_table *table, uint32_t number)
{
    return &table->requests[number].wanted;
}

bool request_table_any(const struct request_table *table,
                       bool (*is)(void *arg, const struct resources *wanted), void *arg)
{
    for (uint32_t number = 0; number < table->used; number++) {
        if (table->requests[number].holders > 0 && is(arg, &table->requests[number].wanted))
            return true;
    }
    return false;
}
