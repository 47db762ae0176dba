/* Of batchd itself: its turns, its store, its clients, its process. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/api/exposition.h"
#include "daemon/api/metrics.h"
#include "daemon/api/verb.h"
#include "daemon/core/meters.h"
#include "daemon/core/program.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct labels no_labels = {.name = {NULL}};

static void put_histogram(FILE *out, const char *name, const char *help,
                          const struct buckets *buckets)
{
    exposition_family(out, name, "histogram", help);
    exposition_histogram(out, name, &no_labels, buckets, buckets_of_turns);
}

/* Those codes that there were: their number, or how long they took. */
static void put_codes(FILE *out, const struct verb_meters *of, const char *method, bool durations)
{
    for (unsigned code = 0; code < METER_CODE_COUNT; code++) {
        const struct labels labels = {.name = {"method", "code"},
                                      .value = {method, meter_code_words[code]}};
        const uint64_t count = buckets_count(&of->codes[code]);
        if (count > 0 && durations)
            exposition_histogram(out, "batchd_rpc_duration_seconds", &labels, &of->codes[code],
                                 buckets_of_requests);
        else if (count > 0)
            exposition_count(out, "batchd_rpc_requests_total", &labels, count);
    }
}

static void put_methods(FILE *out, const struct meters *meters, bool durations)
{
    const char *method;
    for (size_t i = 0; (method = api_method(i)) != NULL; i++)
        put_codes(out, &meters->verbs[i], method, durations);
    put_codes(out, &meters->other_verbs, "other", durations);
}

static void put_connections(FILE *out, const struct meters *meters)
{
    static const char name[] = "batchd_connections";
    struct labels labels = {.name = {"kind"}, .value = {"control"}};
    exposition_family(out, name, "gauge", "Clients of the control socket, and of HTTP.");
    exposition_count(out, name, &labels, meters->connections);
    labels.value[0] = "http";
    exposition_count(out, name, &labels, meters->scrapers);
    exposition_counter(out, "batchd_connections_refused_total",
                       "Clients of the control socket that were one too many.",
                       (double)meters->turned_away);
}

static void put_requests(FILE *out, const struct api *api)
{
    const struct meters *meters = api->options.meters;
    exposition_family(out, "batchd_rpc_requests_total", "counter",
                      "Requests that are over, by method and how they were answered.");
    put_methods(out, meters, false);
    exposition_family(out, "batchd_rpc_duration_seconds", "histogram",
                      "From when a request was read until its last answer was made.");
    put_methods(out, meters, true);
    exposition_family(out, "batchd_jobs_rejected_total", "counter",
                      "Requests to submit that were refused, by the error's name.");
    for (unsigned i = 0; i < METER_REFUSALS; i++) {
        const struct labels labels = {.name = {"reason"}, .value = {meter_refusal_words[i]}};
        exposition_count(out, "batchd_jobs_rejected_total", &labels, meters->refusals[i]);
    }
    exposition_counter(out, "batchd_subscriber_drops_total",
                       "Readers of events that fell behind and were let go.",
                       (double)meters->dropped);
    put_connections(out, meters);
}

static double bytes_of(const char *folder, const char *name)
{
    struct stat found;
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    return stat(path, &found) == 0 ? (double)found.st_size : 0;
}

static void put_turns(FILE *out, const struct api *api)
{
    const struct meters *meters = api->options.meters;
    const char *folder = api->options.state_dir;
    put_histogram(out, "batchd_scheduler_cycle_seconds",
                  "How long it took to choose what starts, once in each turn of the event loop.",
                  &meters->choices);
    put_histogram(out, "batchd_db_commit_seconds",
                  "How long the commits of turns took that wrote something.", &meters->commits);
    exposition_gauge(out, "batchd_event_loop_lag_seconds",
                     "By how much the last timer of a second was late.", meters->lag);
    exposition_counter(out, "batchd_db_errors_total", "Calls that the store's library refused.",
                       (double)db_errors(engine_db(api->engine)));
    exposition_gauge(out, "batchd_db_size_bytes", "The store, with its log.",
                     bytes_of(folder, "batchd.db") + bytes_of(folder, "batchd.db-wal"));
}

static double open_descriptors(void)
{
    double count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        count++;
    (void)closedir(folder);
    return count - 3; /* ".", ".." and that of the folder */
}

static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %lu", &pages) != 1) /* NOLINT(cert-err34-c): the kernel's number */
        pages = 0;
    (void)fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / US_PER_SECOND;
}

static void put_process(FILE *out, const struct api *api)
{
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        exposition_counter(out, "process_cpu_seconds_total", "Processor time of batchd.",
                           seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    exposition_gauge(out, "process_resident_memory_bytes", "Memory of batchd.", resident_bytes());
    exposition_gauge(out, "process_open_fds", "Descriptors of batchd.", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        exposition_gauge(out, "process_max_fds", "Descriptors that it may have.",
                         (double)limit.rlim_cur);
    exposition_gauge(out, "process_start_time_seconds", "When batchd was started.",
                     (double)api->options.program->started_at / US_PER_SECOND);
}

void metrics_daemon(FILE *out, const struct api *api)
{
    const struct labels build = {.name = {"version", "commit"},
                                 .value = {BATCHD_VERSION, api->options.program->commit}};
    exposition_family(out, "batchd_build_info", "gauge", "Which batchd it is.");
    exposition_count(out, "batchd_build_info", &build, 1);
    exposition_gauge(out, "batchd_start_time_seconds",
                     "When batchd began to serve: its counters count from then.",
                     (double)api->started_at / US_PER_SECOND);
    put_turns(out, api);
    put_requests(out, api);
    put_process(out, api);
}
