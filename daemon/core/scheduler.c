#include "daemon/core/scheduler.h"

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

static const struct scheduler_policy policies[] = {
    {.name = "fifo", .before = fifo_before},
    {.name = "priority", .before = priority_before},
};

const struct scheduler_policy *scheduler_policy_find(const char *name)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (strcmp(policies[i].name, name) == 0)
            return &policies[i];
    }
    return NULL;
}
