#include "daemon/core/job_order.h"

#include <string.h>

static bool fifo_before(const struct job *a, const struct job *b)
{
    return a->id < b->id;
}

static bool priority_before(const struct job *a, const struct job *b)
{
    if (job_priority_of(a) != job_priority_of(b))
        return job_priority_of(a) < job_priority_of(b);
    return a->id < b->id;
}

static const struct job_order orders[] = {
    {.name = "fifo", .before = fifo_before},
    {.name = "priority", .before = priority_before},
};

const struct job_order *job_order_find(const char *name)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(orders[i].name, name) == 0)
            return &orders[i];
    }
    return NULL;
}
