/* io.batchd.Breakers.List {name} -> {breakers: [breaker]}
 * io.batchd.Breakers.Reset, Open, Disable {name, dry_run} -> {breakers: [breaker], dry_run}
 * with left_out: so many more match, that are not shown, and of a change not changed so far.
 * `name` is "name:N", "type:T", "queue:Q", or a bare one of any kind; none: all. A change is in the
 * store before the reply leaves. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "daemon/api/breakers_view.h"
#include "daemon/api/users.h"
#include "daemon/api/view.h"

#include <stdlib.h>
#include <string.h>

/* ---- as JSON ---- */

static json_t *view_failure(const struct breaker_failure *failed)
{
    const struct outcome outcome = {
        .class = failed->class, .exit_code = failed->exit_code, .signal = failed->signal};
    if (failed->at == 0)
        return json_null();
    json_t *object = view_outcome(&outcome, JOB_STATE_FAILED);
    json_put(object, "at", view_time(failed->at));
    return object;
}

json_t *view_breaker(const struct api *api, const struct breaker_entry *entry)
{
    const struct breaker *breaker = &entry->breaker;
    const struct breaker_rule *rule = breakers_rule(engine_breakers(api->engine));
    CLEANUP_FREE char *key = breakers_key(entry->kind, entry->name);
    CLEANUP_FREE char *kind = xmemdup(key, strcspn(key, ":"));
    bool owned = entry->kind != ESTIMATE_OF_QUEUE;
    json_t *object = json_object();
    json_put_text(object, "breaker", key);
    json_put_text(object, "kind", kind);
    json_put_text(object, "name", entry->name);
    json_put_text(object, "user", owned ? users_name(api->users, entry->uid) : NULL);
    json_put(object, "uid", owned ? json_integer(entry->uid) : json_null());
    json_put_text(object, "state", breaker_state_word(breaker->state));
    json_put_int(object, "failures", breaker_failures(breaker));
    json_put_int(object, "ends", breaker->ends);
    json_put_int(object, "openings", breaker->openings);
    json_put_int(object, "probing", breaker->probing);
    json_put_int(object, "room", breaker_room(breaker, rule));
    json_put(object, "changed_at", view_time(breaker->changed_at));
    json_put(object, "until", view_time(breaker->until));
    json_put_int(object, "waiting", (int64_t)entry->waiting);
    json_put(object, "last_failure", view_failure(&entry->failed));
    return object;
}

bool breaker_may_see(const struct api_call *call, const struct breaker_entry *entry)
{
    return entry->kind == ESTIMATE_OF_QUEUE || access_job(call, entry->uid);
}

json_t *view_breakers_at_work(const struct api_call *call, size_t most)
{
    const struct breakers *set = engine_breakers(call->api->engine);
    json_t *list = json_array();
    for (size_t i = 0; i < breakers_count(set) && json_array_size(list) < most; i++) {
        const struct breaker_entry *entry = breakers_at(set, i);
        if (entry->breaker.state != BREAKER_CLOSED && breaker_may_see(call, entry))
            (void)json_array_append_new(list, view_breaker(call->api, entry));
    }
    return list;
}

/* ---- which ones ---- */

/* What a request names; NULL: all. */
struct wanted {
    const char *name;
    bool any_kind;
    enum estimate_kind kind;
};

static struct wanted read_name(const char *text)
{
    struct wanted wanted = {.name = text, .any_kind = true};
    const char *name = text == NULL ? NULL : breakers_key_parse(text, &wanted.kind);
    wanted.any_kind = name == NULL;
    wanted.name = name == NULL ? text : name;
    return wanted;
}

static bool matches(const struct wanted *wanted, const struct breaker_entry *entry)
{
    return wanted->name == NULL || ((wanted->any_kind || wanted->kind == entry->kind) &&
                                    strcmp(wanted->name, entry->name) == 0);
}

/* So many are in a reply and changed by a call: names are up to 256 bytes, and a frame is 1 MiB. */
#define LISTED_MAX 500U

/* Those that are meant, what is not closed first; the caller frees. Pointers are valid until one
 * is added or the turn ends. */
