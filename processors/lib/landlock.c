#include "processors/lib/landlock.h"

#include "common/cleanup.h"
#include "common/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Rights that came after Debian 12's header (Linux 6.1, version 2), from the kernel's
 * Documentation/userspace-api/landlock.rst. */
#define RIGHT_TRUNCATE (1ULL << 14)  /* version 3 */
#define RIGHT_IOCTL_DEV (1ULL << 15) /* version 5 */
#define NET_TCP 3ULL                 /* version 4: bind and connect */
#define SCOPES 3ULL                  /* version 6: abstract Unix sockets and signals */

#define RIGHTS_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* all of version 1 */
#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* The rest of the rights make no sense for a file, and the kernel refuses a rule with them. */
#define RIGHTS_OF_FILE \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define RIGHTS_WRITE \
    (RIGHTS_READ | RIGHTS_OF_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)

/* struct landlock_ruleset_attr as version 6 has it; an older kernel is given the first members. */
struct ruleset {
    uint64_t files, network, scopes;
};

static uint64_t rights_of(int version)
{
    uint64_t rights = RIGHTS_1;
    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= RIGHT_TRUNCATE;
    if (version >= 5)
        rights |= RIGHT_IOCTL_DEV;
    return rights;
}

void landlock_begin(struct landlock *ret)
{
    int version = confinement_landlock();
    struct ruleset set = {rights_of(version), NET_TCP, SCOPES};
    size_t bytes = version >= 6   ? sizeof(set)
                   : version >= 4 ? offsetof(struct ruleset, scopes)
                                  : offsetof(struct ruleset, network);
    ret->fd = version == 0 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &set, bytes, 0);
    ret->version = ret->fd < 0 ? 0 : version;
    ret->handled = set.files;
}

void landlock_allow(const struct landlock *rules, const char *path, enum landlock_place place)
{
    static const uint64_t rights[] = {
        [LANDLOCK_READ] = RIGHTS_READ,
        [LANDLOCK_DEVICE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
        [LANDLOCK_GPU] = RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_IOCTL_DEV,
        [LANDLOCK_WRITE] = RIGHTS_WRITE,
    };
    struct stat info;
    if (rules->version == 0)
        return;
    CLEANUP_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0)
        return;
    struct landlock_path_beneath_attr rule = {.parent_fd = fd};
    rule.allowed_access = rights[place] & rules->handled;
    if (!S_ISDIR(info.st_mode))
        rule.allowed_access &= RIGHTS_OF_FILE | RIGHT_IOCTL_DEV;
    (void)syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int landlock_enter(struct landlock *rules)
{
    CLEANUP_CLOSE int fd = TAKE_FD(rules->fd);
    return (int)syscall(SYS_landlock_restrict_self, fd, 0);
}
