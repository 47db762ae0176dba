/* What keeps a processor that reads a hostile file from the rest of the machine: what this kernel
 * has for it (processors/lib/sandbox.h uses it). */
#include "common/confinement.h"
#include "daemon/api/checks.h"

#include <stddef.h>

/* A service of systemd's with a filter of its own, which its jobs have not. */
static bool is_denied(struct finding *ret)
{
    if (!confinement_is_denied())
        return false;
    finding_set(ret, CHECK_UNKNOWN, "a filter of system calls keeps batchd from asking the kernel");
    finding_advise(ret, "", "%s", "batchctl processors, which asks for itself");
    return true;
}

/* Linux 5.13 brought version 1; 3 is the first that sees a file emptied (6.2). */
static void check_files(const struct api *api, struct finding *ret)
{
    const int version = confinement_landlock();
    (void)api;
    if (version > 0) {
        finding_set(
            ret, CHECK_OK,
            "landlock %d: batchd's own processors read their inputs, and write in a folder of their own",
            version);
        return;
    }
    if (is_denied(ret))
        return;
    finding_set(ret, CHECK_WARNING, "this kernel has no landlock");
    finding_advise(ret,
                   "a processor that a hostile file takes over reads and writes whatever the job's "
                   "user may",
                   "%s",
                   "a kernel from 5.13 on with landlock among its \"lsm=\" (Debian 12 has it)");
}

static void check_calls(const struct api *api, struct finding *ret)
{
    (void)api;
    if (confinement_seccomp()) {
        finding_set(ret, CHECK_OK,
                    "seccomp: batchd's own processors start no programs and signal nobody else");
        return;
    }
    if (is_denied(ret))
        return;
    finding_set(ret, CHECK_WARNING, "this kernel filters no system calls (seccomp)");
    finding_advise(ret,
                   "a processor that a hostile file takes over starts programs as the job's user",
                   "%s", "a kernel with CONFIG_SECCOMP_FILTER");
}

static void check_network(const struct api *api, struct finding *ret)
{
    (void)api;
    if (confinement_seccomp()) {
        finding_set(ret, CHECK_OK,
                    "closed to batchd's own processors, by seccomp; open to other jobs");
        return;
    }
    if (is_denied(ret))
        return;
    finding_set(ret, CHECK_WARNING, "open to processors: it is seccomp that closes it");
    finding_advise(ret, "a processor that a hostile file takes over can send what it has read",
                   "%s", "a kernel with CONFIG_SECCOMP_FILTER");
}

static const struct check checks[] = {{"files", check_files},
                                      {"system calls", check_calls},
                                      {"network", check_network},
                                      {NULL, NULL}};
const struct check_group checks_sandbox = {.name = "sandbox", .checks = checks};
