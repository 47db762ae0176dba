#include "daemon/engine/job_log.h"

#include "common/log.h"

#include <stdio.h>

#define NUMBER_BYTES 24

/* MESSAGE_ID of each kind of line; systemd/batchd.catalog explains them (journalctl -x). */
static const char started_id[] = "ee64c941e4864ae49b6e44fa35f3cdb4";
static const char lost_id[] = "dbed4c077d3146ec8922d073b04ac07f";

static const struct {
    const char *words, *message_id;
} ends[] = {
    [ENDING_COMPLETED] = {"completed", "999e861f48004570954701654598b589"},
    [ENDING_FAILED] = {"failed", "61567cce8f764f60bac42c240ded2e78"},
    [ENDING_CANCELLED] = {"was cancelled", "dc7b12f52b224e6ca556685c095f2199"},
    [ENDING_AGAIN_CHARGED] = {"failed and is tried again", "f4284bfbd4184c9eb558027d55ea03ed"},
    [ENDING_AGAIN_FREE] = {"was lost and is run again", lost_id},
};

struct numbers {
    char id[NUMBER_BYTES], attempt[NUMBER_BYTES], uid[NUMBER_BYTES], worker[NUMBER_BYTES];
    char exit_status[NUMBER_BYTES], signal[NUMBER_BYTES];
};

static struct numbers numbers_of(const struct job *job, const struct job_status *status)
{
    struct numbers numbers;
    (void)snprintf(numbers.id, NUMBER_BYTES, "%llu", (unsigned long long)status->id);
    (void)snprintf(numbers.attempt, NUMBER_BYTES, "%u", status->attempt);
    (void)snprintf(numbers.uid, NUMBER_BYTES, "%u", job->uid);
    (void)snprintf(numbers.worker, NUMBER_BYTES, "%llu", (unsigned long long)status->worker);
    (void)snprintf(numbers.exit_status, NUMBER_BYTES, "%d", status->outcome.exit_code);
    (void)snprintf(numbers.signal, NUMBER_BYTES, "%d", status->outcome.signal);
    return numbers;
}

void job_log_started(const struct job *job, const struct job_status *status)
{
    const struct numbers numbers = numbers_of(job, status);
    const struct log_field fields[] = {{"BATCHD_JOB_ID", numbers.id},
                                       {"BATCHD_ATTEMPT", numbers.attempt},
                                       {"BATCHD_UID", numbers.uid},
                                       {"BATCHD_WORKER", numbers.worker},
                                       {"BATCHD_STATE", "running"},
                                       {"MESSAGE_ID", started_id},
                                       {NULL, NULL}};
    log_fields(LOG_LEVEL_INFO, fields, "job %s runs (attempt %s)", numbers.id, numbers.attempt);
}

void job_log_end(const struct job *job, const struct job_status *status, enum ending ending)
{
    const struct numbers numbers = numbers_of(job, status);
    const struct outcome *outcome = &status->outcome;
    bool lost = outcome->class == OUTCOME_LOST;
    bool has_code = outcome->exit_code >= 0;
    const struct log_field fields[] = {
        {"BATCHD_JOB_ID", numbers.id},
        {"BATCHD_ATTEMPT", numbers.attempt},
        {"BATCHD_UID", numbers.uid},
        {"BATCHD_STATE", ends[ending].words},
        {"BATCHD_RESULT", outcome_class_word(outcome->class)},
        {"MESSAGE_ID", lost ? lost_id : ends[ending].message_id},
        /* Only what there was; the array ends at the first without a name. */
        {has_code               ? "BATCHD_EXIT_STATUS"
         : outcome->signal != 0 ? "BATCHD_SIGNAL"
                                : NULL,
         has_code ? numbers.exit_status : numbers.signal},
        {NULL, NULL}};
    log_fields(LOG_LEVEL_INFO, fields, "job %s %s (%s, exit %d, signal %d)%s%s", numbers.id,
               ends[ending].words, outcome_class_word(outcome->class), outcome->exit_code,
               outcome->signal, outcome->message[0] == '\0' ? "" : ": ", outcome->message);
}
