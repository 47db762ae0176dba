/* io.batchd.Logs.Read   {id, index, attempt, stream} more -> {stream, data, time_us}..., then {}
 * io.batchd.Logs.Follow the same, until it ends: {state, outcome} is the last reply
 * `stream` is both (default), stdout or stderr. `data` is a string, or {"b64"} when not UTF-8. A
 * note (stream "note") says what the output cap left out. */
#include "daemon/api/output_reader.h"
#include "daemon/api/tasks.h"
#include "daemon/api/view.h"
#include "daemon/core/array_spec.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

/* A running job's files are looked at this often while somebody follows them. */
#define FOLLOW_MS 50
/* Chunks sent in one go before the loop turns: the reader is not the only client. */
#define CHUNKS_PER_TURN 8

struct follow {
    struct output_reader *reader;
    struct timer *timer;
    struct attempt_id id;
    bool streams[2];
    bool until_end; /* Follow, not Read */
};

static void follow_free(struct follow *follow)
{
    output_reader_free(follow->reader);
    timer_free(follow->timer);
    free(follow);
}

static void release(struct api_call *call)
{
    struct follow *follow = call->state;
    call->state = NULL;
    call->cancel = NULL;
    follow_free(follow);
}

static void send_chunk(struct api_call *call, const struct output_chunk *chunk)
{
    static const char *const words[] = {"stdout", "stderr", "note"};
    json_t *part = json_object();
    json_put_text(part, "stream", words[chunk->stream]);
    json_put(part, "data", json_from_bytes(chunk->data, chunk->bytes));
    json_put_int(part, "time_us", chunk->at);
    reply_part(call, part);
}

/* 1: all that is there was sent; 0: there may be more, later; -1: the call was answered. */
static int send_some(struct api_call *call)
{
    struct follow *follow = call->state;
    struct output_chunk *chunk = xmalloc(sizeof(*chunk));
    struct error err;
    int result = 0;
    for (int i = 0; i < CHUNKS_PER_TURN && result == 0; i++) {
        if (call->sink->backlog(call->sink_arg) > API_BACKLOG_MAX / 4)
            break;
        int got = output_reader_next(follow->reader, chunk, &err);
        if (got < 0) {
            release(call);
            reply_failure(call, &err);
            result = -1;
        } else if (got == 0) {
            result = 1;
        } else if (follow->streams[chunk->of_stderr]) {
            send_chunk(call, chunk);
        }
    }
    free(chunk);
    return result;
}

static void finish(struct api_call *call, const struct job_row *row)
{
    json_t *reply = json_object();
    if (((const struct follow *)call->state)->until_end) {
        json_put_text(reply, "state", job_state_word(row->status.state));
        json_put(reply, "outcome", view_outcome(&row->status.outcome, row->status.state));
    }
    release(call);
    reply_done(call, reply);
}

static void on_timer(void *arg)
{
    struct api_call *call = arg;
    struct follow *follow = call->state;
    struct job_row row;
    /* The state first: what a job wrote before it ended is in its files by then. */
    if (load_named(call, &row) < 0) {
        follow_free(follow);
        return;
    }
    int sent = send_some(call);
    if (sent < 0) { /* answered: `follow` and `call` are gone */
        job_row_done(&row);
        return;
    }
    bool over = !follow->until_end || job_state_terminal(row.status.state);
    if (sent == 1 && over && (row.status.attempt == follow->id.attempt || !follow->until_end)) {
        finish(call, &row);
    } else if (sent == 1 && row.status.attempt > follow->id.attempt && follow->until_end) {
        /* Another attempt began: go on with the next one's output. */
        output_reader_free(follow->reader);
        follow->id.attempt++;
        follow->reader = output_reader_new(call->api->options.state_dir, &follow->id);
        timer_set(follow->timer, 0);
    } else {
        timer_set(follow->timer, sent == 0 ? 1 : FOLLOW_MS);
    }
    job_row_done(&row);
}

static int read_streams(const struct api_call *call, struct follow *follow, struct error *err)
{
    const char *stream = "both";
    if (json_get_string(call->params, "stream", false, &stream, err) < 0)
        return -1;
    follow->streams[0] = strcmp(stream, "stderr") != 0;
    follow->streams[1] = strcmp(stream, "stdout") != 0;
    if (follow->streams[0] && follow->streams[1] && strcmp(stream, "both") != 0)
        return error_set_field(err, "stream", "stream \"%.30s\" must be both, stdout or stderr",
                               stream);
    return 0;
}

static void refuse_array(const struct job_row *row, struct error *err)
{
    struct array_spec spec = {.ranges = NULL};
    unsigned long long id = row->facts.id;
    if (array_spec_parse(row->facts.array, UINT64_MAX, &spec, err) < 0)
        return;
    (void)error_set_field(err, "index",
                          "job %llu is an array, and its tasks write: name one, such as %llu_%llu",
                          id, id, (unsigned long long)array_spec_index(&spec, 0));
    array_spec_done(&spec);
}

static void begin(struct api_call *call, bool until_end)
{
    struct follow wanted = {.until_end = until_end};
    struct job_row row;
    struct error err;
    int64_t attempt = 0;
    if (read_streams(call, &wanted, &err) < 0 ||
        json_get_int(call->params, "attempt", false, 1, UINT32_MAX, &attempt, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    if (load_named(call, &row) < 0)
        return;
    wanted.id =
        (struct attempt_id){.job = row.facts.id,
                            .index = row.status.index,
                            .is_task = row.status.is_task,
                            .attempt = attempt > 0 ? (uint32_t)attempt : row.status.attempt};
    if (row.facts.array != NULL && !row.status.is_task) {
        refuse_array(&row, &err);
        reply_failure(call, &err);
    } else if (attempt > (int64_t)row.status.attempt) {
        (void)error_set_field(
            &err, "attempt", "attempt %lld of job %llu is not there; the last is %u",
            (long long)attempt, (unsigned long long)row.facts.id, row.status.attempt);
        reply_failure(call, &err);
    } else {
        if (attempt > 0 && wanted.id.attempt < row.status.attempt)
            wanted.until_end = false;
        struct follow *follow = xmemdup(&wanted, sizeof(wanted));
        follow->reader = output_reader_new(call->api->options.state_dir, &follow->id);
        follow->timer = timer_new(call->api->base, on_timer, call);
        call->state = follow;
        call->cancel = release;
        timer_set(follow->timer, 0);
    }
    job_row_done(&row);
}

static void run_read(struct api_call *call)
{
    begin(call, false);
}

static void run_follow(struct api_call *call)
{
    begin(call, true);
}

static const char *const fields[] = {"id", "index", "attempt", "stream", NULL};
const struct api_verb verb_logs_read = {
    .method = "io.batchd.Logs.Read", .fields = fields, .needs_more = true, .run = run_read};
const struct api_verb verb_logs_follow = {
    .method = "io.batchd.Logs.Follow", .fields = fields, .needs_more = true, .run = run_follow};
