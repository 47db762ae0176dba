/* Which jobs start, by what is free where they write. What is chosen is asked for before it starts,
 * as breakers do it (breaker_gate.c), since where it writes is only in its row. A job without room
 * leaves its queue and waits here, by file system and in the order of the submits: while the ends
 * of others will make room for one, no later job that asks for disk starts before it. What could
 * not start with that room either (it is held, its queue is paused), and what asks for more than
 * will ever be free, has no such claim. */
#include "daemon/engine/volumes.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/engine/internal.h"
#include "daemon/resources/monitor.h"
#include "daemon/resources/mounts.h"
#include "daemon/store/number_rows.h"

#include <stdlib.h>

#define VOLUMES_MAX 32U /* bits of struct active; jobs on further ones are not looked at */
#define OF_STATE 0U     /* the place of that of the state folder */
#define RELEASED_A_TURN 512U
#define LOOKED_AT_A_SAMPLE 512U
/* The name of what is stored of each. */
#define STORED "volume %s"

/* By what a job there waits for. */
enum room_wait {
    WAITS_OPEN,  /* it asks for no disk: by its id, as the next */
    WAITS_ROOM,  /* the first one that has a claim keeps out who came later */
    WAITS_ASIDE, /* it has no claim: looked at by turns */
    ROOM_WAITS
};

struct place {
    struct volume volume;
    char *point; /* owned; NULL: there is none here */
    uint64_t device;
    struct alarms waiting[ROOM_WAITS];
    int64_t stored; /* why it is closed, as the store has it */
};

struct volumes {
    struct mounts *mounts; /* owned */
    char *state_dir;       /* without links; owned */
    struct place places[VOLUMES_MAX];
    int64_t turn; /* of who waits aside, the least next */
    bool changed; /* there may be room for those that wait */
};

static bool is_off(const struct engine *engine)
{
    return engine->options.disk_free.stop == 0 && engine->options.inodes_free.stop == 0;
}

/* ---- the file systems ---- */

/* What running jobs asked for. */
static uint64_t kept(const struct engine *engine, unsigned number)
{
    uint64_t sum = 0;
    for (const struct active *entry = engine->active; entry != NULL; entry = entry->next) {
        if ((entry->volumes >> number & 1U) != 0)
            sum += entry->asked.amount[RESOURCE_DISK];
    }
    return sum;
}

static void tell(const struct place *place, bool was_open, bool every)
{
    char left[32], all[32];
    const struct volume_room *room = &place->volume.room;
    format_size(room->free_bytes, left, sizeof(left));
    format_size(room->size_bytes, all, sizeof(all));
    if (was_open && !volume_open(&place->volume))
        log_warning("no job starts%s%.200s: %s of %s and %llu of %llu inodes are free there",
                    every ? ", for its output goes to " : " that writes to ", place->point, left,
                    all, (unsigned long long)room->inodes_free, (unsigned long long)room->inodes);
    else if (!was_open && volume_open(&place->volume))
        log_info("jobs that write to %.200s start again", place->point);
}

static void ask(struct volumes *volumes, unsigned number)
{
    struct volume_room room = {.known = false};
    struct place *place = &volumes->places[number];
    const bool was_open = volume_open(&place->volume);
    if (mounts_have(volumes->mounts, place->point, place->device))
        mounts_ask(place->point, &room);
    volume_see(&place->volume, &room);
    tell(place, was_open, number == OF_STATE);
}

/* What is between the marks looks the same before and after it was full, so a restart would let all
 * start; and to take it for full at first sight would close for good what always stands there. What
 * is not known is open. */
static void load(struct engine *engine, struct place *place)
{
    struct error err;
    CLEANUP_FREE char *name = xasprintf(STORED, place->point);
    if (number_rows_get(engine->db, name, &place->stored, &err) < 0)
        log_warning("whether %.200s was full is not known: %s", place->point, err.text);
    volume_restore(&place->volume, (uint64_t)place->stored);
}

