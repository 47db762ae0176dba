#include "worker/tree.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/process_stat.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* proc_pid_children(5): pids separated by blanks; some 100,000 of them. */
#define LIST_BYTES ((size_t)1 << 20)
/* What forks faster than we look is looked for this long before the caller has its turn again. */
#define SIGNAL_US (50 * US_PER_MS)
/* And no look takes longer than this: what is ended makes room for others. Only a look that stops
 * all that it finds comes to its end by itself; and one for what stands, which is to go on as a
 * whole, has time for 100,000 processes. */
#define LOOK_US (1000 * US_PER_MS)
#define LOOK_FOR_HALTED_US (10000 * US_PER_MS)

/* One that is taken for a figure costs no more than that, however many there are. */
#define LOOK_FOR_ALL_US (20 * US_PER_MS)

struct process {
    pid_t pid;
    uint64_t born; /* ticks since the boot: with the pid nobody else's */
};

/* Those that were found, in the order in which they were. */
struct finds {
    struct process *processes;
    size_t count, room;
    pid_t *sorted; /* their pids, for the search */
};

struct search {
    struct finds finds;
    int number;
    tree_skip_fn skip;
    void *arg;
    pid_t spared;    /* it is told nothing, what is below it is; 0: none */
    int64_t begun;   /* monotonic */
    int64_t look_us; /* a look takes no longer */
    bool blind;      /* our children cannot be read: there may be some */
};

/* ---- what is known already ---- */

static size_t place_of(const struct finds *finds, pid_t pid)
{
    size_t low = 0;
    size_t high = finds->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (finds->sorted[middle] < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_known(const struct finds *finds, pid_t pid)
{
    size_t at = place_of(finds, pid);
    return at < finds->count && finds->sorted[at] == pid;
}

static void remember(struct finds *finds, const struct process *process)
{
    size_t at = place_of(finds, process->pid);
    if (finds->count == finds->room) {
        finds->room = finds->room == 0 ? 64 : 2 * finds->room;
        finds->processes = xreallocarray(finds->processes, finds->room, sizeof(*finds->processes));
        finds->sorted = xreallocarray(finds->sorted, finds->room, sizeof(*finds->sorted));
    }
    memmove(finds->sorted + at + 1, finds->sorted + at,
            (finds->count - at) * sizeof(*finds->sorted));
    finds->sorted[at] = process->pid;
    finds->processes[finds->count++] = *process;
}

/* ---- /proc ---- */

static bool is_still(const struct process *process)
{
    struct process_stat look;
    return process_stat_read(process->pid, &look) == 0 && look.born == process->born;
}

/* The pids in a list of children, 0 behind the last; NULL: it cannot be read. */
static pid_t *read_children(const char *path)
{
    CLEANUP_FREE char *list = fd_read_file(AT_FDCWD, path, LIST_BYTES, NULL);
    size_t count = 0;
    if (list == NULL)
        return NULL;
    for (const char *at = list; *at != '\0'; at++)
        count += *at == ' ';
    pid_t *pids = xcalloc(count + 1, sizeof(*pids));
    char *at = list;
    for (size_t i = 0; i < count; i++)
        pids[i] = (pid_t)strtol(at, &at, 10);
    return pids;
}

/* ---- the search ---- */

/* A direct child: unreaped, so its pid is its own. */
static void find_own(struct search *search, pid_t pid)
{
    struct process found = {.pid = pid};
    struct process_stat look = {.born = 0};
    if (is_known(&search->finds, pid) || (search->skip != NULL && search->skip(search->arg, pid)))
        return;
    (void)process_stat_read(pid, &look);
    found.born = look.born;
    if (pid != search->spared)
        (void)kill(pid, search->number);
    remember(&search->finds, &found);
}

static void find_below(struct search *search, const struct process *parent, pid_t pid)
{
    struct process_stat look;
    if (is_known(&search->finds, pid))
        return;
    CLEANUP_CLOSE int fd = pidfd_open(pid, 0);
    if (fd < 0 || process_stat_read(pid, &look) < 0 || look.parent != parent->pid)
        return; /* it is nobody any more, or another's child, or ours: then it is found there */
    if (look.is_zombie && look.threads <= 1 && parent->pid == search->spared)
        return; /* who is spared may take its time to reap it */
    const struct process found = {.pid = pid, .born = look.born};
    (void)pidfd_send_signal(fd, search->number, NULL, 0);
    remember(&search->finds, &found);
}

static void find_listed(struct search *search, const struct process *parent, const char *path)
{
    CLEANUP_FREE pid_t *pids = read_children(path);
    if (pids == NULL || !is_still(parent)) /* else they were somebody else's */
        return;
    for (size_t i = 0; pids[i] > 0; i++)
        find_below(search, parent, pids[i]);
}

/* Each thread has children of its own. */
static void find_children(struct search *search, const struct process *parent)
{
    char path[80];
    const struct dirent *entry;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", parent->pid);
    DIR *threads = opendir(path);
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", parent->pid,
                       entry->d_name);
        find_listed(search, parent, path);
    }
    if (threads != NULL)
        (void)closedir(threads);
}

