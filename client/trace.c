#include "client/trace.h"

#include "client/reply.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "daemon/core/job.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

#define LINE_BYTES 4096
#define FIELDS 18
/* 31 years: an hour of a trace in milliseconds is beyond it, a trace in seconds is not. */
#define SECONDS_MAX 1e9
/* All run times one after another still fit the clock of a simulation (292,000 years). */
#define TOTAL_US_MAX (INT64_MAX / 4)

enum field {
    FIELD_ID,
    FIELD_SUBMIT,
    FIELD_RUN = 3,
    FIELD_ALLOCATED = 4,
    FIELD_REQUESTED = 7,
    FIELD_USER = 11,
};

static const char *const field_names[FIELDS] = {"job number",
                                                "submit time",
                                                "wait time",
                                                "run time",
                                                "allocated processors",
                                                "average CPU time",
                                                "used memory",
                                                "requested processors",
                                                "requested time",
                                                "requested memory",
                                                "status",
                                                "user",
                                                "group",
                                                "executable",
                                                "queue",
                                                "partition",
                                                "preceding job",
                                                "think time"};

struct reader {
    gzFile file;
    uint64_t line;
    int64_t total_us;
};

static void close_reader(const struct reader *reader)
{
    if (reader->file != NULL)
        (void)gzclose_r(reader->file);
}

void trace_done(struct trace *trace)
{
    free(trace->jobs);
    *trace = (struct trace){0};
}

static void keep(struct trace *trace, const struct simulated_job *job)
{
    if (trace->count == trace->room) {
        trace->room = trace->room == 0 ? 1024 : trace->room * 2;
        trace->jobs = xreallocarray(trace->jobs, trace->room, sizeof(*trace->jobs));
    }
    trace->jobs[trace->count] = *job;
    trace->jobs[trace->count].position = trace->count;
    trace->count++;
}

/* ---- Standard Workload Format ---- */

/* Numbers between blanks, exactly FIELDS of them. */
static int split_fields(const char *line, double *ret, struct error *err)
{
    const char *at = line;
    for (int i = 0; i < FIELDS; i++) {
        at += strspn(at, " \t\r\n");
        size_t length = strcspn(at, " \t\r\n");
        char *end;
        if (length == 0)
            return error_set_field(err, field_names[i],
                                   "it has %d fields, a line of the Standard Workload Format has "
                                   "%d; \"%s\" is missing",
                                   i, FIELDS, field_names[i]);
        ret[i] = strtod(at, &end);
        if (end != at + length || !isfinite(ret[i]))
            return error_set_field(err, field_names[i], "%s \"%.*s\" is not a number",
                                   field_names[i], length > 40 ? 40 : (int)length, at);
        at = end;
    }
    if (at[strspn(at, " \t\r\n")] != '\0')
        return error_set(err, ERROR_INVALID,
                         "it has more than %d fields, a line of the Standard Workload Format has "
                         "%d",
                         FIELDS, FIELDS);
    return 0;
}

static int check_range(const double *fields, enum field field, double least, double most,
                       struct error *err)
{
    if (fields[field] >= least && fields[field] <= most)
        return 0;
    return error_set_field(err, field_names[field], "%s %g must be from %.0f to %.0f",
                           field_names[field], fields[field], least, most);
}

static int check_whole(const double *fields, enum field field, double least, double most,
                       struct error *err)
{
    if (check_range(fields, field, least, most, err) < 0)
        return -1;
    if (floor(fields[field]) >= fields[field])
        return 0;
    return error_set_field(err, field_names[field], "%s %g must be a whole number",
                           field_names[field], fields[field]);
}

static int check_fields(const double *fields, struct error *err)
{
    if (check_whole(fields, FIELD_ID, 0, 9e15, err) < 0 ||
        check_range(fields, FIELD_SUBMIT, -SECONDS_MAX, SECONDS_MAX, err) < 0 ||
        check_range(fields, FIELD_RUN, -SECONDS_MAX, SECONDS_MAX, err) < 0 ||
        check_whole(fields, FIELD_ALLOCATED, -1, UINT32_MAX, err) < 0 ||
        check_whole(fields, FIELD_REQUESTED, -1, UINT32_MAX, err) < 0)
        return -1;
    return check_whole(fields, FIELD_USER, -1, UINT32_MAX - 1.0, err);
}

