#include "daemon/core/ending.h"

static enum ending of_lost(const struct ended_attempt *attempt)
{
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