void engine_store_volumes(struct engine *engine)
{
    struct error err;
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        struct place *place = &engine->gate.volumes->places[i];
        const int64_t closed = (int64_t)volume_closed(&place->volume);
        if (place->point == NULL || closed == place->stored || engine->broken)
            continue;
        CLEANUP_FREE char *name = xasprintf(STORED, place->point);
        place->stored = closed;
        if (number_rows_set(engine->db, name, closed, &err) < 0)
            engine_break(engine, &err);
    }
}

static void add(struct engine *engine, unsigned number, const struct mount *mount)
{
    struct place *place = &engine->gate.volumes->places[number];
    place->point = xstrdup(mount->point);
    place->device = mount->device;
    place->volume =
        (struct volume){.disk = engine->options.disk_free, .inodes = engine->options.inodes_free};
    load(engine, place);
    ask(engine->gate.volumes, number);
}

static void drop(struct place *place)
{
    free(place->point);
    for (unsigned i = 0; i < ROOM_WAITS; i++)
        alarms_done(&place->waiting[i]);
    *place = (struct place){.point = NULL};
}

static size_t waiting(const struct place *place)
{
    return (size_t)place->waiting[WAITS_OPEN].count + place->waiting[WAITS_ROOM].count +
           place->waiting[WAITS_ASIDE].count;
}

static bool is_used(const struct engine *engine, unsigned number)
{
    if (number == OF_STATE || waiting(&engine->gate.volumes->places[number]) > 0)
        return true;
    const struct active *entry = engine->active;
    while (entry != NULL && (entry->volumes >> number & 1U) == 0)
        entry = entry->next;
    return entry != NULL;
}

void engine_begin_volumes(struct engine *engine)
{
    engine->gate.volumes = xcalloc(1, sizeof(*engine->gate.volumes));
    engine->gate.volumes->state_dir = realpath(engine->options.state_dir, NULL);
    engine_see_volumes(engine);
}

void engine_end_volumes(struct engine *engine)
{
    if (engine->gate.volumes == NULL)
        return;
    for (unsigned i = 0; i < VOLUMES_MAX; i++)
        drop(&engine->gate.volumes->places[i]);
    mounts_free(engine->gate.volumes->mounts);
    free(engine->gate.volumes->state_dir);
    free(engine->gate.volumes);
}

void engine_see_volumes(struct engine *engine)
{
    struct volumes *volumes = engine->gate.volumes;
    if (is_off(engine))
        return;
    mounts_free(volumes->mounts);
    volumes->mounts = mounts_read(monitor_root(engine->options.monitor));
    volumes->changed = true;
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if (volumes->places[i].point != NULL)
            ask(volumes, i);
    }
    const struct mount *of_state =
        volumes->state_dir == NULL || volumes->places[OF_STATE].point != NULL
            ? NULL
            : mounts_find(volumes->mounts, "", volumes->state_dir);
    if (of_state != NULL && of_state->local)
        add(engine, OF_STATE, of_state);
}

/* ---- where a job writes ---- */

/* One is kept when nobody writes to it any more, until its place is wanted. 0: there is none. */
static unsigned make_place(const struct engine *engine)
{
    struct place *places = engine->gate.volumes->places;
    unsigned number = 1;
    while (number < VOLUMES_MAX && places[number].point != NULL)
        number++;
    if (number < VOLUMES_MAX)
        return number;
    for (number = 1; number < VOLUMES_MAX && is_used(engine, number); number++)
        continue;
    if (number == VOLUMES_MAX)
        return 0;
    drop(&places[number]);
    return number;
}

static uint32_t bit_of(struct engine *engine, const char *folder, const char *path)
{
    struct volumes *volumes = engine->gate.volumes;
    const struct mount *mount = mounts_find(volumes->mounts, folder, path);
    if (mount == NULL || !mount->local)
        return 0;
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if (volumes->places[i].point != NULL && volumes->places[i].device == mount->device)
            return 1U << i;
    }
    const unsigned number = make_place(engine);
    if (number == 0)
        return 0;
    add(engine, number, mount);
    return 1U << number;
}

uint32_t engine_volumes_of(struct engine *engine, const struct job_run *run)
{
    if (is_off(engine))
        return 0;
    uint32_t bits = bit_of(engine, "", run->cwd);
    for (uint32_t i = 0; i < run->output_count; i++)
        bits |= bit_of(engine, run->cwd, run->outputs[i]);
    return bits;
}

