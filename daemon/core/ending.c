#include "daemon/core/ending.h"

#define PAUSE_MIN_US INT64_C(1000000)
#define PAUSE_MAX_US INT64_C(300000000)

int64_t ending_pause_us(int64_t last_us)
{
    if (last_us <= 0)
        return PAUSE_MIN_US;
    return last_us < PAUSE_MAX_US / 2 ? last_us * 2 : PAUSE_MAX_US;
}

static enum ending of_lost(const struct ended_attempt *attempt)
{
    if (attempt->outcome->refused)
        return ENDING_AGAIN_LATER;
    if (!attempt->tree_dead || attempt->rule->lost == RETRY_LOST_FINAL)
        return ENDING_FAILED;
    return attempt->losses >= POISON_LOSSES && !attempt->outcome->planned ? ENDING_POISON
                                                                          : ENDING_AGAIN_FREE;
}

enum ending ending_of(const struct ended_attempt *attempt)
{
    enum outcome_class class = attempt->outcome->class;
    if (class == OUTCOME_SUCCESS)
        return ENDING_COMPLETED;
    if (class == OUTCOME_CANCELLED || attempt->cancelling)
        return ENDING_CANCELLED;
    if (class == OUTCOME_LOST)
        return of_lost(attempt);
    return attempt->charged + 1 < attempt->rule->max_attempts &&
                   retry_rule_takes(attempt->rule, attempt->outcome, attempt->grows)
               ? ENDING_AGAIN_CHARGED
               : ENDING_FAILED;
}
