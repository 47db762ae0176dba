/* Bytes from a client: frames, JSON within its limits, and a job out of it as Submit decodes it. */
#include "tests/fuzz/fuzz.h"

#include "common/clock.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/log.h"
#include "daemon/api/api.h"
#include "daemon/api/submit_spec.h"
#include "daemon/config.h"
#include "daemon/core/queue_settings.h"
#include "daemon/core/meters.h"
#include "daemon/engine/engine.h"
#include "daemon/resources/monitor.h"

#include <event2/event.h>
#include <unistd.h>

/* A request is answered in a few ms; a machine that does much else is given time. */
#define SLOW_US (2 * US_PER_SECOND)

static const char *const no_folders[] = {NULL};

/* An engine that nothing is ever submitted to: what decodes asks it for queues and limits. */
static struct api *make_api(void)
{
    static struct engine_options options;
    static struct api_options api_options;
    const char *folder = fuzz_folder();
    const struct db_options db_options = {.cache_bytes = 1U << 20U, .wal_limit_bytes = 1U << 22U};
    struct error err;
    CLEANUP_FREE char *path = xasprintf("%s/batchd.db", folder);
    log_set_level(LOG_LEVEL_ERROR);
    struct event_base *base = event_base_new();
    struct db *db = db_open(path, &db_options, &err);
    MUST(db != NULL);
    options = (struct engine_options){.state_dir = folder,
                                      .meters = meters_new(),
                                      .socket_path = folder,
                                      .boot_id = "fuzz",
                                      .queue_limit_per_user = 1000,
                                      .array_max = 1000000,
                                      .values_max_bytes = 1U << 20U,
                                      .event_backlog = 16,
                                      .monitor = monitor_new(base, "", 0),
                                      .scheduler = {.total = {.amount = {8, 8192, 2, 8192}},
                                                    .half_life_us = US_PER_SECOND,
                                                    .backfill_depth = 10}};
    queue_settings_defaults(&options.scheduler.queue);
    struct engine *engine = engine_new(base, db, &options, &err);
    MUST(engine != NULL);
    api_options = (struct api_options){.state_dir = folder,
                                       .meters = options.meters,
                                       .socket_path = folder,
                                       .processor_dirs = no_folders,
                                       .monitor = options.monitor};
    return api_new(base, engine, &api_options);
}

static void decode(struct api *api, json_t *params)
{
    struct api_call call = {.api = api, .uid = getuid(), .gid = getgid(), .params = params};
    struct job_facts facts;
    struct error err = {.code = ERROR_NONE};
    if (json_only_known(params, submit_fields, &err) < 0) {
        MUST_EXPLAIN(&err);
    } else if (submit_spec_decode(&call, params, &facts, &err) < 0) {
        MUST_EXPLAIN(&err);
        MUST(err.code != ERROR_INVALID || err.field[0] != '\0');
    } else {
        MUST(facts.run_bytes > 0 && facts.name != NULL && facts.queue != NULL && facts.cpus > 0);
        job_facts_done(&facts);
    }
}

static void take_frame(struct api *api, const char *text, size_t bytes)
{
    struct error err = {.code = ERROR_NONE};
    CLEANUP_JSON json_t *request = json_load_limited(text, bytes, &err);
    if (request == NULL) {
        MUST(err.code == ERROR_INVALID || err.code == ERROR_LIMIT);
        MUST_EXPLAIN(&err);
        return;
    }
    size_t length;
    CLEANUP_FREE char *written = json_to_text(request, &length);
    CLEANUP_JSON json_t *again = json_load_limited(written, length, &err);
    MUST(again != NULL && json_equal(request, again));
    json_t *params = json_object_get(request, "parameters");
    if (json_is_object(params))
        decode(api, params);
}

/* A frame that comes byte by byte is the same frame. */
static void check_pieces(const char *text, size_t bytes, enum frame_status whole,
                         size_t whole_length)
{
    struct frame_scanner scanner = {.known = 0};
    struct error err;
    size_t length = 0;
    enum frame_status status = FRAME_MORE;
    for (size_t there = 1; there <= bytes && status == FRAME_MORE; there++)
        status = frame_find(&scanner, text, there, &length, &err);
    MUST(status == whole && (status != FRAME_READY || length == whole_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct api *api;
    struct frame_scanner scanner = {.known = 0};
    struct error err = {.code = ERROR_NONE};
    size_t length = 0;
    if (api == NULL)
        api = make_api();
    const int64_t began = clock_monotonic_us();
    CLEANUP_FREE char *copy = fuzz_text(data, bytes);
    for (size_t at = 0; at < bytes; at += length + 1) {
        enum frame_status status = frame_find(&scanner, copy + at, bytes - at, &length, &err);
        if (status == FRAME_REFUSED)
            MUST(err.code == ERROR_LIMIT && err.text[0] != '\0');
        if (at == 0 && bytes < 2048)
            check_pieces(copy, bytes, status, length);
        if (status != FRAME_READY)
            break;
        MUST(length < bytes - at);
        take_frame(api, copy + at, length);
    }
    MUST(clock_monotonic_us() - began < SLOW_US);
    return 0;
}
