/* What batchd, spawner and workers say to each other: a stream of records. What is read is written
 * again to the same bytes, but for records of an older version, which become longer. */
#include "tests/fuzz/fuzz.h"

#include "common/worker_protocol.h"

/* The payload of what was written is that of the record, and what an older one lacks is at its end.
 */
static void same(const struct record_writer *writer, const struct record *record, bool may_grow)
{
    const size_t bytes = writer->used - RECORD_HEADER_BYTES;
    MUST(bytes == record->bytes || (may_grow && bytes > record->bytes));
    MUST(record->bytes == 0 ||
         memcmp(writer->data + RECORD_HEADER_BYTES, record->payload, record->bytes) == 0);
}

static void rewrite_run(struct record *record, struct record_writer *writer)
{
    struct job_run run;
    if (get_run(record, &run) < 0)
        return;
    put_run(writer, &run);
    same(writer, record, true);
    job_run_done(&run);
}

static void rewrite_attempt(struct record *record, struct record_writer *writer)
{
    struct attempt_id id;
    struct job_stop stop;
    struct job_signal signal;
    switch (record->type) {
    case MESSAGE_STOP:
        if (get_stop(record, &stop) < 0)
            return;
        put_stop(writer, &stop);
        break;
    case MESSAGE_SIGNAL:
        if (get_signal(record, &signal) < 0)
            return;
        put_signal(writer, &signal);
        break;
    default:
        if (get_attempt(record, &id) < 0)
            return;
        put_attempt(writer, (enum worker_message)record->type, &id);
        break;
    }
    same(writer, record, false);
}

static void rewrite_news(struct record *record, struct record_writer *writer)
{
    struct worker_hello hello;
    struct job_started started;
    struct job_dropped dropped;
    struct attempt_id id;
    const void *data;
    size_t bytes;
    if (record->type == MESSAGE_HELLO && get_hello(record, &hello) == 0)
        put_hello(writer, &hello);
    else if ((record->type == MESSAGE_STARTED || record->type == LOG_GO) &&
             get_started(record, &started) == 0)
        put_started(writer, (enum worker_message)record->type, &started);
    else if (record->type == MESSAGE_DROPPED && get_dropped(record, &dropped) == 0)
        put_dropped(writer, &dropped);
    else if (record->type == MESSAGE_PROGRESS && get_progress(record, &id, &data, &bytes) == 0)
        put_progress(writer, &id, data, bytes);
    if (writer->used > 0)
        same(writer, record, record->type == MESSAGE_HELLO);
}

static void rewrite_rest(struct record *record, struct record_writer *writer)
{
    struct job_exit end;
    struct job_notes notes;
    struct attempt_id id;
    uint64_t worker;
    char text[200];
    if ((record->type == MESSAGE_EXITED || record->type == LOG_EXIT) &&
        get_exit(record, &end) == 0) {
        MUST(end.cause < EXIT_CAUSE_COUNT && end.text[sizeof(end.text) - 1] == '\0');
        put_exit(writer, (enum worker_message)record->type, &end);
        same(writer, record, true);
    } else if (record->type == MESSAGE_NOTES) {
        (void)get_notes(record, &id, &notes);
    } else if (record->type == MESSAGE_SPAWN_FAILED) {
        (void)get_spawn_failed(record, &worker, text);
    } else if (record->type == MESSAGE_SPAWNED && get_worker_id(record, &worker) == 0) {
        put_worker_id(writer, MESSAGE_SPAWNED, worker);
        same(writer, record, false);
    }
}

static void rewrite(struct record *record)
{
    struct record_writer writer = {.data = NULL};
    switch (record->type) {
    case MESSAGE_RUN:
        rewrite_run(record, &writer);
        break;
    case MESSAGE_STOP:
    case MESSAGE_SIGNAL:
    case MESSAGE_SUSPEND:
    case MESSAGE_RESUME:
    case MESSAGE_ACK:
        rewrite_attempt(record, &writer);
        break;
    case MESSAGE_HELLO:
    case MESSAGE_STARTED:
    case MESSAGE_DROPPED:
    case MESSAGE_PROGRESS:
    case LOG_GO:
        rewrite_news(record, &writer);
        break;
    default:
        rewrite_rest(record, &writer);
        break;
    }
    record_writer_done(&writer);
}

/* The sum at the head of a record keeps a fuzzer out: here any payload may come with a right one.
 * The first two bytes are the record's type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct record record;
    size_t used;
    CLEANUP_FREE uint8_t *copy = xmemdup(data, bytes);
    for (size_t at = 0; record_parse(copy + at, bytes - at, &record, &used) == RECORD_OK;
         at += used)
        rewrite(&record);
    if (bytes < 2)
        return 0;
    struct record whole = {
        .type = (uint16_t)(data[0] | data[1] << 8U), .payload = copy + 2, .bytes = bytes - 2};
    rewrite(&whole);
    return 0;
}
