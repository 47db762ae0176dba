/* Replays side by side, for people. */
#ifndef BATCHD_CLIENT_REPLAY_TABLE_H
#define BATCHD_CLIENT_REPLAY_TABLE_H

#include "client/cli.h"
#include "client/replay_report.h"

struct replay_run {
    enum queue_policy policy;
    enum queue_backfill backfill;
    struct replay_report report;
};

/* A line for each run, then one for each user: its share of the work and its mean wait in each run.
 * With `accounts` the users are accounts of this machine and have their names. On a terminal only
 * the users with the most work. */
void replay_table_print(const struct cli *cli, const struct replay_run *runs, size_t count,
                        bool accounts);

#endif
