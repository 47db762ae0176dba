/* Whether batchd is there again after it ended, the user logged out or the machine restarted. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/checks.h"
#include "daemon/api/users.h"
#include "daemon/api/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* systemd tells it to the process that it starts, by number, since children inherit it. */
static bool by_systemd(void)
{
    const char *text = getenv("SYSTEMD_EXEC_PID");  /* NOLINT(concurrency-mt-unsafe): one thread */
    return text != NULL && atoll(text) == getpid(); /* NOLINT(cert-err34-c): 0 is nobody's */
}

static bool has_systemd(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

/* A unit for the services of a person, from make install or their own; `config` is their folder of
 * settings. */
static bool has_unit(const char *config)
{
    CLEANUP_FREE char *own = xasprintf("%s/systemd/user/batchd.service", config);
    const char *const units[] = {own, "/etc/systemd/user/batchd.service",
                                 "/usr/local/lib/systemd/user/batchd.service",
                                 "/usr/lib/systemd/user/batchd.service"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (access(units[i], F_OK) == 0)
            return true;
    }
    return false;
}

/* $XDG_CONFIG_HOME, or ~/.config. Owned. */
static char *config_folder(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */
    const char *home = getenv("HOME");              /* NOLINT(concurrency-mt-unsafe): one thread */
    if (config != NULL && config[0] == '/')
        return xstrdup(config);
    return xasprintf("%s/.config", home == NULL ? "" : home);
}

/* The one command that has a person's own batchd started by systemd, now and at each boot. Jobs go
 * on when the one that runs now is ended for it. */
static void advise_unit(struct finding *ret, const char *consequence, const char *before)
{
    CLEANUP_FREE char *config = config_folder();
    char program[200] = "batchd";
    if (has_unit(config)) {
        finding_advise(ret, consequence, "%ssystemctl --user enable --now batchd.service", before);
        return;
    }
    const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length < 0 ? strlen(program) : (size_t)length] = '\0';
    finding_advise(ret, consequence,
                   "%ssystemd-run --user --unit batchd --property Restart=always --property "
                   "KillMode=process %s --user",
                   before, program);
}

static void check_manager(const struct api *api, struct finding *ret)
{
    static const char consequence[] =
        "when it ends nobody starts it again; jobs that run go on, those that wait do not start";
    char before[48];
    if (by_systemd()) {
        finding_set(ret, CHECK_OK, "systemd starts it again when it ends");
        return;
    }
    finding_set(ret, CHECK_WARNING, "batchd was not started by systemd");
    (void)snprintf(before, sizeof(before), "kill %ld; ", (long)getpid());
    if (api->options.system)
        finding_advise(ret, consequence, "%ssystemctl enable --now batchd.service", before);
    else
        advise_unit(ret, consequence, before);
}

/* The socket alone waits for the first client. */
static void check_boot_of_machine(struct finding *ret)
{
    static const char links[] = "/etc/systemd/system/";
    static const char service[] = "multi-user.target.wants/batchd.service";
    static const char socket[] = "sockets.target.wants/batchd.socket";
    CLEANUP_FREE char *whole = xasprintf("%s%s", links, service);
    CLEANUP_FREE char *half = xasprintf("%s%s", links, socket);
    if (access(whole, F_OK) == 0) {
        finding_set(ret, CHECK_OK, "batchd is enabled");
        return;
    }
    const bool listens = access(half, F_OK) == 0;
    finding_set(ret, CHECK_WARNING,
                listens ? "batchd is enabled for its first client alone (batchd.socket)"
                        : "batchd is not enabled");
    finding_advise(ret,
                   listens ? "after a restart of the machine no job starts before somebody calls it"
                           : "after a restart of the machine no job starts",
                   "%s", "systemctl enable batchd.service");
}

/* Of a person's own: a unit of theirs, or of the machine's for each of them. */
static bool is_enabled_for_user(void)
{
    CLEANUP_FREE char *config = config_folder();
    CLEANUP_FREE char *own =
        xasprintf("%s/systemd/user/default.target.wants/batchd.service", config);
    return access(own, F_OK) == 0 ||
           access("/etc/systemd/user/default.target.wants/batchd.service", F_OK) == 0;
}

/* Lingering alone starts what is enabled, and batchd is nothing of that by itself. */
static void check_boot_of_user(const char *user, struct finding *ret)
{
    CLEANUP_FREE char *linger = xasprintf("/var/lib/systemd/linger/%s", user);
    if (access(linger, F_OK) < 0) {
        finding_set(ret, CHECK_WARNING, "this user's services end with the last logout");
        finding_advise(ret,
                       "jobs end at logout, and after a restart of the machine none starts before "
                       "a login",
                       "loginctl enable-linger %.64s", user);
    } else if (!is_enabled_for_user()) {
        finding_set(ret, CHECK_WARNING,
                    "this user's services run without a login, and batchd is none of them");
        advise_unit(ret, "after a restart of the machine no job starts", "");
    } else {
        finding_set(ret, CHECK_OK, "this user's services run without a login, batchd with them");
    }
}

static void check_boot(const struct api *api, struct finding *ret)
{
    if (!has_systemd())
        finding_set(ret, CHECK_UNKNOWN, "no systemd runs here that would start it");
    else if (api->options.system)
        check_boot_of_machine(ret);
    else
        check_boot_of_user(users_name(api->users, api->options.owner_uid), ret);
}

static const struct check checks[] = {
    {"service manager", check_manager}, {"boot and logout", check_boot}, {NULL, NULL}};
const struct check_group checks_start = {.name = "start", .checks = checks};
