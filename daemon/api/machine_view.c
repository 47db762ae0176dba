#include "daemon/api/machine_view.h"

#include "common/json.h"
#include "daemon/engine/volumes.h"

#include <math.h>

/* Three digits are more than the samples are good for. */
static json_t *rounded(double value)
{
    return json_real(round(value * 1000) / 1000);
}

/* Parts of the time since the sample before, by class. */
static json_t *view_cpu(const struct monitor *monitor)
{
    double shares[CPU_CLASS_COUNT];
    if (!monitor_cpu_shares(monitor, shares))
        return json_null();
    json_t *object = json_object();
    json_put(object, "busy", rounded(host_sample_busy(shares)));
    for (unsigned i = 0; i < CPU_CLASS_COUNT; i++)
        json_put(object, cpu_class_words[i], rounded(shares[i]));
    return object;
}

static json_t *view_load(const struct host_sample *sample)
{
    if (!sample->load_known)
        return json_null();
    json_t *list = json_array();
    for (unsigned i = 0; i < 3; i++)
        (void)json_array_append_new(list, rounded(sample->load[i]));
    return list;
}

static json_t *view_amount(bool known, uint64_t total, const char *left_name, uint64_t left)
{
    if (!known)
        return json_null();
    json_t *object = json_object();
    json_put_int(object, "total_bytes", (int64_t)total);
    json_put_int(object, left_name, (int64_t)left);
    return object;
}

static json_t *view_memory(const struct host_sample *sample)
{
    json_t *object = view_amount(sample->memory_known, sample->memory_total_bytes,
                                 "available_bytes", sample->memory_available_bytes);
    if (sample->memory_known)
        json_put_int(object, "huge_bytes", (int64_t)sample->memory_huge_bytes);
    return object;
}

static json_t *view_power(const struct power *power)
{
    if (!power->known)
        return json_null();
    json_t *object = json_object();
    json_put(object, "on_battery", json_boolean(power->on_battery));
    json_put(object, "percent", rounded(power->percent));
    return object;
}

static json_t *view_pressure(const struct pressure *pressure)
{
    if (!pressure->known)
        return json_null();
    json_t *object = json_object();
    json_put(object, "some", rounded(pressure->some));
    json_put(object, "full", rounded(pressure->full));
    return object;
}

/* [{figure, percent, until}], empty while jobs may start. */
static json_t *view_stops(const struct admission *admission)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < ADMISSION_FIGURE_COUNT; i++) {
        if (!admission->stopped[i])
            continue;
        json_t *object = json_object();
        json_put_text(object, "figure", admission_words[i]);
        json_put(object, "percent", rounded(admission->last[i]));
        json_put(object, "until", rounded(admission->marks[i].go));
        (void)json_array_append_new(list, object);
    }
    return list;
}

json_t *view_machine(const struct monitor *monitor, const struct admission *admission)
{
    const struct host_sample *sample = monitor_latest(monitor);
    json_t *object = json_object();
    json_t *pressure = json_object();
    json_put_int(object, "sampled_at", sample->taken_at);
    json_put(object, "cpu", view_cpu(monitor));
    json_put(object, "load", view_load(sample));
    json_put(object, "memory", view_memory(sample));
    json_put(object, "swap",
             view_amount(sample->memory_known, sample->swap_total_bytes, "free_bytes",
                         sample->swap_free_bytes));
    for (unsigned i = 0; i < PRESSURE_KIND_COUNT; i++)
        json_put(pressure, pressure_kind_words[i], view_pressure(&sample->pressure[i]));
    json_put(object, "pressure", pressure);
    json_put(object, "power", view_power(&sample->power));
    json_put(object, "stops", view_stops(admission));
    json_put(object, "opening", json_boolean(admission_open(admission) && admission->opening > 0));
    return object;
}

static void add_volume(void *arg, const struct volume_view *view)
{
    const struct volume_room *room = &view->volume->room;
    json_t *object = json_object();
    json_put_text(object, "path", view->point);
    json_put(object, "state", json_boolean(view->every));
    json_put(object, "total_bytes",
             room->known ? json_integer((json_int_t)room->size_bytes) : json_null());
    json_put(object, "free_bytes",
             room->known ? json_integer((json_int_t)room->free_bytes) : json_null());
    json_put(object, "inodes",
             room->known && room->inodes > 0 ? json_integer((json_int_t)room->inodes)
                                             : json_null());
    json_put(object, "inodes_free",
             room->known && room->inodes > 0 ? json_integer((json_int_t)room->inodes_free)
                                             : json_null());
    json_put_int(object, "kept_bytes", (int64_t)view->kept_bytes);
    json_put_int(object, "waiting", (int64_t)view->waiting);
    json_put(object, "low", json_boolean(!volume_open(view->volume)));
    (void)json_array_append_new(arg, object);
}

json_t *view_volumes(const struct engine *engine)
{
    json_t *list = json_array();
    engine_volumes_each(engine, add_volume, list);
    return list;
}
