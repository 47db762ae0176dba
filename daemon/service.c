#include "daemon/service.h"

#include "common/log.h"
#include "daemon/daemon.h"
#include "daemon/notices.h"
#include "daemon/resources/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

/* How often a full disk is looked at. */
#define ROOM_LOOK_NS 200000000

/* True when the disk of the state has room again. A daemon may then be made anew: nothing was lost,
 * and the workers keep the results that it could not take. False: one of `stops`, which are
 * blocked, came meanwhile. */
static bool wait_for_room(const struct config *config, const struct places *places,
                          const sigset_t *stops)
{
    const struct timespec pause = {.tv_nsec = ROOM_LOOK_NS};
    log_error("the disk of %s is full; batchd waits for room, running jobs go on",
              places->state_dir);
    notices_full_disk();
    do {
        notices_alive();
        if (sigtimedwait(stops, NULL, &pause) > 0)
            return false;
    } while (!disk_has_room(places->state_dir, config->store_reserve_bytes));
    return true;
}

/* `stops` are let in only while a daemon runs, so that none is lost between two. */
static int run_daemons(const struct config *config, const struct places *places,
                       const struct program *program, struct notices *notices,
                       const sigset_t *stops, struct error *err)
{
    bool was_up = false;
    for (;;) {
        struct daemon *daemon = daemon_new(config, places, program, notices, err);
        int result = -1;
        if (daemon != NULL) {
            was_up = true;
            (void)sigprocmask(SIG_UNBLOCK, stops, NULL);
            result = daemon_run(daemon, err);
            (void)sigprocmask(SIG_BLOCK, stops, NULL);
        }
        daemon_free(daemon);
        if (result == 0)
            return 0;
        if (!was_up || err->saved_errno != ENOSPC)
            return -1;
        if (!wait_for_room(config, places, stops))
            return 0;
    }
}

int service_run(const struct config *config, const struct places *places,
                const struct program *program, struct error *err)
{
    sigset_t stops;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    (void)signal(SIGHUP, SIG_IGN);
    struct notices *notices = notices_new();
    const int result = run_daemons(config, places, program, notices, &stops, err);
    notices_free(notices);
    return result;
}
