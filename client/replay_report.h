/* What a replay was like: for all jobs and for each user. The measures are those of Feitelson and
 * Rudolph, "Metrics and Benchmarking for Parallel Job Scheduling" (JSSPP 1998), and Jain, Chiu and
 * Hawe's index of fairness (DEC-TR-301, 1984): (sum x)^2 / (n * sum x^2), 1 when all are alike. */
#ifndef BATCHD_CLIENT_REPLAY_REPORT_H
#define BATCHD_CLIENT_REPLAY_REPORT_H

#include "common/json.h"

#include "daemon/core/simulation.h"

struct replay_user {
    uint32_t uid;
    size_t jobs;
    double share;    /* of all processor-seconds, 0 to 1 */
    double wait;     /* mean, seconds */
    double slowdown; /* mean, bounded */
};

struct replay_report {
    size_t jobs;
    double wait, wait_p95; /* seconds; the mean, and what 95 % waited at most (nearest rank) */
    double slowdown;       /* mean of max(1, (wait + run) / max(run, 10 s)) */
    double makespan;       /* seconds from the first submit to the last end */
    double utilisation;    /* processor-seconds used / (makespan * processors), 0 to 1 */
    double jain_share, jain_slowdown; /* over the users' shares, over their slowdowns */
    struct replay_user *users;        /* by uid; owned */
    size_t user_count;
};

void replay_report_make(const struct simulated_job *jobs, size_t count, uint64_t processors,
                        struct replay_report *ret);
void replay_report_done(struct replay_report *report);

/* {"jobs", "mean_wait_s", "p95_wait_s", "mean_bounded_slowdown", "makespan_s", "utilisation",
 * "jain_index", "jain_index_slowdown", "users": [...]}. New reference. */
json_t *replay_report_json(const struct replay_report *report);

#endif
