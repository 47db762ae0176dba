#include "daemon/api/users.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 80 bytes each: 20 KiB. A uid has one place, its number modulo this; 256 users with neighbouring
 * uids, which is how they are given out, do not push each other out. */
#define PLACES 256U
/* How long a renamed user is shown by the old name. */
#define KEEP_US (INT64_C(600) * US_PER_SECOND)

/* nsswitch.conf and what is made of it take some 10 kB. */
#define FIRST_BYTES 65536U

struct place {
    int64_t until; /* monotonic; 0: empty */
    uint32_t uid;
    bool known; /* the system has such a user */
    char name[64];
};

struct users {
    struct place places[PLACES];
};

/* When it is asked for the first time glibc reads nsswitch.conf, for which it asserts that it has
 * memory (2.36, nss_database.c:291): at the start, and not when somebody asks. The superuser is
 * in a file of this machine. */
static void ask_first(void)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found;
    free(xmalloc(FIRST_BYTES));
    (void)getpwuid_r(0, &entry, buffer, sizeof(buffer), &found);
}

struct users *users_new(void)
{
    ask_first();
    return xcalloc(1, sizeof(struct users));
}

void users_free(struct users *users)
{
    free(users);
}

static struct place *keep(struct users *users, uint32_t uid, const char *name)
{
    struct place *place = &users->places[uid % PLACES];
    *place =
        (struct place){.until = clock_monotonic_us() + KEEP_US, .uid = uid, .known = name != NULL};
    if (name != NULL)
        (void)snprintf(place->name, sizeof(place->name), "%s", name);
    else
        (void)snprintf(place->name, sizeof(place->name), "uid %u", uid);
    return place;
}

const char *users_name(struct users *users, uint32_t uid)
{
    struct place *place = &users->places[uid % PLACES];
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (place->uid == uid && place->until > clock_monotonic_us())
        return place->name;
    if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) != 0)
        found = NULL;
    return keep(users, uid, found == NULL ? NULL : entry.pw_name)->name;
}

int users_find(struct users *users, const char *name, uint32_t *ret)
{
    int64_t now = clock_monotonic_us();
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        const struct place *place = &users->places[i];
        if (place->known && place->until > now && strcmp(place->name, name) == 0) {
            *ret = place->uid;
            return 0;
        }
    }
    if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
        return -1;
    *ret = keep(users, entry.pw_uid, entry.pw_name)->uid;
    return 0;
}
