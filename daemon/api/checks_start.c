/* Whether batchd is there again after it ended, the user logged out or the machine restarted. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/checks.h"
#include "daemon/api/users.h"
#include "daemon/api/verb.h"

#include <stdlib.h>
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

static void check_manager(const struct api *api, struct finding *ret)
{
    if (by_systemd()) {
        finding_set(ret, CHECK_OK, "systemd starts it again when it ends");
        return;
    }
    finding_set(ret, CHECK_WARNING, "batchd was not started by systemd");
    finding_advise(
        ret,
        "when it ends nobody starts it again; jobs that run go on, those that wait do not "
        "start",
        "%s",
        api->options.system ? "systemctl enable --now batchd.socket"
                            : "systemd-run --user --unit batchd --property "
                              "Restart=always batchd --user");
}

static bool is_enabled(void)
{
    static const char *const links[] = {
        "/etc/systemd/system/sockets.target.wants/batchd.socket",
        "/etc/systemd/system/multi-user.target.wants/batchd.service"};
    return access(links[0], F_OK) == 0 || access(links[1], F_OK) == 0;
}

/* Of a person's own batchd: a unit of theirs, or of the machine's for each of them. */
static bool is_enabled_for(const char *config)
{
    CLEANUP_FREE char *own =
        xasprintf("%s/systemd/user/default.target.wants/batchd.service", config);
    return access(own, F_OK) == 0 ||
           access("/etc/systemd/user/default.target.wants/batchd.service", F_OK) == 0;
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

/* Lingering alone starts what is enabled, and batchd is nothing of that by itself. */
static bool is_left_out(const struct api *api)
{
    CLEANUP_FREE char *config = config_folder();
    return !api->options.system && !is_enabled_for(config);
}

static void check_boot(const struct api *api, struct finding *ret)
{
    const char *user = users_name(api->users, api->options.owner_uid);
    CLEANUP_FREE char *linger = xasprintf("/var/lib/systemd/linger/%s", user);
    const bool stays = api->options.system ? is_enabled() : access(linger, F_OK) == 0;
    if (!has_systemd()) {
        finding_set(ret, CHECK_UNKNOWN, "no systemd runs here that would start it");
        return;
    }
    if (stays && is_left_out(api)) {
        finding_set(ret, CHECK_WARNING,
                    "this user's services run without a login, and batchd is none of them");
        finding_advise(ret, "after a restart of the machine no job starts", "%s",
                       "a unit ~/.config/systemd/user/batchd.service with ExecStart=batchd --user "
                       "and WantedBy=default.target, then systemctl --user enable batchd");
        return;
    }
    if (stays) {
        finding_set(ret, CHECK_OK, "%s",
                    api->options.system ? "batchd is enabled"
                                        : "this user's services run without a login");
        return;
    }
    finding_set(ret, CHECK_WARNING, "%s",
                api->options.system ? "batchd is not enabled"
                                    : "this user's services end with the last logout");
    finding_advise(ret,
                   api->options.system
                       ? "after a restart of the machine no job starts"
                       : "jobs end at logout, and after a restart of the machine none "
                         "starts before a login",
                   api->options.system ? "systemctl enable batchd.socket%s%.0s"
                                       : "loginctl enable-linger%s%.64s",
                   api->options.system ? "" : " ", user);
}

static const struct check checks[] = {
    {"service manager", check_manager}, {"boot and logout", check_boot}, {NULL, NULL}};
const struct check_group checks_start = {.name = "start", .checks = checks};
