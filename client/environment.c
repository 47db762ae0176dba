#include "client/environment.h"

#include "client/cli.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/words.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* A NAME of the caller's environment that may hold a secret is sent only when it is named. */
static bool is_secret(const char *name)
{
    static const char *const marks[] = {"TOKEN", "SECRET", "PASSWORD"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strcasestr(name, marks[i]) != NULL)
            return true;
    }
    return length >= 4 && strcasecmp(name + length - 4, "_KEY") == 0;
}

static bool is_clean(const char *name)
{
    static const char *const names[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"};
    return words_find(names, sizeof(names) / sizeof(names[0]), name) >= 0 ||
           strncmp(name, "LC_", 3) == 0;
}

static bool is_name(const char *name)
{
    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] ==
               '\0' &&
           name[0] != '\0' && strspn(name, "0123456789") == 0;
}

/* Our account, when the environment is somebody else's (runuser, su -p, sudo -E): HOME, USER,
 * LOGNAME and SHELL are then the account's, or the job would work in another person's home. NULL:
 * it is ours. */
static const struct passwd *account_of_foreign_environment(void)
{
    const char *name = getenv("LOGNAME");
    const char *user = getenv("USER");
    const struct passwd *account = getpwuid(getuid());
    bool ours = account == NULL || ((name == NULL || strcmp(name, account->pw_name) == 0) &&
                                    (user == NULL || strcmp(user, account->pw_name) == 0));
    return ours ? NULL : account;
}

static void put_default(json_t *env, const char *name, const char *value)
{
    if (json_object_get(env, name) == NULL)
        json_put_text(env, name, value);
}

void environment_add(json_t *env, const char *policy)
{
    bool all = strcmp(policy, "all") == 0;
    const struct passwd *account = account_of_foreign_environment();
    if (account != NULL && strcmp(policy, "clean") == 0) {
        put_default(env, "HOME", account->pw_dir);
        put_default(env, "USER", account->pw_name);
        put_default(env, "LOGNAME", account->pw_name);
        put_default(env, "SHELL", account->pw_shell[0] == '\0' ? "/bin/sh" : account->pw_shell);
    }
    for (char **entry = environ; *entry != NULL && strcmp(policy, "none") != 0; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals == NULL)
            continue;
        CLEANUP_FREE char *name = xmemdup(*entry, (size_t)(equals - *entry));
        if (is_name(name) && (is_clean(name) || (all && !is_secret(name))))
            put_default(env, name, equals + 1);
    }
}

int environment_take(json_t *env, const char *text)
{
    const char *equals = strchrnul(text, '=');
    CLEANUP_FREE char *name = xmemdup(text, (size_t)(equals - text));
    const char *value = *equals == '=' ? equals + 1 : getenv(name);
    if (value == NULL)
        return cli_fail(EXIT_USAGE, NULL, "--env %s: it is not set here", name);
    json_put_text(env, name, value);
    return 0;
}
