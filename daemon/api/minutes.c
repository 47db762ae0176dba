#include "daemon/api/minutes.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "daemon/core/rollup.h"
#include "daemon/store/machine_part_rows.h"
#include "daemon/store/machine_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A day, in some 1.5 MB; where there are many disks and GPUs fewer, in some 3 MB. */
#define MINUTES_MAX 1440U
#define PARTS_MAX 10000U
/* At a time: a millisecond or two where there are many disks and GPUs. */
#define PART_MINUTES 4

/* Kept as the text that is sent: that of a day takes tens of milliseconds to write in one piece,
 * and some ten times its size as values. */
struct minutes {
    char *texts[MINUTES_MAX / PART_MINUTES]; /* owned; each a list, the newest first */
    size_t text_count;
    int64_t since;  /* the first minute that is wanted */
    int64_t before; /* of those before it none was read yet */
    size_t parts;   /* disks and GPUs in them */
};

/* Of each kind its list in a minute, what names one of it, and which figures it has. */
static const struct {
    const char *list, *name;
    unsigned first, end;
} kinds[MACHINE_PART_KIND_COUNT] = {
    [MACHINE_DISK] = {"disks", "path", PART_FREE, PART_BUSY},
    [MACHINE_GPU] = {"gpus", "gpu", PART_BUSY, PART_FIGURE_COUNT},
};
static const struct {
    const char *word;
    double unit;
} part_figures[PART_FIGURE_COUNT] = {
    [PART_FREE] = {"free_bytes", 1},
    [PART_INODES] = {"inodes_free", 1},
    [PART_BUSY] = {"busy", 1000},
    [PART_MEMORY] = {"memory_used_bytes", 1},
    [PART_TEMPERATURE] = {"temperature", 1},
};

/* One reading of the store. */
struct batch {
    json_t *list; /* the oldest first */
    size_t at;    /* the one to which the next part may belong */
    size_t parts;
    int64_t oldest;
};

static json_t *view_figure(const struct machine_sums *sums)
{
    if (sums->count == 0)
        return json_null();
    json_t *figure = json_object();
    json_put(figure, "mean", json_real(round((double)sums->sum / (double)sums->count) / 1000));
    json_put(figure, "highest", json_real((double)sums->highest / 1000));
    return figure;
}

static void add_minute(void *arg, const struct machine_minute *minute)
{
    struct batch *batch = arg;
    json_t *object = json_object();
    json_put_int(object, "at", minute->minute * ROLLUP_MINUTE_US);
    json_put_int(object, "samples", minute->samples);
    for (unsigned i = 0; i < MACHINE_FIGURE_COUNT; i++)
        json_put(object, machine_figure_words[i], view_figure(&minute->figures[i]));
    for (unsigned i = 0; i < MACHINE_PART_KIND_COUNT; i++)
        json_put(object, kinds[i].list, json_array());
    (void)json_array_insert_new(batch->list, 0, object);
    batch->oldest = minute->minute;
}

static json_t *view_range(const struct machine_range *range, double unit)
{
    if (range->count == 0)
        return json_null();
    json_t *object = json_object();
    json_put(object, "mean", json_real(round((double)range->sum / (double)range->count) / unit));
    json_put(object, "lowest", json_real((double)range->lowest / unit));
    json_put(object, "highest", json_real((double)range->highest / unit));
    return object;
}

static json_t *view_part(const struct machine_part *part)
{
    json_t *object = json_object();
    json_put_text(object, kinds[part->kind].name, part->name);
    for (unsigned i = kinds[part->kind].first; i < kinds[part->kind].end; i++)
        json_put(object, part_figures[i].word, view_range(&part->figures[i], part_figures[i].unit));
    return object;
}

/* They come in the order of the minutes; one whose minute is gone is passed over. */
static void add_part(void *arg, int64_t minute, const struct machine_part *part)
{
    struct batch *batch = arg;
    const int64_t at = minute * ROLLUP_MINUTE_US;
    const json_t *object;
    while ((object = json_array_get(batch->list, batch->at)) != NULL &&
           json_integer_value(json_object_get(object, "at")) < at)
        batch->at++;
    if (json_integer_value(json_object_get(object, "at")) != at)
        return;
    (void)json_array_append_new(json_object_get(object, kinds[part->kind].list), view_part(part));
    batch->parts++;
}

struct minutes *minutes_new(int64_t since_us)
{
    struct minutes *minutes = xcalloc(1, sizeof(*minutes));
    minutes->since = since_us / ROLLUP_MINUTE_US;
    minutes->before = INT64_MAX;
    return minutes;
}

void minutes_free(struct minutes *minutes)
{
    if (minutes == NULL)
        return;
    for (size_t i = 0; i < minutes->text_count; i++)
        free(minutes->texts[i]);
    free(minutes);
}

int minutes_next(struct db *db, struct minutes *minutes, struct error *err)
{
    CLEANUP_JSON json_t *list = json_array();
    struct batch batch = {.list = list};
    const struct machine_span span = {
        .since = minutes->since, .before = minutes->before, .most = PART_MINUTES};
    if (machine_rows_each(db, &span, add_minute, &batch, err) < 0)
        return -1;
    if (json_array_size(list) == 0)
        return 0;
    if (machine_part_rows_each(db, batch.oldest, minutes->before, add_part, &batch, err) < 0)
        return -1;
    minutes->before = batch.oldest;
    minutes->parts += batch.parts;
    minutes->texts[minutes->text_count++] = json_to_text(list, NULL);
    return json_array_size(list) == PART_MINUTES &&
           minutes->text_count < MINUTES_MAX / PART_MINUTES && minutes->parts < PARTS_MAX;
}

char *minutes_text(const struct minutes *minutes)
{
    size_t bytes = sizeof("[]");
    for (size_t i = 0; i < minutes->text_count; i++)
        bytes += strlen(minutes->texts[i]);
    char *text = xmalloc(bytes);
    char *end = text;
    for (size_t i = minutes->text_count; i-- > 0;) {
        const size_t length = strlen(minutes->texts[i]) - 1; /* without what closes it */
        memcpy(end, minutes->texts[i], length);
        *end = end == text ? '[' : ',';
        end += length;
    }
    if (end == text)
        *end++ = '[';
    memcpy(end, "]", sizeof("]"));
    return text;
}
