#include "daemon/engine/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of ru_inblock and ru_oublock of getrusage(2), whatever the file system. */
#define BLOCK_BYTES UINT64_C(512)

/* There was no room on the machine for its process: the next machine, or the next hour, has some.
 */
static bool host_refused(const struct job_exit *end)
{
    return end->cause == EXIT_CAUSE_SPAWN &&
           (end->spawn_errno == EAGAIN || end->spawn_errno == ENOMEM);
}

static enum outcome_class class_of(const struct job_exit *end, bool is_processor)
{
    switch ((enum exit_cause)end->cause) {
    case EXIT_CAUSE_STOPPED:
        return OUTCOME_CANCELLED;
    case EXIT_CAUSE_TIMEOUT:
        return OUTCOME_TIMEOUT;
    case EXIT_CAUSE_SPAWN:
        return host_refused(end) ? OUTCOME_LOST : OUTCOME_SPAWN;
    case EXIT_CAUSE_SHUTDOWN:
        return OUTCOME_LOST;
    case EXIT_CAUSE_OUTPUT:
        return OUTCOME_EXIT;
    case EXIT_CAUSE_OOM:
        return OUTCOME_OOM;
    case EXIT_CAUSE_DISK_FULL:
        return OUTCOME_DISK_FULL;
    case EXIT_CAUSE_NORMAL:
    case EXIT_CAUSE_COUNT:
        break;
    }
    if (end->has_signal)
        return OUTCOME_SIGNAL;
    if (end->exit_code == 0)
        return OUTCOME_SUCCESS;
    return is_processor ? OUTCOME_PROCESSOR : OUTCOME_EXIT;
}

void outcome_from_exit(const struct job_exit *end, bool is_processor, struct job_status *status)
{
    status->outcome = (struct outcome){.class = class_of(end, is_processor),
                                       .exit_code = end->has_code ? (int)end->exit_code : -1,
                                       .signal = end->has_signal ? (int)end->signal : 0,
                                       .planned = end->cause == EXIT_CAUSE_SHUTDOWN,
                                       .refused = host_refused(end)};
    memcpy(status->outcome.message, end->text, sizeof(status->outcome.message));
    status->outcome.message[sizeof(status->outcome.message) - 1] = '\0';
    status->usage = (struct usage){.user_us = end->user_us,
                                   .system_us = end->system_us,
                                   .run_us = end->run_us,
                                   .max_rss_bytes = end->max_rss_bytes,
                                   .memory_source = (enum memory_source)end->memory_source,
                                   .read_bytes = BLOCK_BYTES * end->read_blocks,
                                   .written_bytes = BLOCK_BYTES * end->write_blocks,
                                   .stdout_bytes = end->stdout_bytes,
                                   .stderr_bytes = end->stderr_bytes,
                                   .cut_bytes = end->cut_bytes,
                                   .lost_bytes = end->lost_bytes};
    /* The shell's convention, which batchctl mirrors: 127 not found, 126 found but not executable.
     */
    if (status->outcome.class == OUTCOME_SPAWN)
        status->outcome.exit_code = end->spawn_errno == ENOENT ? 127 : 126;
    status->started_at = end->started_at;
    status->ended_at = end->ended_at;
    if (end->cause == EXIT_CAUSE_SHUTDOWN)
        (void)snprintf(status->outcome.message, sizeof(status->outcome.message),
                       "its worker was told to end");
}

void outcome_lost(bool tree_dead, struct job_status *status)
{
    status->outcome = (struct outcome){.class = OUTCOME_LOST, .exit_code = -1};
    (void)snprintf(status->outcome.message, sizeof(status->outcome.message), "%s",
                   tree_dead ? "its worker died while it ran"
                             : "its worker and the spawner died while it ran; nobody can say "
                               "whether its processes are gone");
}
