/* What a worker is told. One that has no connection is told nothing: its death is being looked at,
 * or it hears what counts when it introduces itself. */
#include "daemon/exec/channel.h"
#include "daemon/exec/pool.h"
#include "daemon/exec/pool_workers.h"
#include "daemon/exec/spawner.h"

static struct record_writer *writer_of(struct pool *pool, uint64_t id)
{
    struct worker *worker = pool_find(pool, id);
    return worker == NULL || worker->channel == NULL ? NULL : channel_writer(worker->channel);
}

void pool_run(struct pool *pool, uint64_t id, const struct job_run *run)
{
    struct record_writer *writer = writer_of(pool, id);
    if (writer == NULL) /* its death is being looked at: without GO the job comes back */
        return;
    struct job_run plain = *run;
    plain.limits = (struct job_limits){0};
    if (job_limits_any(&run->limits))
        put_limits(writer, &run->id, &run->limits);
    if (!cpu_list_is_empty(&run->bound))
        put_bind(writer, &run->id, &run->bound);
    put_run(writer, &plain);
}

void pool_stop(struct pool *pool, uint64_t id, const struct job_stop *stop)
{
    struct record_writer *writer = writer_of(pool, id);
    if (writer != NULL)
        put_stop(writer, stop);
}

static void tell_of(struct pool *pool, uint64_t id, enum worker_message type,
                    const struct attempt_id *attempt)
{
    struct record_writer *writer = writer_of(pool, id);
    if (writer != NULL)
        put_attempt(writer, type, attempt);
}

void pool_ack(struct pool *pool, uint64_t id, const struct attempt_id *attempt)
{
    tell_of(pool, id, MESSAGE_ACK, attempt);
}

void pool_suspend(struct pool *pool, uint64_t id, const struct attempt_id *attempt)
{
    tell_of(pool, id, MESSAGE_SUSPEND, attempt);
}

void pool_resume(struct pool *pool, uint64_t id, const struct attempt_id *attempt)
{
    tell_of(pool, id, MESSAGE_RESUME, attempt);
}

void pool_signal(struct pool *pool, uint64_t id, const struct job_signal *signal)
{
    struct record_writer *writer = writer_of(pool, id);
    if (writer != NULL)
        put_signal(writer, signal);
}

/* Its answer comes when this turn's jobs have been chosen. */
void pool_ask_bindable(struct pool *pool)
{
    for (struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->binds && worker->introduced)
            put_watch(channel_writer(worker->channel), pool->options.watch_ms);
    }
}

uint32_t pool_pid(const struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    return worker == NULL ? 0 : worker->pid;
}

bool pool_hears(const struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    return worker != NULL && worker->channel != NULL;
}

void pool_quit(struct pool *pool, uint64_t id)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL || worker->channel == NULL)
        return;
    worker->state = WORKER_LEAVING;
    put_empty(channel_writer(worker->channel), MESSAGE_QUIT);
}

void pool_drain(struct pool *pool, uint64_t id, enum worker_drain drain, int64_t now)
{
    struct worker *worker = pool_find(pool, id);
    if (worker == NULL)
        return;
    worker->facts.drain = drain;
    worker->facts.drain_at = now;
}

bool pool_drains(const struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    return worker != NULL && worker->facts.drain != WORKER_DRAIN_NO;
}

/* Before one has said what it has nobody knows that it has nothing. */
void pool_quit_drained(struct pool *pool)
{
    for (const struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->facts.drain != WORKER_DRAIN_NO && worker->state == WORKER_READY &&
            worker->introduced && worker->load == 0)
            pool_quit(pool, worker->id);
    }
}

const struct worker_facts *pool_facts(const struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    return worker == NULL ? NULL : &worker->facts;
}

bool pool_lives(const struct pool *pool, uint64_t id)
{
    const struct worker *worker = pool_find(pool, id);
    return worker != NULL && worker->state != WORKER_GONE && worker->state != WORKER_LEAVING;
}

void pool_flush(struct pool *pool)
{
    spawner_flush(pool->spawner);
    for (struct worker *worker = pool->workers; worker != NULL; worker = worker->next) {
        if (worker->channel != NULL)
            channel_flush(worker->channel);
    }
}