static int64_t to_us(double seconds)
{
    return (int64_t)llround(seconds * (double)US_PER_SECOND);
}

static int take_line(struct reader *reader, const char *line, struct trace *trace,
                     struct error *err)
{
    double fields[FIELDS] = {0};
    if (split_fields(line, fields, err) < 0 || check_fields(fields, err) < 0)
        return -1;
    double cpus = fields[FIELD_ALLOCATED] > 0 ? fields[FIELD_ALLOCATED] : fields[FIELD_REQUESTED];
    if (cpus < 1 || fields[FIELD_RUN] < 0) {
        trace->dropped[cpus < 1 ? TRACE_NO_PROCESSORS : TRACE_NEGATIVE_RUN]++;
        return 0;
    }
    struct simulated_job job = {.label = (uint64_t)fields[FIELD_ID],
                                .submitted_at = to_us(fields[FIELD_SUBMIT]),
                                .run_us = to_us(fields[FIELD_RUN]),
                                .cpus = (uint32_t)cpus,
                                .sched = {.uid = (uint32_t)(int64_t)fields[FIELD_USER]}};
    job.sched.estimate_us = job.run_us;
    reader->total_us += job.run_us;
    if (reader->total_us > TOTAL_US_MAX)
        return error_set_field(err, "run time",
                               "the run times add up to more than a simulation "
                               "can count");
    keep(trace, &job);
    return 0;
}

/* The number behind a word of the header, 0 when it is not there. */
static uint32_t header_number(const char *line, const char *word)
{
    const char *at = strstr(line, word);
    unsigned long number = at == NULL ? 0 : strtoul(at + strlen(word), NULL, 10);
    return number > UINT32_MAX ? 0 : (uint32_t)number;
}

/* "; MaxProcs: 128". MaxNodes counts where a node is a processor, so it comes second. */
static void take_header(const char *line, struct trace *trace)
{
    uint32_t number = header_number(line, "MaxProcs:");
    if (number == 0 && trace->processors == 0)
        number = header_number(line, "MaxNodes:");
    if (number > 0)
        trace->processors = number;
}

static int check_stream(const struct reader *reader, struct error *err)
{
    int code;
    const char *problem = gzerror(reader->file, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return 0;
    return error_set(err, ERROR_IO, "%s",
                     code == Z_BUF_ERROR ? "the compressed file ends too early" : problem);
}

/* 1, 0 at the end, or -1 with err. A last line without its end may be one that was cut. */
static int next_line(struct reader *reader, char *line, struct error *err)
{
    reader->line++;
    if (gzgets(reader->file, line, LINE_BYTES) == NULL)
        return check_stream(reader, err);
    size_t bytes = strlen(line);
    if (bytes == LINE_BYTES - 1 && line[bytes - 1] != '\n') {
        if (line[0] != ';')
            return error_set(err, ERROR_INVALID, "it is longer than %d bytes", LINE_BYTES - 2);
        for (int last = 0; last != '\n' && last != -1;)
            last = gzgetc(reader->file);
        return 1;
    }
    if (bytes > 0 && line[bytes - 1] == '\n')
        return 1;
    if (gzeof(reader->file) == 0)
        return error_set(err, ERROR_INVALID, "it has a zero byte; this is no text");
    return check_stream(reader, err) < 0 ? -1 : 1;
}

static int read_lines(struct reader *reader, uint64_t limit, struct trace *trace, struct error *err)
{
    char line[LINE_BYTES];
    int got;
    while ((limit == 0 || trace->count < limit) && (got = next_line(reader, line, err)) != 0) {
        if (got < 0)
            return -1;
        const char *text = line + strspn(line, " \t\r\n");
        if (*text == ';')
            take_header(text, trace);
        else if (*text != '\0' && take_line(reader, text, trace, err) < 0)
            return -1;
    }
    return 0;
}

int trace_read(const char *path, uint64_t limit, struct trace *ret, struct error *err)
{
    CLEANUP(close_reader) struct reader reader = {.file = gzopen(path, "rbe")};
    struct trace trace = {0};
    if (reader.file == NULL)
        return error_set_errno(err, "cannot open %s", path);
    if (read_lines(&reader, limit, &trace, err) < 0) {
        trace_done(&trace);
        return error_wrap(err, "%s, line %llu", path, (unsigned long long)reader.line);
    }
    *ret = trace;
    return 0;
}

/* ---- what is left out ---- */

static const struct {
    const char *key, *words;
} drops[TRACE_DROP_COUNT] = {
    [TRACE_NO_PROCESSORS] = {"no_processors", "without processors"},
    [TRACE_NEGATIVE_RUN] = {"negative_run_time", "with a negative run time"},
    [TRACE_NEVER_STARTED] = {"never_started", "never started"},
};

size_t trace_dropped(const struct trace *trace)
{
    size_t sum = 0;
    for (size_t i = 0; i < TRACE_DROP_COUNT; i++)
        sum += trace->dropped[i];
    return sum;
}

char *trace_drops_text(const struct trace *trace)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < TRACE_DROP_COUNT; i++) {
        if (trace->dropped[i] == 0)
            continue;
        char *longer = xasprintf("%s%s%zu %s", text, text[0] == '\0' ? "" : ", ", trace->dropped[i],
                                 drops[i].words);
        free(text);
        text = longer;
    }
    return text;
}

