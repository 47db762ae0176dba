#include "tests/power/claims.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/worker_protocol.h"
#include "daemon/store/job_rows.h"

#include <jansson.h>
#include <string.h>

#define IDS_MAX 100000U
#define CONNECTIONS_MAX 65536U
/* power.py: such a job sleeps until it is cancelled. */
#define SLEEPS 9

/* What was said of one job. */
struct said {
    uint64_t number;  /* of the job's content, as its client knows it */
    bool known;       /* a client was told the id */
    bool submitted;   /* ... or an event told of it, so far */
    bool cancelling;  /* its cancel was acknowledged */
    uint32_t given;   /* the newest attempt that a worker was told to run; 0: none */
    uint32_t settled; /* the newest attempt that a worker was told to forget */
    bool ended;
    enum job_state state;
    bool has_code;
    int code;
    bool seen; /* by this check */
};

struct stream {
    uint8_t *data;
    size_t used;
};

struct claims {
    struct said *jobs;      /* by id */
    struct stream *streams; /* by connection */
    unsigned begins; /* a batchd that was killed may have sent what it could not record any more */
    struct claims_count count;
    struct error *err; /* of the running check; the first difference */
};

static struct said *job_of(struct claims *claims, uint64_t id)
{
    if (id >= IDS_MAX)
        abort();
    return &claims->jobs[id];
}

struct claims *claims_new(const char *acknowledged)
{
    CLEANUP_FCLOSE FILE *file = fopen(acknowledged, "re");
    unsigned long long id, number;
    if (file == NULL)
        return NULL;
    struct claims *claims = xcalloc(1, sizeof(*claims));
    claims->jobs = xcalloc(IDS_MAX, sizeof(*claims->jobs));
    claims->streams = xcalloc(CONNECTIONS_MAX, sizeof(*claims->streams));
    while (fscanf(file, "%llu %llu\n", &id, &number) == 2) {
        job_of(claims, id)->number = number;
        job_of(claims, id)->known = true;
    }
    return claims;
}

void claims_free(struct claims *claims)
{
    if (claims == NULL)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        free(claims->streams[i].data);
    free(claims->streams);
    free(claims->jobs);
    free(claims);
}

/* ---- what is said to clients ---- */

static void say_submitted(struct claims *claims, struct said *job)
{
    claims->count.submits += !job->submitted;
    job->submitted = true;
}

/* An event, a job's view or the reply of a cancel: all name a state. */
static void say_state(struct claims *claims, struct said *job, const json_t *object)
{
    enum job_state state;
    const char *word = json_string_value(json_object_get(object, "state"));
    const json_t *outcome = json_object_get(object, "outcome");
    const json_t *code = json_object_get(outcome, "exit_code");
    if (word == NULL || job_state_parse(word, &state) < 0 || !job_state_terminal(state))
        return;
    claims->count.results += !job->ended;
    job->ended = true;
    job->state = state;
    if (json_is_integer(code)) {
        job->has_code = true;
        job->code = (int)json_integer_value(code);
    }
}

static void say_of(struct claims *claims, const json_t *object)
{
    const json_t *id = json_object_get(object, "id");
    const char *event = json_string_value(json_object_get(object, "event"));
    if (!json_is_integer(id))
        return;
    struct said *job = job_of(claims, (uint64_t)json_integer_value(id));
    say_submitted(claims, job);
    if (event != NULL && strcmp(event, "cancelling") == 0)
        job->cancelling = true;
    say_state(claims, job, object);
}

static void read_reply(struct claims *claims, const char *text, size_t bytes)
{
    json_t *reply = json_loadb(text, bytes, 0, NULL);
    const json_t *parameters = json_object_get(reply, "parameters");
    size_t at;
    const json_t *view;
    if (reply == NULL)
        abort();
    if (json_object_get(reply, "error") == NULL) {
        say_of(claims, parameters);
        json_array_foreach(json_object_get(parameters, "jobs"), at, view)
            say_of(claims, view);
    }
    json_decref(reply);
}

/* ---- what is said to workers ---- */

static void read_record(struct claims *claims, struct record *record)
{
    struct job_run run;
    struct attempt_id id;
    if (record->type == MESSAGE_RUN && get_run(record, &run) == 0) {
        struct said *job = job_of(claims, run.id.job);
        job->given = run.id.attempt;
        claims->count.starts++;
        job_run_done(&run);
    } else if (record->type == MESSAGE_ACK && get_attempt(record, &id) == 0) {
        job_of(claims, id.job)->settled = id.attempt;
    }
}

/* How many bytes of the stream were a whole reply or record; 0: there is none yet. */
static size_t read_one(struct claims *claims, const struct stream *stream)
{
    struct record record;
    size_t used = 0;
    if (stream->used > 0 && stream->data[0] == '{') {
        const uint8_t *end = memchr(stream->data, '\n', stream->used);
        used = end == NULL ? 0 : (size_t)(end - stream->data) + 1;
        if (used > 0)
            read_reply(claims, (const char *)stream->data, used - 1);
    } else if (record_parse(stream->data, stream->used, &record, &used) == RECORD_OK) {
        read_record(claims, &record);
    } else {
        used = 0;
    }
    return used;
}

