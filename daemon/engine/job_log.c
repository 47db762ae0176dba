#include "daemon/engine/job_log.h"

#include "common/log.h"

#include <stdio.h>

#define NUMBER_BYTES 24
#define FIELDS_MAX 9 /* the most that one line has */

/* MESSAGE_ID of each kind of line; systemd/batchd.catalog explains them (journalctl -x). */
static const char started_id[] = "ee64c941e4864ae49b6e44fa35f3cdb4";
static const char lost_id[] = "dbed4c077d3146ec8922d073b04ac07f";

static const struct {
    const char *words, *message_id;
} ends[] = {
    [ENDING_COMPLETED] = {"completed", "999e861f48004570954701654598b589"},
    [ENDING_FAILED] = {"failed", "61567cce8f764f60bac42c240ded2e78"},
    [ENDING_POISON] = {"failed", "61567cce8f764f60bac42c240ded2e78"},
    [ENDING_CANCELLED] = {"was cancelled", "dc7b12f52b224e6ca556685c095f2199"},
    [ENDING_AGAIN_CHARGED] = {"failed and is tried again", "f4284bfbd4184c9eb558027d55ea03ed"},
    [ENDING_AGAIN_FREE] = {"was lost and is run again", lost_id},
    [ENDING_AGAIN_LATER] = {"could not start and is tried again", lost_id},
};

/* The fields of one line; values live as long as the struct. */
struct line {
    struct log_field fields[FIELDS_MAX + 1]; /* the last one has no name */
    size_t count;
    char numbers[FIELDS_MAX][NUMBER_BYTES];
    char name[2 * NUMBER_BYTES]; /* "42", or "42_7" of a task */
};

static void add(struct line *line, const char *name, const char *value)
{
    line->fields[line->count++] = (struct log_field){name, value};
}

static void add_number(struct line *line, const char *name, unsigned long long value)
{
    char *text = line->numbers[line->count];
    (void)snprintf(text, NUMBER_BYTES, "%llu", value);
    add(line, name, text);
}

static void begin(struct line *line, const struct job *job, const struct job_status *status)
{
    line->count = 0;
    (void)snprintf(line->name, sizeof(line->name), status->is_task ? "%llu_%llu" : "%llu",
                   (unsigned long long)status->id, (unsigned long long)status->index);
    add_number(line, "BATCHD_JOB_ID", status->id);
    if (status->is_task)
        add_number(line, "BATCHD_ARRAY_INDEX", status->index);
    add_number(line, "BATCHD_ATTEMPT", status->attempt);
    add_number(line, "BATCHD_UID", job->uid);
}

void job_log_started(const struct job *job, const struct job_status *status)
{
    struct line line;
    begin(&line, job, status);
    add_number(&line, "BATCHD_WORKER", status->worker);
    add(&line, "BATCHD_STATE", "running");
    add(&line, "MESSAGE_ID", started_id);
    add(&line, NULL, NULL);
    log_fields(LOG_LEVEL_INFO, line.fields, "job %s runs (attempt %u)", line.name, status->attempt);
}

void job_log_end(const struct job *job, const struct job_status *status, enum ending ending)
{
    struct line line;
    const struct outcome *outcome = &status->outcome;
    const char *class = outcome_class_word(outcome->class);
    bool has_code = outcome->exit_code >= 0 && outcome->class != OUTCOME_SPAWN;
    char how[48];
    begin(&line, job, status);
    if (has_code)
        (void)snprintf(how, sizeof(how), "exit %d", outcome->exit_code);
    else if (outcome->signal != 0)
        (void)snprintf(how, sizeof(how), "signal %d", outcome->signal);
    else
        (void)snprintf(how, sizeof(how), "%s", class);
    add(&line, "BATCHD_STATE", ends[ending].words);
    add(&line, "BATCHD_RESULT", class);
    add(&line, "MESSAGE_ID", outcome->class == OUTCOME_LOST ? lost_id : ends[ending].message_id);
    if (has_code)
        add_number(&line, "BATCHD_EXIT_STATUS", (unsigned)outcome->exit_code);
    else if (outcome->signal != 0)
        add_number(&line, "BATCHD_SIGNAL", (unsigned)outcome->signal);
    add(&line, NULL, NULL);
    log_fields(LOG_LEVEL_INFO, line.fields, "job %s %s (%s)%s%s", line.name, ends[ending].words,
               how, outcome->message[0] == '\0' ? "" : ": ", outcome->message);
}