/* ---- who starts ---- */

static uint64_t asked_by(const struct engine *engine, const struct job *job)
{
    return scheduler_wanted(engine->scheduler, job)->amount[RESOURCE_DISK];
}

static struct job *first_of(const struct alarms *alarms)
{
    const struct alarm *first = alarms_first(alarms);
    return first == NULL ? NULL : first->job;
}

/* Whether the ends of others will let it start. */
static bool has_claim(const struct engine *engine, const struct place *place, const struct job *job)
{
    return !job_blocked_by(job, JOB_BLOCKS & ~(unsigned)JOB_LATER) &&
           !queue_paused(scheduler_queue_at(engine->scheduler, job->queue)) &&
           asked_by(engine, job) <= volume_left(&place->volume, 0);
}

/* The first that has one; those before it go aside. NULL: none has. */
static struct job *claimant(struct engine *engine, struct place *place)
{
    struct job *job;
    while ((job = first_of(&place->waiting[WAITS_ROOM])) != NULL &&
           !has_claim(engine, place, job)) {
        alarms_clear(&place->waiting[WAITS_ROOM], job);
        alarms_set(&place->waiting[WAITS_ASIDE], job, engine->gate.volumes->turn++);
    }
    return job;
}

/* Somebody has one who waits there and came before it. */
static bool has_claim_before(struct engine *engine, struct place *place, const struct job *job)
{
    const struct job *first = claimant(engine, place);
    return first != NULL && first->id < job->id;
}

static bool refuses(struct engine *engine, unsigned number, const struct job *job)
{
    struct place *place = &engine->gate.volumes->places[number];
    const uint64_t asked = asked_by(engine, job);
    if (!volume_open(&place->volume))
        return true;
    return asked > 0 && (asked > volume_left(&place->volume, kept(engine, number)) ||
                         has_claim_before(engine, place, job));
}

static void park(struct engine *engine, struct place *place, struct job *job)
{
    if (engine->unplaced == job)
        engine->unplaced = NULL;
    jobset_block(engine->jobs, job, JOB_LATER);
    alarms_set(&place->waiting[asked_by(engine, job) == 0 ? WAITS_OPEN : WAITS_ROOM], job,
               (int64_t)job->id);
}

bool engine_volumes_admit(struct engine *engine, struct job *job, const struct job_run *run,
                          uint32_t *ret)
{
    *ret = engine_volumes_of(engine, run);
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if ((*ret >> i & 1U) != 0 && refuses(engine, i, job)) {
            park(engine, &engine->gate.volumes->places[i], job);
            return false;
        }
    }
    return true;
}

void engine_volumes_left(struct engine *engine, const struct active *entry)
{
    engine->gate.volumes->changed |= entry->volumes != 0 && entry->asked.amount[RESOURCE_DISK] > 0;
}

/* ---- who waits ---- */

static void go(struct engine *engine, struct alarms *from, struct job *job, int64_t now)
{
    alarms_clear(from, job);
    engine_unblock(engine, job, JOB_LATER, now);
}

/* Who has a claim again gets it back; who cannot start for something else waits for no room when
 * there is some. */
static void look_aside(struct engine *engine, struct place *place, uint64_t left, int64_t now)
{
    struct alarms *aside = &place->waiting[WAITS_ASIDE];
    for (unsigned i = aside->count < LOOKED_AT_A_SAMPLE ? aside->count : LOOKED_AT_A_SAMPLE; i > 0;
         i--) {
        struct job *job = first_of(aside);
        if (has_claim(engine, place, job)) {
            alarms_clear(aside, job);
            alarms_set(&place->waiting[WAITS_ROOM], job, (int64_t)job->id);
        } else if (asked_by(engine, job) <= left) {
            go(engine, aside, job, now);
        } else {
            alarms_clear(aside, job);
            alarms_set(aside, job, engine->gate.volumes->turn++);
        }
    }
}

