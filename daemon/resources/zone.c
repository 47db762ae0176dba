#include "daemon/resources/zone.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/glib_memory.h"

#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ZONE_NAME_MAX 100U
#define DATABASE "/usr/share/zoneinfo"
/* Between these GLib is asked where an offset ends; past the year 9999 nobody schedules. */
#define EARLIEST_S INT64_C(-4000000000)
#define LATEST_S INT64_C(253402300799)

struct zone {
    char *name;               /* owned */
    GTimeZone *own;           /* owned */
    struct zone_span last[2]; /* the last answers: a search looks at a span and the one before */
};

/* GLib also takes rules, offsets and any path, and says on stderr what it dislikes about a file:
 * only the name of a file of the database gets there. Its variants with leap seconds are no clock
 * that people read. */
static bool in_database(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    struct stat facts;
    char magic[4] = "";
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > ZONE_NAME_MAX ||
        name[strspn(name, allowed)] != '\0' || strncmp(name, "right/", 6) == 0)
        return false;
    CLEANUP_FREE char *path = xasprintf("%s/%s", DATABASE, name);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
           fd_read_at(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
           memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* The name of this process's zone; NULL when it has none (TZ is a rule, /etc/localtime a copy). The
 * caller frees. */
static char *local_name(void)
{
    const char *said = getenv("TZ");
    char target[PATH_MAX];
    if (said != NULL && said[0] == ':')
        said++;
    if (said != NULL)
        return in_database(said) ? xstrdup(said) : NULL;
    ssize_t length = readlink("/etc/localtime", target, sizeof(target) - 1);
    target[length < 0 ? 0 : length] = '\0';
    const char *inside = strstr(target, "/zoneinfo/");
    if (inside == NULL || !in_database(inside + strlen("/zoneinfo/")))
        return NULL;
    return xstrdup(inside + strlen("/zoneinfo/"));
}

/* Takes over `own`. */
static struct zone *make(const char *name, GTimeZone *own)
{
    struct zone *zone = xcalloc(1, sizeof(*zone));
    *zone =
        (struct zone){.name = xstrdup(name), .own = own}; /* the empty spans contain no instant */
    return zone;
}

struct zone *zone_new(const char *name, struct error *err)
{
    CLEANUP_FREE char *mine = name == NULL ? local_name() : xstrdup(name);
    glib_needs_memory();
    if (mine == NULL) {
        GTimeZone *local = g_time_zone_new_local();
        return make(g_time_zone_get_identifier(local), local);
    }
    if (strcmp(mine, "UTC") == 0)
        return make(mine, g_time_zone_new_utc());
    GTimeZone *own = in_database(mine) ? g_time_zone_new_identifier(mine) : NULL;
    if (own != NULL)
        return make(mine, own);
    (void)error_set_field(err, "timezone",
                          "no time zone \"%.60s\"; it must be one of the system's, such as "
                          "Europe/Berlin or UTC (timedatectl list-timezones)",
                          mine);
    return NULL;
}

void zone_free(struct zone *zone)
{
    if (zone == NULL)
        return;
    g_time_zone_unref(zone->own);
    free(zone->name);
    free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

static int interval_at(const struct zone *zone, int64_t at_s)
{
    return g_time_zone_find_interval(zone->own, G_TIME_TYPE_UNIVERSAL, at_s);
}

/* The first instant after `at_s` that is in a later interval; they are numbered in their order. */
static int64_t end_of_interval(const struct zone *zone, int64_t at_s, int interval)
{
    int64_t low = at_s;
    int64_t high = LATEST_S;
    if (at_s >= LATEST_S || interval_at(zone, LATEST_S) == interval)
        return INT64_MAX;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (interval_at(zone, middle) == interval)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static int64_t start_of_interval(const struct zone *zone, int64_t at_s, int interval)
{
    int64_t low = EARLIEST_S;
    int64_t high = at_s;
    if (at_s <= EARLIEST_S || interval_at(zone, EARLIEST_S) == interval)
        return INT64_MIN;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (interval_at(zone, middle) == interval)
            high = middle;
        else
            low = middle;
    }
    return high;
}

void zone_span_at(void *zone, int64_t at_s, struct zone_span *ret)
{
    struct zone *mine = zone;
    for (size_t i = 0; i < 2; i++) {
        if (at_s >= mine->last[i].from && at_s < mine->last[i].until) {
            *ret = mine->last[i];
            return;
        }
    }
    int interval = interval_at(mine, at_s);
    *ret = (struct zone_span){.from = start_of_interval(mine, at_s, interval),
                              .until = end_of_interval(mine, at_s, interval),
                              .offset_s = g_time_zone_get_offset(mine->own, interval)};
    mine->last[1] = mine->last[0];
    mine->last[0] = *ret;
}

void zone_format(struct zone *zone, int64_t at_s, char *ret, size_t bytes)
{
    struct zone_span span;
    struct tm local;
    zone_span_at(zone, at_s, &span);
    time_t shown = (time_t)(at_s + span.offset_s);
    int64_t minutes = (span.offset_s < 0 ? -span.offset_s : span.offset_s) / 60;
    if (gmtime_r(&shown, &local) == NULL)
        local = (struct tm){.tm_mday = 1};
    (void)snprintf(ret, bytes, "%04d-%02d-%02d %02d:%02d %c%02d:%02d", local.tm_year + 1900,
                   local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min,
                   span.offset_s < 0 ? '-' : '+', (int)(minutes / 60), (int)(minutes % 60));
}
