#include "worker/autogroup.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* proc_sched_autogroup_set_nice of kernel/sched/autogroup.c: HZ/10 between two of them. */
#define PAUSE_US (110 * US_PER_MS)
/* The process may not have been on a processor yet, and its session is made by itself. */
#define BORN_US (10 * US_PER_MS)
/* While so many others have something to say. */
#define TRIES_MAX 600U

void autogroup_begin(struct autogroup *autogroup, pid_t leader, unsigned nice, int64_t now)
{
    *autogroup = (struct autogroup){
        .leader = leader, .nice = nice, .next_at = nice == 0 ? INT64_MAX : now + BORN_US};
}

/* 0, or -1 with errno. */
static int say(const struct autogroup *autogroup)
{
    char path[48], number[16];
    (void)snprintf(path, sizeof(path), "/proc/%d/autogroup", (int)autogroup->leader);
    (void)snprintf(number, sizeof(number), "%u", autogroup->nice);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fd_write_all(fd, number, strlen(number));
}

/* Before it leads a session it is in ours, which is not meant. */
int64_t autogroup_tend(struct autogroup *autogroup, int64_t now)
{
    if (now < autogroup->next_at)
        return autogroup->next_at;
    const bool leads = getsid(autogroup->leader) == autogroup->leader;
    const bool again = !leads || (say(autogroup) < 0 && errno == EAGAIN);
    autogroup->next_at =
        again && ++autogroup->tries < TRIES_MAX ? now + (leads ? PAUSE_US : BORN_US) : INT64_MAX;
    return autogroup->next_at;
}
