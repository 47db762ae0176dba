#include "worker/job_end.h"

#include "common/clock.h"
#include "worker/child.h"

#include <stdio.h>
#include <sys/wait.h>

void job_end_status(struct job_exit *end, int status, const struct rusage *usage)
{
    end->has_code = WIFEXITED(status);
    end->exit_code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0;
    end->has_signal = WIFSIGNALED(status);
    end->signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
    end->core = WIFSIGNALED(status) && WCOREDUMP(status);
    end->user_us = (uint64_t)(usage->ru_utime.tv_sec * US_PER_SECOND + usage->ru_utime.tv_usec);
    end->system_us = (uint64_t)(usage->ru_stime.tv_sec * US_PER_SECOND + usage->ru_stime.tv_usec);
    end->max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024;
    end->read_blocks = (uint64_t)usage->ru_inblock;
    end->write_blocks = (uint64_t)usage->ru_oublock;
}

bool job_end_well(const struct job_exit *end)
{
    return end->has_code && end->exit_code == 0;
}

void job_end_bad_outputs(struct job_exit *end, const char *why)
{
    end->cause = EXIT_CAUSE_OUTPUT;
    if (end->text[0] == '\0')
        (void)snprintf(end->text, sizeof(end->text), "its outputs: %.180s", why);
}

void job_end_not_executed(struct job_exit *end, const struct job_run *run)
{
    struct error err;
    end->has_code = end->has_signal = 0;
    end->exit_code = end->signal = 0;
    if (end->text[0] != '\0')
        return;
    /* batchd-job told the number alone. */
    (void)child_program_failed(run->program[0] != '\0' ? run->program : run->argv[0],
                               (int)end->spawn_errno, &err);
    (void)snprintf(end->text, sizeof(end->text), "%.199s", err.text);
}

/* A job that was asked to stop and ended well all the same has its own result. */
static enum exit_cause final_cause(const struct job_exit *end, enum exit_cause stopped_for)
{
    if (end->spawn_errno != 0)
        return EXIT_CAUSE_SPAWN;
    if (end->cause == EXIT_CAUSE_OUTPUT)
        return stopped_for == EXIT_CAUSE_NORMAL ? EXIT_CAUSE_OUTPUT : stopped_for;
    if (stopped_for != EXIT_CAUSE_NORMAL && job_end_well(end))
        return stopped_for == EXIT_CAUSE_STOPPED ? EXIT_CAUSE_STOPPED : EXIT_CAUSE_NORMAL;
    return stopped_for;
}

static void tell_out_of_memory(struct job_exit *end, const struct job_run *run)
{
    double limit_mib = (double)run->memory_bytes / (1 << 20);
    end->cause = EXIT_CAUSE_OOM;
    if (run->memory_bytes > 0)
        (void)snprintf(end->text, sizeof(end->text),
                       "the kernel killed it for want of memory: it may have %.1f MiB", limit_mib);
    else
        (void)snprintf(end->text, sizeof(end->text), "the kernel killed it for want of memory");
}

void job_end_settle(struct job_exit *end, const struct job_run *run,
                    const struct job_end_facts *facts)
{
    end->cause = (uint8_t)final_cause(end, facts->stopped_for);
    if (end->cause != EXIT_CAUSE_NORMAL || job_end_well(end))
        return;
    if (facts->out_of_memory) {
        tell_out_of_memory(end, run);
    } else if (facts->disk_full) {
        end->cause = EXIT_CAUSE_DISK_FULL;
        (void)snprintf(end->text, sizeof(end->text),
                       "the disk was full: %llu bytes of its output are lost",
                       (unsigned long long)end->lost_bytes);
    }
}
