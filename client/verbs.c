/* The table of verbs: --help, completion and batchctl(1) are made from it. */
#include "client/verbs.h"

#include <stddef.h>

const struct verb *const cli_verbs[] = {
    &verb_submit,  &verb_list,   &verb_show,       &verb_why,        &verb_plan,   &verb_logs,
    &verb_wait,    &verb_hold,   &verb_release,    &verb_edit,       &verb_move,   &verb_suspend,
    &verb_resume,  &verb_signal, &verb_cancel,     &verb_retry,      &verb_status, &verb_top,
    &verb_stats,   &verb_queue,  &verb_breakers,   &verb_workers,    &verb_events, &verb_ping,
    &verb_version, &verb_call,   &verb_processors, &verb_simulate,   &verb_cron,   &verb_checkpoint,
    &verb_prune,   &verb_backup, &verb_doctor,     &verb_completion, NULL,
};