json_t *trace_drops_json(const struct trace *trace)
{
    json_t *object = json_object();
    for (size_t i = 0; i < TRACE_DROP_COUNT; i++) {
        if (trace->dropped[i] > 0)
            json_put_int(object, drops[i].key, (json_int_t)trace->dropped[i]);
    }
    return object;
}

/* ---- the daemon's history ---- */

static void take_job(const json_t *one, struct trace *trace)
{
    int64_t started = reply_number(one, "started_at");
    int64_t ended = reply_number(one, "ended_at");
    int64_t cpus = reply_number(json_object_get(one, "resources"), "cpus");
    if (ended < started) {
        trace->dropped[TRACE_NEGATIVE_RUN]++;
        return;
    }
    struct simulated_job job = {.label = (uint64_t)reply_number(one, "id"),
                                .submitted_at = reply_number(one, "submitted_at"),
                                .run_us = ended - started,
                                .cpus = cpus < 1 ? 1 : (uint32_t)cpus,
                                .sched = {.uid = (uint32_t)reply_number(one, "uid")}};
    const char *word = json_string_value(json_object_get(one, "priority"));
    enum job_priority priority = JOB_PRIORITY_NORMAL;
    if (word != NULL)
        (void)job_priority_parse(word, &priority);
    job.sched.level = (unsigned)priority & JOB_LEVEL_MASK;
    job.sched.estimate_us = job.run_us;
    keep(trace, &job);
}

bool trace_take_history(const json_t *jobs, uint64_t limit, struct trace *trace)
{
    const json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)jobs, i, one) {
        if (limit > 0 && trace->count == limit)
            break;
        take_job(one, trace);
    }
    return limit == 0 || trace->count < limit;
}

/* Where the jobs with this label or a greater one begin. */
static size_t lower_bound(const struct trace *trace, uint64_t label)
{
    size_t low = 0;
    size_t high = trace->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trace->jobs[middle].label < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void trace_count_unstarted(const json_t *job, struct trace *trace)
{
    uint64_t id = (uint64_t)reply_number(job, "id");
    const json_t *array = json_object_get(job, "array");
    uint64_t tasks = json_is_object(array) ? (uint64_t)reply_number(array, "count") : 1;
    size_t started = lower_bound(trace, id + 1) - lower_bound(trace, id);
    trace->dropped[TRACE_NEVER_STARTED] += tasks > started ? tasks - started : 0;
}
