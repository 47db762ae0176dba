#include "worker/sampler.h"

#include "common/clock.h"
#include "worker/tree_usage.h"

/* The first look, which is of use to jobs that do not last; each pause is twice the one before,
 * until it is batchd's interval. */
#define FIRST_US (250 * US_PER_MS)
#define PAUSE_MAX_US (2 * US_PER_SECOND)
/* Until the look at what a server used before the job. */
#define BEGIN_US (20 * US_PER_MS)

void sampler_begin(struct sampler *sampler, int64_t now)
{
    *sampler = (struct sampler){.told_us = sampler->told_us,
                                .pause_us = FIRST_US,
                                .looked_at = now,
                                .next_at = now + FIRST_US};
}

void sampler_begin_served(struct sampler *sampler, int64_t now)
{
    sampler_begin(sampler, now);
    sampler->begins = true;
    sampler->next_at = now + BEGIN_US;
}

void sampler_tell_every(struct sampler *sampler, int64_t interval_us, int64_t now)
{
    sampler->told_us = interval_us;
    if (sampler->next_at == INT64_MAX)
        sampler->next_at = now;
}

static uint64_t micros(const struct timeval *span)
{
    return (uint64_t)(span->tv_sec * US_PER_SECOND + span->tv_usec);
}

void sampler_add_orphan(struct sampler *sampler, const struct rusage *usage)
{
    const uint64_t rss = (uint64_t)usage->ru_maxrss * 1024;
    sampler->orphan_user_us += micros(&usage->ru_utime);
    sampler->orphan_system_us += micros(&usage->ru_stime);
    if (rss > sampler->orphan_rss_bytes)
        sampler->orphan_rss_bytes = rss;
}

static bool look_at_groups(const struct job_group *group, const struct job_group *server,
                           struct job_usage *ret)
{
    struct job_usage own;
    if (server == NULL)
        return job_group_sample(group, ret);
    if (!job_group_sample_server(server, ret))
        return false;
    if (job_group_sample(group, &own)) { /* of batchd-job, which speaks with it */
        ret->cpu_us += own.cpu_us;
        ret->memory_bytes += own.memory_bytes;
        ret->processes += own.processes;
    }
    return true;
}

/* By its control group, else by its processes. */
static void look(struct sampler *sampler, const struct job_group *group,
                 const struct job_group *server, struct job_usage *ret)
{
    struct tree_usage tree;
    const bool grouped = look_at_groups(group, server, ret);
    if (!grouped) {
        tree_usage_take(&tree);
        *ret = (struct job_usage){.cpu_us = tree.cpu_us + sampler->orphan_user_us +
                                            sampler->orphan_system_us,
                                  .memory_bytes = tree.memory_bytes,
                                  .processes = tree.processes};
    }
    ret->cpu_us = usage_without(ret->cpu_us, sampler->before_us);
    if (ret->memory_bytes > sampler->peak_bytes) {
        sampler->peak_bytes = ret->memory_bytes;
        sampler->peak_grouped = grouped;
    }
    if (ret->peak_bytes != 0)
        return;
    ret->peak_bytes = sampler->peak_bytes;
    ret->source = MEMORY_SAMPLED;
}

/* What one that died took along without having been waited for makes it less than before. */
static uint32_t share_of(const struct sampler *sampler, const struct job_usage *usage, int64_t now)
{
    const int64_t passed = now - sampler->looked_at;
    if (passed <= 0 || usage->cpu_us < sampler->looked_cpu_us)
        return 0;
    return (uint32_t)((usage->cpu_us - sampler->looked_cpu_us) * 1000 / (uint64_t)passed);
}

static void plan_next(struct sampler *sampler, const struct job_usage *usage, int64_t now)
{
    const int64_t most = sampler->told_us > 0 ? sampler->told_us : PAUSE_MAX_US;
    sampler->pause_us = sampler->pause_us < most / 2 ? 2 * sampler->pause_us : most;
    const bool wanted = sampler->told_us > 0 || usage->source != MEMORY_GROUP;
    sampler->next_at = wanted ? now + sampler->pause_us : INT64_MAX;
}

void sampler_note_before(struct sampler *sampler, uint64_t cpu_us, int64_t now)
{
    sampler->before_us = cpu_us;
    sampler->begins = false;
    sampler->looked_at = now;
    sampler->next_at = now + FIRST_US;
}

bool sampler_take(struct sampler *sampler, const struct job_group *group,
                  const struct job_group *server, int64_t now, struct job_usage *ret)
{
    if (now < sampler->next_at)
        return false;
    look(sampler, group, server, ret);
    ret->cpu_permille = share_of(sampler, ret, now);
    sampler->looked_at = now;
    sampler->looked_cpu_us = ret->cpu_us;
    plan_next(sampler, ret, now);
    return sampler->told_us > 0;
}

void sampler_settle(const struct sampler *sampler, struct job_exit *end)
{
    end->user_us += sampler->orphan_user_us;
    end->system_us += sampler->orphan_system_us;
    end->memory_source = MEMORY_PROCESS;
    if (sampler->orphan_rss_bytes > end->max_rss_bytes)
        end->max_rss_bytes = sampler->orphan_rss_bytes;
    if (sampler->peak_bytes <= end->max_rss_bytes)
        return;
    end->max_rss_bytes = sampler->peak_bytes;
    end->memory_source = MEMORY_SAMPLED;
}