struct found {
    struct breaker_entry **list;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct breaker_entry *first = *(struct breaker_entry *const *)a;
    const struct breaker_entry *second = *(struct breaker_entry *const *)b;
    bool closed = first->breaker.state == BREAKER_CLOSED;
    if (closed != (second->breaker.state == BREAKER_CLOSED))
        return closed ? 1 : -1;
    if (first->kind != second->kind)
        return first->kind < second->kind ? -1 : 1;
    int order = strcmp(first->name, second->name);
    return order != 0 ? order : (first->uid > second->uid) - (first->uid < second->uid);
}

static struct found find(const struct api_call *call, const struct wanted *wanted, bool to_change)
{
    const struct breakers *set = engine_breakers(call->api->engine);
    struct found found = {
        .list = xreallocarray(NULL, breakers_count(set) + 1, sizeof(struct breaker_entry *))};
    for (size_t i = 0; i < breakers_count(set); i++) {
        struct breaker_entry *entry = breakers_at(set, i);
        bool mine = to_change && entry->kind == ESTIMATE_OF_QUEUE ? access_all(call)
                                                                  : breaker_may_see(call, entry);
        if (mine && matches(wanted, entry))
            found.list[found.count++] = entry;
    }
    qsort(found.list, found.count, sizeof(struct breaker_entry *), compare);
    return found;
}

/* Kinds under which jobs of the caller, or a queue, have this name, and that are meant: bits. */
static unsigned known_kinds(const struct api_call *call, const struct wanted *wanted,
                            bool to_change)
{
    const struct engine *engine = call->api->engine;
    unsigned known = 0;
    for (unsigned i = 0; i < ESTIMATE_KIND_COUNT && wanted->name != NULL; i++) {
        enum estimate_kind kind = (enum estimate_kind)i;
        bool of_queue = kind == ESTIMATE_OF_QUEUE;
        if ((!wanted->any_kind && wanted->kind != kind) ||
            (of_queue && to_change && !access_all(call)))
            continue;
        bool there = of_queue ? engine_queue_find(engine, wanted->name) != NULL
                              : engine_breaker_known(engine, kind, call->uid, wanted->name);
        known |= (unsigned)there << i;
    }
    return known;
}

static uint32_t owner_of(const struct api_call *call, enum estimate_kind kind)
{
    return kind == ESTIMATE_OF_QUEUE ? 0 : call->uid;
}

static void refuse_unknown(struct api_call *call, const char *text)
{
    struct error err;
    (void)error_set_field(&err, "name",
                          "no breaker \"%.80s\": no job or queue of yours has that name", text);
    reply_unknown(call, "NoSuchBreaker", &err, "batchctl breakers list");
}

/* ---- verbs ---- */

/* One that nothing is kept of: it is closed. */
static void add_healthy(const struct api_call *call, const struct wanted *wanted, json_t *list)
{
    unsigned known = known_kinds(call, wanted, false);
    for (unsigned i = 0; i < ESTIMATE_KIND_COUNT; i++) {
        const struct breaker_entry healthy = {.kind = (enum estimate_kind)i,
                                              .uid = owner_of(call, (enum estimate_kind)i),
                                              .name = (char *)(uintptr_t)wanted->name};
        if ((known & 1U << i) != 0)
            (void)json_array_append_new(list, view_breaker(call->api, &healthy));
    }
}

static void put_left_out(json_t *reply, size_t count)
{
    json_put_int(reply, "left_out", count > LISTED_MAX ? (json_int_t)(count - LISTED_MAX) : 0);
}

