#include "client/replay_table.h"

#include "client/grid.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <pwd.h>
#include <stdlib.h>

#define USERS_SHOWN 20U
#define RUNS_MAX ((size_t)QUEUE_POLICY_COUNT * QUEUE_BACKFILL_COUNT)

static void print_runs(const struct cli *cli, const struct replay_run *runs, size_t count)
{
    static const char *const columns[] = {
        "POLICY",    "BACKFILL",     ">JOBS",       ">MEAN WAIT",     ">P95 WAIT", ">SLOWDOWN",
        ">MAKESPAN", ">UTILISATION", ">JAIN SHARE", ">JAIN SLOWDOWN", NULL};
    struct libscols_table *table = grid_new(cli, columns);
    for (size_t i = 0; i < count; i++) {
        const struct replay_report *report = &runs[i].report;
        char jobs[24], wait[32], p95[32], makespan[32];
        char slowdown[32], used[32], share[32], fairness[32];
        (void)snprintf(jobs, sizeof(jobs), "%zu", report->jobs);
        (void)snprintf(wait, sizeof(wait), "%.1f s", report->wait);
        (void)snprintf(p95, sizeof(p95), "%.1f s", report->wait_p95);
        (void)snprintf(slowdown, sizeof(slowdown), "%.2f", report->slowdown);
        (void)snprintf(makespan, sizeof(makespan), "%.0f s", report->makespan);
        (void)snprintf(used, sizeof(used), "%.1f %%", report->utilisation * 100);
        (void)snprintf(share, sizeof(share), "%.3f", report->jain_share);
        (void)snprintf(fairness, sizeof(fairness), "%.3f", report->jain_slowdown);
        const char *const cells[] = {queue_policy_word(runs[i].policy),
                                     queue_backfill_word(runs[i].backfill),
                                     jobs,
                                     wait,
                                     p95,
                                     slowdown,
                                     makespan,
                                     used,
                                     share,
                                     fairness,
                                     NULL};
        grid_add(table, cells);
    }
    grid_print(table);
}

/* Of two numbers of users. */
static int by_share(const void *a, const void *b, void *arg)
{
    const struct replay_report *report = arg;
    const struct replay_user *first = &report->users[*(const size_t *)a];
    const struct replay_user *second = &report->users[*(const size_t *)b];
    if (first->share != second->share)
        return first->share < second->share ? 1 : -1;
    return (first->uid > second->uid) - (first->uid < second->uid);
}

static char *user_text(uint32_t uid, bool accounts)
{
    const struct passwd *account = accounts ? getpwuid(uid) : NULL;
    return account == NULL ? xasprintf("%u", uid) : xstrdup(account->pw_name);
}

/* USER, JOBS, SHARE, and a mean wait for each run: the users are the same in each. */
static void add_user(struct libscols_table *table, const struct replay_run *runs, size_t count,
                     size_t at, bool accounts)
{
    const struct replay_user *user = &runs[0].report.users[at];
    char jobs[24], share[32], waits[RUNS_MAX][32];
    const char *cells[RUNS_MAX + 4] = {NULL};
    CLEANUP_FREE char *name = user_text(user->uid, accounts);
    (void)snprintf(jobs, sizeof(jobs), "%zu", user->jobs);
    (void)snprintf(share, sizeof(share), "%.1f %%", user->share * 100);
    cells[0] = name;
    cells[1] = jobs;
    cells[2] = share;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(waits[i], sizeof(waits[i]), "%.1f s", runs[i].report.users[at].wait);
        cells[3 + i] = waits[i];
    }
    grid_add(table, cells);
}

static void print_users(const struct cli *cli, const struct replay_run *runs, size_t count,
                        bool accounts)
{
    size_t users = runs[0].report.user_count;
    char headings[RUNS_MAX][40];
    const char *columns[RUNS_MAX + 4] = {"USER", ">JOBS", ">SHARE"};
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(headings[i], sizeof(headings[i]), ">%s %s",
                       queue_policy_word(runs[i].policy), queue_backfill_word(runs[i].backfill));
        columns[3 + i] = headings[i];
    }
    struct replay_report report = runs[0].report;
    CLEANUP_FREE size_t *order = xcalloc(users, sizeof(*order));
    for (size_t i = 0; i < users; i++)
        order[i] = i;
    qsort_r(order, users, sizeof(*order), by_share, &report);
    size_t shown = cli->tty && users > USERS_SHOWN ? USERS_SHOWN : users;
    (void)printf("\nusers, by their share of the work, and their mean wait:\n");
    struct libscols_table *table = grid_new(cli, columns);
    for (size_t i = 0; i < shown; i++)
        add_user(table, runs, count, order[i], accounts);
    grid_print(table);
    if (shown < users)
        (void)printf("and %zu more (batchctl simulate --json)\n", users - shown);
}

void replay_table_print(const struct cli *cli, const struct replay_run *runs, size_t count,
                        bool accounts)
{
    print_runs(cli, runs, count);
    if (count > 0 && runs[0].report.user_count > 1)
        print_users(cli, runs, count, accounts);
}
