#include "client/status_lines.h"

#include "client/gpu_lines.h"
#include "client/reply.h"
#include "client/text.h"
#include "client/times.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <stdbool.h>
#include <string.h>

static void print_counts(FILE *file, const json_t *counts)
{
    const char *state;
    const json_t *count;
    const char *comma = "";
    (void)fprintf(file, "jobs: ");
    json_object_foreach((json_t *)(uintptr_t)counts, state, count) {
        if (json_integer_value(count) > 0) {
            (void)fprintf(file, "%s%lld %s", comma, json_integer_value(count), state);
            comma = ", ";
        }
    }
    (void)fprintf(file, "%s\n", comma[0] == '\0' ? "none" : "");
}

static void print_bytes(FILE *file, const json_t *resources, const char *what,
                        const char *total_key, const char *free_key)
{
    char total[32], left[32];
    format_size((uint64_t)reply_number(resources, total_key), total, sizeof(total));
    format_size((uint64_t)reply_number(resources, free_key), left, sizeof(left));
    (void)fprintf(file, ", %s %s (%s free)", total, what, left);
}

static void print_resources(FILE *file, const json_t *resources)
{
    const char *name;
    const json_t *counter;
    (void)fprintf(file, "resources: %lld cpus (%lld free)", reply_number(resources, "cpus"),
                  reply_number(resources, "cpus_free"));
    print_bytes(file, resources, "memory", "memory_bytes", "memory_free_bytes");
    if (reply_number(resources, "memory_elsewhere_bytes") > 0) {
        char elsewhere[32];
        format_size((uint64_t)reply_number(resources, "memory_elsewhere_bytes"), elsewhere,
                    sizeof(elsewhere));
        (void)fprintf(file, " less %s that other programs have", elsewhere);
    }
    if (reply_number(resources, "gpus") > 0)
        (void)fprintf(file, ", %lld gpus (%lld free)", reply_number(resources, "gpus"),
                      reply_number(resources, "gpus_free"));
    print_bytes(file, resources, "disk", "disk_bytes", "disk_unpromised_bytes");
    json_object_foreach(json_object_get(resources, "counters"), name, counter)
        (void)fprintf(file, ", %lld %s (%lld free)", reply_number(counter, "total"), name,
                      reply_number(counter, "free"));
    (void)fputc('\n', file);
}

/* Nothing when all is well. */
static void print_health(FILE *file, const json_t *health)
{
    int64_t now = clock_wall_us();
    int64_t ago = now - reply_number(health, "last_death_at");
    int64_t left = reply_number(health, "next_at") - now;
    const char *spawner = json_string_value(json_object_get(health, "spawner"));
    char text[32];
    if (spawner != NULL)
        (void)fprintf(file, "workers: none can be made: %s\n", spawner);
    if (reply_number(health, "deaths") == 0)
        return;
    format_span(ago < 0 ? 0 : (uint64_t)ago / 1000, text, sizeof(text));
    (void)fprintf(file, "workers: %lld died, the last %s ago: %s\n", reply_number(health, "deaths"),
                  text, json_string_value(json_object_get(health, "last_death")));
    if (left <= 0)
        return;
    format_span((uint64_t)left / 1000, text, sizeof(text));
    (void)fprintf(file, "workers: they die one after the other; the next is made in %s\n", text);
}

/* Why there are so many; the caller frees. */
static char *reason_text(const json_t *scaling)
{
    const char *reason = json_string_value(json_object_get(scaling, "reason"));
    char span[32];
    if (reason == NULL)
        return xstrdup("?");
    if (strcmp(reason, "minimum") == 0)
        return xstrdup("as few as there may be");
    if (strcmp(reason, "work") == 0)
        return xstrdup("as many as have a job or could have one");
    if (strcmp(reason, "maximum") == 0)
        return xstrdup("there is work for more, and no more are allowed");
    if (strcmp(reason, "closed") == 0)
        return xstrdup("the machine takes no job");
    if (strcmp(reason, "load") == 0)
        return xstrdup("there is work for more, which come slowly since the load is high");
    if (strcmp(reason, "lately") != 0)
        return text_tame(xstrdup(reason));
    format_span((uint64_t)reply_number(scaling, "hold_ms"), span, sizeof(span));
    return xasprintf("so many had a job within the last %s", span);
}

void status_lines_scaling(FILE *file, const json_t *scaling)
{
    if (!json_is_object(scaling))
        return;
    CLEANUP_FREE char *reason = reason_text(scaling);
    (void)fprintf(
        file, "workers: %lld wanted, from %lld to %lld%s: %s\n", reply_number(scaling, "wanted"),
        reply_number(scaling, "min"), reply_number(scaling, "max"),
        json_is_true(json_object_get(scaling, "ordered")) ? " (set by command)" : "", reason);
}

static void print_workers(FILE *file, const json_t *status, const json_t *resources)
{
    json_t *workers = json_object_get(status, "workers");
    const json_t *worker;
    size_t i;
    long long busy = 0;
    json_array_foreach(workers, i, worker)
        busy += reply_number(worker, "load") > 0;
    (void)fprintf(file, "workers: %zu of at most %lld, %lld busy\n", json_array_size(workers),
                  reply_number(resources, "workers_max"), busy);
    status_lines_scaling(file, json_object_get(status, "scaling"));
    print_resources(file, resources);
    if (json_is_true(json_object_get(resources, "disk_low")))
        (void)fputs("disk: nearly full, new jobs are refused\n", file);
}