static void run_list(struct api_call *call)
{
    struct error err;
    const char *text = NULL;
    if (json_get_string(call->params, "name", false, &text, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    const struct wanted wanted = read_name(text);
    struct found found = find(call, &wanted, false);
    json_t *list = json_array();
    for (size_t i = 0; i < found.count && i < LISTED_MAX; i++)
        (void)json_array_append_new(list, view_breaker(call->api, found.list[i]));
    if (found.count == 0)
        add_healthy(call, &wanted, list);
    free(found.list);
    if (text != NULL && json_array_size(list) == 0) {
        json_decref(list);
        refuse_unknown(call, text);
        return;
    }
    json_t *reply = json_object();
    json_put(reply, "breakers", list);
    put_left_out(reply, found.count);
    reply_done(call, reply);
}

/* Whether it is as it is wanted to be already: asked again, a change goes on with the others. */
static bool is_done(const struct breaker_entry *entry, enum breaker_event order)
{
    return breaker_next(entry->breaker.state, order) == (int)entry->breaker.state &&
           (order != BREAKER_RESET || breaker_blank(&entry->breaker));
}

/* Only those of many that are not done. */
static void leave_out_done(struct found *found, enum breaker_event order)
{
    size_t count = 0;
    if (found->count <= LISTED_MAX)
        return;
    for (size_t i = 0; i < found->count; i++) {
        if (!is_done(found->list[i], order))
            found->list[count++] = found->list[i];
    }
    found->count = count;
}

/* Of a name that has none one is made, so that it can be opened before anything fails. */
static struct found make_known(const struct api_call *call, const struct wanted *wanted)
{
    unsigned known = known_kinds(call, wanted, true);
    for (unsigned i = 0; i < ESTIMATE_KIND_COUNT; i++) {
        enum estimate_kind kind = (enum estimate_kind)i;
        if ((known & 1U << i) != 0)
            (void)engine_breaker_make(call->api->engine, kind, owner_of(call, kind), wanted->name);
    }
    return find(call, wanted, true);
}

/* True after replying. */
static bool refuse_change(struct api_call *call, const struct wanted *wanted, const char *text)
{
    if (!wanted->any_kind && wanted->kind == ESTIMATE_OF_QUEUE && !access_all(call)) {
        reply_error(call, "org.varlink.service.PermissionDenied", NULL,
                    "only root and the owner of batchd may change breakers of queues", NULL);
        return true;
    }
    struct found found = find(call, wanted, true);
    bool none = text != NULL && found.count == 0 && known_kinds(call, wanted, true) == 0;
    free(found.list);
    if (none)
        refuse_unknown(call, text);
    return none;
}

static void change(struct api_call *call, enum breaker_event order)
{
    struct error err;
    const char *text = NULL;
    bool dry_run;
    if (get_dry_run(call, &dry_run) < 0)
        return;
    if (json_get_string(call->params, "name", false, &text, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    const struct wanted wanted = read_name(text);
    if (refuse_change(call, &wanted, text))
        return;
    struct found found = find(call, &wanted, true);
    if (found.count == 0 && order != BREAKER_RESET && !dry_run) {
        free(found.list);
        found = make_known(call, &wanted);
    }
    leave_out_done(&found, order);
    json_t *list = json_array();
    for (size_t i = 0; i < found.count && i < LISTED_MAX; i++) {
        if (!dry_run)
            engine_breaker_order(call->api->engine, found.list[i], order);
        (void)json_array_append_new(list, view_breaker(call->api, found.list[i]));
    }
    if (found.count == 0)
        add_healthy(call, &wanted, list);
    free(found.list);
    json_t *reply = json_object();
    json_put(reply, "breakers", list);
    put_left_out(reply, found.count);
    put_dry_run(reply, dry_run);
    reply_done(call, reply);
}

static void run_reset(struct api_call *call)
{
    change(call, BREAKER_RESET);
}

static void run_open(struct api_call *call)
{
    change(call, BREAKER_FORCE);
}

static void run_disable(struct api_call *call)
{
    change(call, BREAKER_DISABLE);
}

static const char *const list_fields[] = {"name", NULL};
static const char *const change_fields[] = {"name", "dry_run", NULL};
const struct api_verb verb_breakers_list = {
    .method = "io.batchd.Breakers.List", .fields = list_fields, .run = run_list};
const struct api_verb verb_breakers_reset = {
    .method = "io.batchd.Breakers.Reset", .fields = change_fields, .run = run_reset};
const struct api_verb verb_breakers_open = {
    .method = "io.batchd.Breakers.Open", .fields = change_fields, .run = run_open};
const struct api_verb verb_breakers_disable = {
    .method = "io.batchd.Breakers.Disable", .fields = change_fields, .run = run_disable};