/* What has room goes. How many went. */
static unsigned release(struct engine *engine, unsigned number, unsigned most, int64_t now)
{
    struct place *place = &engine->gate.volumes->places[number];
    uint64_t left = volume_left(&place->volume, kept(engine, number));
    struct job *job;
    unsigned released = 0;
    for (; released < most && (job = first_of(&place->waiting[WAITS_OPEN])) != NULL; released++)
        go(engine, &place->waiting[WAITS_OPEN], job, now);
    look_aside(engine, place, left, now);
    for (; released < most && (job = claimant(engine, place)) != NULL; released++) {
        const uint64_t asked = asked_by(engine, job);
        if (asked > left)
            break;
        left -= left == UINT64_MAX ? 0 : asked;
        go(engine, &place->waiting[WAITS_ROOM], job, now);
    }
    return released;
}

void engine_volumes_due(struct engine *engine, int64_t now)
{
    struct volumes *volumes = engine->gate.volumes;
    unsigned released = 0;
    if (!volumes->changed)
        return;
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if (waiting(&volumes->places[i]) > 0 && volume_open(&volumes->places[i].volume))
            released += release(engine, i, RELEASED_A_TURN - released, now);
    }
    volumes->changed = released == RELEASED_A_TURN;
}

bool engine_volumes_unfinished(const struct engine *engine)
{
    return engine->gate.volumes->changed;
}

/* The list that has it; NULL: none. */
static struct alarms *list_of(struct place *place, const struct job *job)
{
    for (unsigned i = 0; i < ROOM_WAITS; i++) {
        if (alarms_have(&place->waiting[i], job))
            return &place->waiting[i];
    }
    return NULL;
}

static struct place *place_of(const struct engine *engine, const struct job *job)
{
    for (unsigned i = 0; job_blocked_by(job, JOB_LATER) && i < VOLUMES_MAX; i++) {
        if (list_of(&engine->gate.volumes->places[i], job) != NULL)
            return &engine->gate.volumes->places[i];
    }
    return NULL;
}

bool engine_waits_for_room(const struct engine *engine, const struct job *job)
{
    return place_of(engine, job) != NULL;
}

void engine_forget_room(struct engine *engine, struct job *job)
{
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        struct alarms *list = list_of(&engine->gate.volumes->places[i], job);
        if (list != NULL)
            alarms_clear(list, job);
    }
}

void engine_forget_all_room(struct engine *engine)
{
    struct job *job;
    for (unsigned i = 0; i < VOLUMES_MAX * ROOM_WAITS; i++) {
        struct alarms *list = &engine->gate.volumes->places[i / ROOM_WAITS].waiting[i % ROOM_WAITS];
        while ((job = first_of(list)) != NULL)
            alarms_clear(list, job);
    }
}

/* ---- what is told ---- */

bool engine_volumes_closed(const struct engine *engine, uint32_t volumes)
{
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if ((volumes >> i & 1U) != 0 && !volume_open(&engine->gate.volumes->places[i].volume))
            return true;
    }
    return false;
}

bool engine_volumes_open(const struct engine *engine)
{
    return volume_open(&engine->gate.volumes->places[OF_STATE].volume);
}

static struct volume_view view_of(const struct engine *engine, const struct place *place)
{
    const unsigned number = (unsigned)(place - engine->gate.volumes->places);
    return (struct volume_view){.point = place->point,
                                .volume = &place->volume,
                                .kept_bytes = kept(engine, number),
                                .waiting = waiting(place),
                                .every = number == OF_STATE};
}

bool engine_volume_of(const struct engine *engine, const struct job *job, struct volume_view *ret)
{
    const struct place *place = engine_volumes_open(engine)
                                    ? place_of(engine, job)
                                    : &engine->gate.volumes->places[OF_STATE];
    if (place != NULL)
        *ret = view_of(engine, place);
    return place != NULL;
}

void engine_volumes_each(const struct engine *engine,
                         void (*each)(void *arg, const struct volume_view *view), void *arg)
{
    for (unsigned i = 0; i < VOLUMES_MAX; i++) {
        if (engine->gate.volumes->places[i].point == NULL)
            continue;
        const struct volume_view view = view_of(engine, &engine->gate.volumes->places[i]);
        each(arg, &view);
    }
}
