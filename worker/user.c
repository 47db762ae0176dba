#include "worker/user.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

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

static bool member(const struct user *user, gid_t gid)
{
    for (int i = 0; i < user->group_count; i++) {
        if (user->groups[i] == gid)
            return true;
    }
    return false;
}

static bool has_name(const struct job_run *run, const char *entry)
{
    size_t length = strcspn(entry, "=") + 1;
    for (uint32_t i = 0; i < run->envc; i++) {
        if (strncmp(run->env[i], entry, length) == 0)
            return true;
    }
    return false;
}

static void fill_env(const struct passwd *entry, const struct job_run *run, struct user *ret)
{
    const char *shell = entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh";
    size_t used = 0;
    ret->account[0] = xasprintf("HOME=%s", entry->pw_dir);
    ret->account[1] = xasprintf("USER=%s", entry->pw_name);
    ret->account[2] = xasprintf("LOGNAME=%s", entry->pw_name);
    ret->account[3] = xasprintf("SHELL=%s", shell);
    ret->env = xcalloc((size_t)run->envc + 5, sizeof(char *));
    for (size_t i = 0; i < 4; i++) {
        if (!has_name(run, ret->account[i]))
            ret->env[used++] = ret->account[i];
    }
    for (uint32_t i = 0; i < run->envc; i++)
        ret->env[used++] = run->env[i];
}

/* What getpwuid_r(3) says of an account that is not there; all else is trouble with the database,
 * which passes. */
static bool means_absent(int code)
{
    return code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM;
}

int user_check(const struct job_run *run, bool system_mode, struct user *ret, struct error *err)
{
    char buffer[16384];
    struct passwd entry;
    struct passwd *found = NULL;
    if (!system_mode)
        return own_user_only(run, err);
    if (run->uid < JOB_UID_MIN || run->uid == JOB_UID_OVERFLOW || run->uid == UINT32_MAX)
        return error_set(err, ERROR_DENIED, "jobs never run as uid %u; the lowest is %u", run->uid,
                         JOB_UID_MIN);
    int code = getpwuid_r(run->uid, &entry, buffer, sizeof(buffer), &found);
    if (found == NULL && !means_absent(code)) {
        errno = code;
        return error_set_errno(err, "the account of uid %u cannot be looked up", run->uid);
    }
    if (found == NULL)
        return error_set(err, ERROR_DENIED, "uid %u has no account", run->uid);
    *ret = (struct user){.change = true};
    int result = load_groups(&entry, ret, err);
    if (result == 0 && !member(ret, run->gid))
        result =
            error_set(err, ERROR_DENIED, "%s is not a member of group %u", entry.pw_name, run->gid);
    if (result == 0)
        fill_env(&entry, run, ret);
    else
        user_done(ret);
    return result;
}

void user_done(struct user *user)
{
    free(user->groups);
    free(user->env);
    for (size_t i = 0; i < 4; i++)
        free(user->account[i]);
    *user = (struct user){0};
}