/* Ours, whichever of our threads made them. */
static void find_all_own(struct search *search)
{
    static const char threads_path[] = "/proc/self/task";
    char path[80];
    const struct dirent *entry;
    DIR *threads = opendir(threads_path);
    search->blind = threads == NULL;
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.20s/children", threads_path, entry->d_name);
        CLEANUP_FREE pid_t *own = read_children(path);
        search->blind = search->blind || own == NULL;
        for (size_t i = 0; own != NULL && own[i] > 0; i++)
            find_own(search, own[i]);
    }
    if (threads != NULL)
        (void)closedir(threads);
}

static int64_t lasted_us(const struct search *search)
{
    return clock_monotonic_us() - search->begun;
}

/* One look at all that is below us. */
static void look_around(struct search *search)
{
    find_all_own(search);
    for (size_t i = 0; i < search->finds.count; i++) {
        if (lasted_us(search) > search->look_us)
            return;
        const struct process parent = search->finds.processes[i];
        find_children(search, &parent);
    }
}

/* One that was found before anybody was told. */
static void tell(const struct process *process, int number)
{
    CLEANUP_CLOSE int fd = pidfd_open(process->pid, 0);
    if (fd >= 0 && is_still(process))
        (void)pidfd_send_signal(fd, number, NULL, 0);
}

/* Who is spared is not counted. */
static size_t found(const struct search *search)
{
    const bool spares = search->spared != 0 && is_known(&search->finds, search->spared);
    return search->finds.count - (spares ? 1 : 0);
}

static enum tree_found signal_tree(struct search *search, int number)
{
    /* Signal 0 is sent to nobody: what a job does about a signal (a trap that copies a file) is by
     * processes that are not to be told, so all are found first. */
    const bool as_found = number == SIGSTOP || number == SIGKILL;
    search->number = as_found ? number : 0;
    search->begun = clock_monotonic_us();
    search->look_us = number == SIGSTOP   ? INT64_MAX
                      : number == SIGCONT ? LOOK_FOR_HALTED_US
                                          : LOOK_US;
    size_t before;
    do {
        before = found(search);
        look_around(search);
    } while (found(search) > before && lasted_us(search) < SIGNAL_US);
    for (size_t i = 0; !as_found && i < search->finds.count; i++)
        tell(&search->finds.processes[i], number);
    const enum tree_found result = found(search) > before        ? TREE_OUTRUN
                                   : before > 0 || search->blind ? TREE_ALL
                                                                 : TREE_EMPTY;
    free(search->finds.processes);
    free(search->finds.sorted);
    return result;
}

enum tree_found tree_signal(int number, tree_skip_fn skip, void *arg)
{
    struct search search = {.skip = skip, .arg = arg};
    return signal_tree(&search, number);
}

/* Signal 0 is sent to nobody. */
void tree_each(tree_each_fn each, void *arg)
{
    struct search search = {.begun = clock_monotonic_us(), .look_us = LOOK_FOR_ALL_US};
    look_around(&search);
    for (size_t i = 0; i < search.finds.count; i++)
        each(arg, search.finds.processes[i].pid);
    free(search.finds.processes);
    free(search.finds.sorted);
}

bool tree_kill(tree_skip_fn skip, void *arg)
{
    if (tree_signal(SIGSTOP, skip, arg) == TREE_EMPTY)
        return false;
    (void)tree_signal(SIGKILL, skip, arg);
    return true;
}

static bool kill_all_but(pid_t spared)
{
    struct search stops = {.spared = spared};
    struct search kills = {.spared = spared};
    if (signal_tree(&stops, SIGSTOP) == TREE_EMPTY)
        return false;
    (void)signal_tree(&kills, SIGKILL);
    return true;
}

bool tree_sweep(pid_t spared, tree_reaped_fn reaped, void *arg)
{
    for (unsigned count = 0; count < TREE_REAPS_MAX; count++) {
        struct rusage usage;
        pid_t pid = wait4(-1, NULL, WNOHANG | __WALL, &usage);
        if (pid < 0)
            return errno == ECHILD;
        if (pid == 0)
            break;
        reaped(arg, pid, &usage);
    }
    return !kill_all_but(spared) && spared != 0;
}