void claims_apply(struct claims *claims, const struct trace_head *head, const uint8_t *data)
{
    claims->begins += head->kind == TRACE_BEGIN;
    if (head->kind == TRACE_BEGIN) { /* the connections of the one before are gone */
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            claims->streams[i].used = 0;
    }
    if (head->kind != TRACE_SEND && head->kind != TRACE_CLOSED)
        return;
    struct stream *stream = &claims->streams[head->file];
    if (head->kind == TRACE_CLOSED) {
        stream->used = 0;
        return;
    }
    stream->data = xreallocarray(stream->data, stream->used + head->bytes, 1);
    memcpy(stream->data + stream->used, data, head->bytes);
    stream->used += head->bytes;
    for (size_t used; (used = read_one(claims, stream)) > 0;) {
        stream->used -= used;
        memmove(stream->data, stream->data + used, stream->used);
    }
}

/* ---- the comparison ---- */

static void differs(struct claims *claims, uint64_t *kind, uint64_t id, const char *what)
{
    if (claims->count.lost + claims->count.invented == 0)
        (void)error_set(claims->err, ERROR_DAMAGED, "job %llu %s", (unsigned long long)id, what);
    (*kind)++;
}

/* The content of a job follows from its number, as in power.py. */
static bool right_content(const struct job_facts *facts)
{
    struct record record;
    struct job_run run;
    size_t used;
    const uint64_t number = strtoull(facts->key == NULL ? "" : facts->key, NULL, 10);
    const unsigned code = number % 10 == 3 ? SLEEPS : (unsigned)(number % 7);
    CLEANUP_FREE char *name = xasprintf("job-%llu", (unsigned long long)number);
    CLEANUP_FREE char *tags = xasprintf("{\"number\":\"%llu\"}", (unsigned long long)number);
    CLEANUP_FREE char *word = xasprintf("%u", code);
    if (strcmp(facts->name, name) != 0 || facts->priority != number % 5 ||
        strcmp(facts->tags, tags) != 0 ||
        record_parse(facts->run, facts->run_bytes, &record, &used) != RECORD_OK ||
        get_run(&record, &run) < 0)
        return false;
    bool right = run.argc == 5 && strcmp(run.argv[0], "/bin/sh") == 0 &&
                 strcmp(run.argv[3], word) == 0 && strcmp(run.argv[4], facts->key) == 0 &&
                 strcmp(run.cwd, "/") == 0;
    job_run_done(&run);
    return right;
}

/* A result that the job's command cannot have, or that nobody can know. */
static bool right_result(const struct claims *claims, const struct said *job,
                         const struct job_row *row)
{
    const uint64_t number = strtoull(row->facts.key, NULL, 10);
    const struct outcome *outcome = &row->status.outcome;
    if (!job_state_terminal(row->status.state))
        return true;
    if (number % 10 == 3)
        return row->status.state == JOB_STATE_CANCELLED;
    return (job->given > 0 || claims->begins > 1) && outcome->exit_code == (int)(number % 7) &&
           outcome->signal == 0 &&
           row->status.state == (number % 7 == 0 ? JOB_STATE_COMPLETED : JOB_STATE_FAILED);
}

static int look_at(void *arg, const struct job_row *row)
{
    struct claims *claims = arg;
    const uint64_t id = row->facts.id;
    const struct job_status *status = &row->status;
    struct said *job = job_of(claims, id);
    uint64_t *lost = &claims->count.lost;
    uint64_t *invented = &claims->count.invented;
    bool active = status->state == JOB_STATE_STARTING || status->state == JOB_STATE_RUNNING;
    if (job->seen)
        differs(claims, invented, id, "is there twice");
    job->seen = true;
    if (!right_content(&row->facts) ||
        (job->known && job->number != strtoull(row->facts.key, NULL, 10)))
        differs(claims, invented, id, "is not what was submitted");
    else if (!right_result(claims, job, row))
        differs(claims, invented, id, "has a result that it cannot have");
    if (status->attempt < job->given)
        differs(claims, lost, id, "was given to a worker, and its row does not know it");
    if (job->ended &&
        (status->state != job->state || (job->has_code && status->outcome.exit_code != job->code)))
        differs(claims, lost, id, "had a result, and it is not there");
    if (job->settled > 0 && active && status->attempt <= job->settled)
        differs(claims, lost, id, "was settled with its worker, and its row does not know it");
    if (job->cancelling && !status->cancelling && !job_state_terminal(status->state))
        differs(claims, lost, id, "was cancelled, and its row does not know it");
    return 0;
}

int claims_check(struct claims *claims, struct db *db, struct claims_count *ret, struct error *err)
{
    const struct job_filter all = {.states_set = false};
    claims->count.lost = claims->count.invented = 0;
    claims->err = err;
    for (size_t i = 0; i < IDS_MAX; i++)
        claims->jobs[i].seen = false;
    if (job_rows_list(db, &all, look_at, claims, err) < 0)
        return -1;
    for (uint64_t id = 0; id < IDS_MAX; id++) {
        if (claims->jobs[id].submitted && !claims->jobs[id].seen)
            differs(claims, &claims->count.lost, id, "was acknowledged, and it is not there");
    }
    *ret = claims->count;
    return claims->count.lost + claims->count.invented > 0;
}
