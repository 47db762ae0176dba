#include "daemon/user_shares.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/parse.h"

#include <pwd.h>

static int find_uid(const char *user, uint32_t *ret)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    uint64_t number;
    if (parse_u64(user, 0, UINT32_MAX, &number, NULL) == 0) {
        *ret = (uint32_t)number;
        return 0;
    }
    if (getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
        return -1;
    *ret = entry.pw_uid;
    return 0;
}

struct user_shares *user_shares_find(const struct config *config, size_t *ret_count)
{
    struct user_shares *shares = xcalloc(config->named.share_count + 1, sizeof(*shares));
    *ret_count = 0;
    for (size_t i = 0; i < config->named.share_count; i++) {
        struct user_shares *one = &shares[*ret_count];
        one->shares = config->named.shares[i].shares;
        if (find_uid(config->named.shares[i].user, &one->uid) == 0)
            (*ret_count)++;
        else
            log_warning("fair_share.shares.%s: there is no such user",
                        config->named.shares[i].user);
    }
    return shares;
}
