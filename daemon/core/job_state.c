#include "daemon/core/job_state.h"

#include "common/words.h"

#include <assert.h>
#include <stddef.h>

struct transition {
    enum job_state from;
    enum job_event event;
    enum job_state to;
};

static const struct transition transitions[] = {
    {JOB_STATE_PENDING, JOB_EVENT_ASSIGN, JOB_STATE_STARTING},
    {JOB_STATE_PENDING, JOB_EVENT_CANCEL, JOB_STATE_CANCELLED},
    {JOB_STATE_STARTING, JOB_EVENT_GO, JOB_STATE_RUNNING},
    {JOB_STATE_STARTING, JOB_EVENT_RETURN, JOB_STATE_PENDING},
    {JOB_STATE_STARTING, JOB_EVENT_SUCCEED, JOB_STATE_COMPLETED},
    {JOB_STATE_STARTING, JOB_EVENT_FAIL, JOB_STATE_FAILED},
    {JOB_STATE_STARTING, JOB_EVENT_CANCEL, JOB_STATE_CANCELLED},
    {JOB_STATE_RUNNING, JOB_EVENT_RETURN, JOB_STATE_PENDING},
    {JOB_STATE_RUNNING, JOB_EVENT_SUCCEED, JOB_STATE_COMPLETED},
    {JOB_STATE_RUNNING, JOB_EVENT_FAIL, JOB_STATE_FAILED},
    {JOB_STATE_RUNNING, JOB_EVENT_CANCEL, JOB_STATE_CANCELLED},
    {JOB_STATE_RUNNING, JOB_EVENT_SUSPEND, JOB_STATE_SUSPENDED},
    {JOB_STATE_SUSPENDED, JOB_EVENT_RESUME, JOB_STATE_RUNNING},
    {JOB_STATE_SUSPENDED, JOB_EVENT_RETURN, JOB_STATE_PENDING},
    {JOB_STATE_SUSPENDED, JOB_EVENT_SUCCEED, JOB_STATE_COMPLETED},
    {JOB_STATE_SUSPENDED, JOB_EVENT_FAIL, JOB_STATE_FAILED},
    {JOB_STATE_SUSPENDED, JOB_EVENT_CANCEL, JOB_STATE_CANCELLED},
};

static const char *const state_words[] = {
    [JOB_STATE_PENDING] = "pending",     [JOB_STATE_STARTING] = "starting",
    [JOB_STATE_RUNNING] = "running",     [JOB_STATE_SUSPENDED] = "suspended",
    [JOB_STATE_COMPLETED] = "completed", [JOB_STATE_FAILED] = "failed",
    [JOB_STATE_CANCELLED] = "cancelled",
};
static_assert(sizeof(state_words) / sizeof(state_words[0]) == JOB_STATE_COUNT, "a word each");

static const char *const event_words[] = {
    [JOB_EVENT_ASSIGN] = "assign",   [JOB_EVENT_GO] = "go",         [JOB_EVENT_RETURN] = "return",
    [JOB_EVENT_SUCCEED] = "succeed", [JOB_EVENT_FAIL] = "fail",     [JOB_EVENT_CANCEL] = "cancel",
    [JOB_EVENT_SUSPEND] = "suspend", [JOB_EVENT_RESUME] = "resume",
};
static_assert(sizeof(event_words) / sizeof(event_words[0]) == JOB_EVENT_COUNT, "a word each");

int job_state_next(enum job_state state, enum job_event event)
{
    for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
        if (transitions[i].from == state && transitions[i].event == event)
            return (int)transitions[i].to;
    }
    return -1;
}

const char *job_state_word(enum job_state state)
{
    return (unsigned)state < JOB_STATE_COUNT ? state_words[state] : "?";
}

const char *job_event_word(enum job_event event)
{
    return (unsigned)event < JOB_EVENT_COUNT ? event_words[event] : "?";
}

int job_state_parse(const char *word, enum job_state *ret)
{
    const int found = words_find(state_words, JOB_STATE_COUNT, word);
    if (found >= 0)
        *ret = (enum job_state)found;
    return found < 0 ? -1 : 0;
}
