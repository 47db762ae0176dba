#include "daemon/core/job.h"

#include "common/words.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct job) == 48, "a waiting job is small");

static const char *const priority_words[JOB_PRIORITY_COUNT] = {
    [JOB_PRIORITY_URGENT] = "urgent",         [JOB_PRIORITY_HIGH] = "high",
    [JOB_PRIORITY_NORMAL] = "normal",         [JOB_PRIORITY_LOW] = "low",
    [JOB_PRIORITY_BACKGROUND] = "background",
};

void job_facts_done(struct job_facts *facts)
{
    free(facts->name);
    free(facts->queue);
    free(facts->type);
    free(facts->key);
    free(facts->digest);
    free(facts->unique);
    free(facts->tags);
    free(facts->array);
    free(facts->counters);
    free(facts->run);
    dependency_spec_done(&facts->depends);
    *facts = (struct job_facts){0};
}

void job_status_done(struct job_status *status)
{
    free(status->result);
    status->result = NULL;
}

const char *job_priority_word(enum job_priority priority)
{
    return (unsigned)priority < JOB_PRIORITY_COUNT ? priority_words[priority] : "?";
}

int job_priority_parse(const char *word, enum job_priority *ret)
{
    const int found = words_find(priority_words, JOB_PRIORITY_COUNT, word);
    if (found >= 0)
        *ret = (enum job_priority)found;
    return found < 0 ? -1 : 0;
}