/* Those that are not closed. */
static void print_breakers(FILE *file, const json_t *breakers)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)breakers, i, one) {
        CLEANUP_FREE char *key =
            text_tame(xstrdup(json_string_value(json_object_get(one, "breaker"))));
        CLEANUP_FREE char *until =
            reply_number(one, "until") > 0 ? times_text(reply_number(one, "until")) : NULL;
        (void)fprintf(file, "%s%s is %s%s%s, %lld waiting", i == 0 ? "breakers: " : "; ", key,
                      json_string_value(json_object_get(one, "state")),
                      until == NULL ? "" : " until ", until == NULL ? "" : until,
                      reply_number(one, "waiting"));
    }
    if (i > 0)
        (void)fputc('\n', file);
}

/* ---- the machine ---- */

static double real_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* In front of what follows: the line's name, or a comma. */
static void begin(FILE *file, bool *begun)
{
    (void)fputs(*begun ? ", " : "machine: ", file);
    *begun = true;
}

/* "12G of 24G memory available"; nothing where there is none, as of swap. What is set aside for
 * huge pages is never available, and not in use either. */
static void print_amount(FILE *file, const json_t *amount, const char *left_key, const char *what,
                         bool *begun)
{
    char total[32], left[32];
    const json_int_t bytes = json_integer_value(json_object_get(amount, "total_bytes")) -
                             json_integer_value(json_object_get(amount, "huge_bytes"));
    if (bytes <= 0)
        return;
    format_size((uint64_t)bytes, total, sizeof(total));
    format_size((uint64_t)json_integer_value(json_object_get(amount, left_key)), left,
                sizeof(left));
    begin(file, begun);
    (void)fprintf(file, "%s of %s %s", left, total, what);
}

/* Of the time some task waited; what waits less than half a percent is not worth a word. */
static void print_pressure(FILE *file, const json_t *pressure, bool *begun)
{
    const char *kind;
    const json_t *one;
    json_object_foreach((json_t *)(uintptr_t)pressure, kind, one) {
        if (real_at(one, "some") < 0.5)
            continue;
        begin(file, begun);
        (void)fprintf(file, "%s pressure %.0f%%", kind, real_at(one, "some"));
    }
}

static void print_stops(FILE *file, const json_t *stops)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)(uintptr_t)stops, i, one)
        (void)fprintf(file, "machine: no job starts: %s is at %.1f%%, until it is at %.0f%%\n",
                      json_string_value(json_object_get(one, "figure")), real_at(one, "percent"),
                      real_at(one, "until"));
}

/* Those without room: "disk: no job starts that writes to /data: 40.0M of 1.0G free". */
static void print_disks(FILE *file, const json_t *disks)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)(uintptr_t)disks, i, one) {
        char left[32], all[32];
        const bool low = json_is_true(json_object_get(one, "low"));
        if (!low && reply_number(one, "waiting") == 0)
            continue;
        CLEANUP_FREE char *path =
            text_tame(xstrdup(json_string_value(json_object_get(one, "path"))));
        format_size((uint64_t)reply_number(one, "free_bytes"), left, sizeof(left));
        format_size((uint64_t)reply_number(one, "total_bytes"), all, sizeof(all));
        (void)fprintf(file,
                      "disk: %s %s: %s of %s and %lld of %lld inodes are free, %lld waiting\n",
                      !low ? "jobs wait for room at"
                      : json_is_true(json_object_get(one, "state"))
                          ? "no job starts, for their output goes to"
                          : "no job starts that writes to",
                      path, left, all, reply_number(one, "inodes_free"),
                      reply_number(one, "inodes"), reply_number(one, "waiting"));
    }
}

static void print_power(FILE *file, const json_t *power, bool *begun)
{
    if (!json_is_object(power))
        return;
    begin(file, begun);
    (void)fprintf(file, "battery %.0f%%%s", real_at(power, "percent"),
                  json_is_true(json_object_get(power, "on_battery")) ? " (nothing else supplies it)"
                                                                     : "");
}

static void print_machine(FILE *file, const json_t *machine)
{
    bool begun = false;
    const json_t *cpu = json_object_get(machine, "cpu");
    const json_t *load = json_object_get(machine, "load");
    if (json_is_object(cpu)) {
        begin(file, &begun);
        (void)fprintf(file, "cpus %.0f%% busy", 100 * real_at(cpu, "busy"));
    }
    if (json_is_array(load)) {
        begin(file, &begun);
        (void)fprintf(file, "load %.2f", json_number_value(json_array_get(load, 0)));
    }
    print_amount(file, json_object_get(machine, "memory"), "available_bytes", "memory available",
                 &begun);
    print_amount(file, json_object_get(machine, "swap"), "free_bytes", "swap free", &begun);
    print_pressure(file, json_object_get(machine, "pressure"), &begun);
    print_power(file, json_object_get(machine, "power"), &begun);
    if (begun)
        (void)fputc('\n', file);
    print_stops(file, json_object_get(machine, "stops"));
    print_disks(file, json_object_get(machine, "disks"));
    if (json_is_true(json_object_get(machine, "opening")))
        (void)fputs("machine: it was short until just now: jobs start a few at a time\n", file);
}

void status_lines_print(FILE *file, const json_t *status)
{
    char up[32];
    const int64_t started = json_integer_value(json_object_get(status, "started_at"));
    const int64_t ran = clock_wall_us() - started;
    format_span(ran < 0 ? 0 : (uint64_t)ran / 1000, up, sizeof(up)); /* a clock may be set back */
    (void)fprintf(file, "batchd %s, pid %lld, up %s\n",
                  json_string_value(json_object_get(status, "version")),
                  json_integer_value(json_object_get(status, "pid")), up);
    print_counts(file, json_object_get(status, "counts"));
    print_workers(file, status, json_object_get(status, "resources"));
    print_machine(file, json_object_get(status, "machine"));
    gpu_lines_print(file, json_object_get(status, "machine"));
    print_breakers(file, json_object_get(status, "breakers"));
    print_health(file, json_object_get(status, "workers_health"));
}
