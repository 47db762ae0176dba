#include "worker/user.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <grp.h>
#include <pwd.h>

#define GROUPS_MAX 65536

static int own_user_only(const struct job_run *run, struct error *err)
{
    if (run->uid == geteuid())
        return 0;
    return error_set(err, ERROR_DENIED, "jobs run as uid %u here, not as uid %u", geteuid(),
                     run->uid);
}

static int load_groups(const struct passwd *entry, struct user *ret, struct error *err)
{
    int count = 64;
    for (;;) {
        int room = count;
        ret->groups = xreallocarray(ret->groups, (size_t)room, sizeof(gid_t));
        if (getgrouplist(entry->pw_name, entry->pw_gid, ret->groups, &count) >= 0)
            break;
        if (count <= room || count > GROUPS_MAX)
            return error_set(err, ERROR_DENIED, "user %s has too many groups", entry->pw_name);
    }
    ret->group_count = count;
    return 0;
}

int user_check(const struct job_run *run, bool system_mode, struct user *ret, struct error *err)
{
    char buffer[16384];
    struct passwd entry;
    struct passwd *found = NULL;
    if (!system_mode)
        return own_user_only(run, err);
    if (run->uid < USER_MIN_UID || run->uid == 65534 || run->uid == UINT32_MAX)
        return error_set(err, ERROR_DENIED, "jobs never run as uid %u; the lowest is %u", run->uid,
                         USER_MIN_UID);
    if (getpwuid_r(run->uid, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
        return error_set(err, ERROR_DENIED, "uid %u has no account", run->uid);
    if (run->gid != entry.pw_gid)
        return error_set(err, ERROR_DENIED, "gid %u is not the primary group of %s", run->gid,
                         entry.pw_name);
    *ret = (struct user){.change = true};
    if (load_groups(&entry, ret, err) == 0)
        return 0;
    user_done(ret);
    return -1;
}

void user_done(struct user *user)
{
    free(user->groups);
    *user = (struct user){0};
}
