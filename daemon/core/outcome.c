#include "daemon/core/outcome.h"

static const char *const class_words[OUTCOME_CLASS_COUNT] = {
    [OUTCOME_NONE] = "none",           [OUTCOME_SUCCESS] = "success",     [OUTCOME_EXIT] = "exit",
    [OUTCOME_SIGNAL] = "signal",       [OUTCOME_TIMEOUT] = "timeout",     [OUTCOME_OOM] = "oom",
    [OUTCOME_DISK_FULL] = "disk_full", [OUTCOME_LOST] = "lost",           [OUTCOME_SPAWN] = "spawn",
    [OUTCOME_CANCELLED] = "cancelled", [OUTCOME_PROCESSOR] = "processor",
};

const char *outcome_class_word(enum outcome_class class)
{
    return (unsigned)class < OUTCOME_CLASS_COUNT ? class_words[class] : "?";
}
