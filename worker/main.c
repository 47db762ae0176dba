/* batchd-worker: options and wiring. */
#include "common/cleanup.h"
#include "common/log.h"
#include "worker/spawner.h"
#include "worker/worker.h"

#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char help[] =
    "Usage: batchd-worker --spawner --state DIR [OPTIONS]\n"
    "Runs the jobs of batchd(8). Started by batchd, or by systemd as batchd-worker.service.\n"
    "\n"
    "  --spawner        fork workers on batchd's request\n"
    "  --state DIR      batchd's state folder\n"
    "  --foreground     do not detach; stay when there is nothing to do\n"
    "  --system         run each job as its own user (needs root)\n"
    "  --group GROUP    group that may read output and speak to workers\n"
    "  --front-uid USER user that batchd runs as\n"
    "  --allow-setuid   let jobs gain rights by set-user-ID programs such as sudo\n"
    "  --version        print the version\n"
    "  -h, --help       print this\n";

struct arguments {
    struct spawner_options spawner;
    struct worker_options worker;
    bool is_spawner, is_worker, stop;
};

enum long_option {
    OPT_SPAWNER = 256,
    OPT_WORKER,
    OPT_STATE,
    OPT_FOREGROUND,
    OPT_SYSTEM,
    OPT_GROUP,
    OPT_FRONT,
    OPT_SETUID,
    OPT_VERSION
};

static const struct option options[] = {{"spawner", no_argument, NULL, OPT_SPAWNER},
                                        {"worker", required_argument, NULL, OPT_WORKER},
                                        {"state", required_argument, NULL, OPT_STATE},
                                        {"foreground", no_argument, NULL, OPT_FOREGROUND},
                                        {"system", no_argument, NULL, OPT_SYSTEM},
                                        {"group", required_argument, NULL, OPT_GROUP},
                                        {"front-uid", required_argument, NULL, OPT_FRONT},
                                        {"allow-setuid", no_argument, NULL, OPT_SETUID},
                                        {"version", no_argument, NULL, OPT_VERSION},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int read_number(const char *text, unsigned long long *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? 0 : -1;
}

/* -1 stands for "none", which is how the spawner hands it to its workers. */
static int read_id(const char *text, unsigned *ret)
{
    unsigned long long number = 0;
    if (strcmp(text, "-1") == 0) {
        *ret = (unsigned)-1;
        return 0;
    }
    if (read_number(text, &number) < 0 || number >= UINT_MAX)
        return -1;
    *ret = (unsigned)number;
    return 0;
}

/* Names are looked up once, at the start; workers are given numbers. */
static int read_group(const char *text, gid_t *ret)
{
    const struct group *found;
    if (read_id(text, ret) == 0)
        return 0;
    found = getgrnam(text);
    if (found == NULL) {
        log_error("--group %s: there is no such group", text);
        return -1;
    }
    *ret = found->gr_gid;
    return 0;
}

static int read_user(const char *text, uid_t *ret)
{
    const struct passwd *found;
    if (read_id(text, ret) == 0)
        return 0;
    found = getpwnam(text);
    if (found == NULL) {
        log_error("--front-uid %s: there is no such user", text);
        return -1;
    }
    *ret = found->pw_uid;
    return 0;
}

static int take_option(int option, struct arguments *ret)
{
    unsigned long long id;
    switch (option) {
    case OPT_SPAWNER:
        ret->is_spawner = true;
        return 0;
    case OPT_WORKER:
        ret->is_worker = true;
        if (read_number(optarg, &id) < 0)
            return -1;
        ret->worker.id = id;
        return 0;
    case OPT_STATE:
        ret->spawner.state_dir = optarg;
        return 0;
    case OPT_FOREGROUND:
        ret->spawner.foreground = true;
        return 0;
    case OPT_SYSTEM:
        ret->spawner.system_mode = ret->worker.system_mode = true;
        return 0;
    case OPT_GROUP:
        return read_group(optarg, &ret->worker.group);
    case OPT_FRONT:
        return read_user(optarg, &ret->worker.front_uid);
    case OPT_SETUID:
        ret->spawner.allow_setuid = ret->worker.allow_setuid = true;
        return 0;
    default:
        ret->stop = true;
        (void)fputs(option == OPT_VERSION ? "batchd-worker " BATCHD_VERSION "\n" : help, stdout);
        return option == OPT_VERSION || option == 'h' ? 0 : -1;
    }
}

/* batchd-job lies beside us; our file may have been replaced since, its folder has not. */
static int run_worker(const struct worker_options *given, const char *self)
{
    char program[PATH_MAX + sizeof("batchd-job")];
    struct worker_options worker = *given;
    const char *slash = strrchr(self, '/');
    (void)snprintf(program, sizeof(program), "%.*sbatchd-job",
                   slash == NULL ? 0 : (int)(slash + 1 - self), self);
    worker.step_program = program;
    return worker_run(&worker);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.worker = {.group = (gid_t)-1, .front_uid = (uid_t)-1}};
    char self[PATH_MAX] = "";
    int option;
    log_init("batchd-worker", LOG_LEVEL_INFO);
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == '?' || take_option(option, &arguments) < 0) {
            log_error("wrong option or value; see batchd-worker --help");
            return EX_USAGE;
        }
    }
    if (arguments.stop)
        return EX_OK;
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (arguments.is_worker)
        return run_worker(&arguments.worker, self);
    if (!arguments.is_spawner || arguments.spawner.state_dir == NULL || optind != argc) {
        (void)fputs(help, stderr);
        return EX_USAGE;
    }
    arguments.spawner.program = length > 0 ? self : "/proc/self/exe"; /* as good to execute */
    arguments.spawner.group = arguments.worker.group;
    arguments.spawner.front_uid = arguments.worker.front_uid;
    return spawner_run(&arguments.spawner);
}
