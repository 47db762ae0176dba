/* Workers as batchd sees them, played by this test over their socket: who may be handed a job. */
#include "common/cleanup.h"
#include "common/fd.h"
#include "daemon/exec/pool.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WORKER 7

static char folder[64];

static void in_folder(char *ret, size_t bytes, const char *name)
{
    (void)snprintf(ret, bytes, "%s/%s", folder, name);
}

static void setup(void)
{
    char path[100];
    ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/batchd-pool-XXXXXX")));
    in_folder(path, sizeof(path), "workers");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    in_folder(path, sizeof(path), "workers/7");
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void teardown(void)
{
    static const char *const names[] = {"workers/7/sock", "workers/7", "workers/spawner.sock",
                                        "workers", ""};
    char path[100];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        in_folder(path, sizeof(path), names[i]);
        (void)remove(path);
    }
}

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    in_folder(address.sun_path, sizeof(address.sun_path), name);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

/* The pool's next connection. */
static int accept_pool(struct event_base *base, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        (void)event_base_loop(base, EVLOOP_ONCE);
    return fd;
}

static void introduce(struct event_base *base, int fd, const unsigned *hellos)
{
    const struct worker_hello hello = {.worker = WORKER, .pid = 1, .ended = 5, .failed = 2};
    const unsigned before = *hellos;
    struct record_writer writer = {.data = NULL};
    put_hello(&writer, &hello);
    ck_assert_int_eq(fd_write_all(fd, writer.data, writer.used), 0);
    record_writer_done(&writer);
    while (*hellos == before)
        (void)event_base_loop(base, EVLOOP_ONCE);
}

static void on_hello(void *arg, uint64_t worker, const struct worker_hello *hello)
{
    unsigned *hellos = arg;
    ck_assert_uint_eq(worker, WORKER);
    ck_assert_uint_eq(hello->count, 0);
    (*hellos)++;
}

static void check_counts(void *arg, const struct pool_worker_view *worker)
{
    (void)arg;
    ck_assert_uint_eq(worker->ended, 5);
    ck_assert_uint_eq(worker->failed, 2);
}

/* What it is handed between its new connection and its list would not be on the list: it would be
 * taken for never received, and run twice. */
START_TEST(one_that_comes_again_takes_jobs_when_it_has_said_what_it_has)
{
    static const struct pool_events events = {.hello = on_hello};
    static const struct worker_facts facts = {.made_at = 1};
    const struct pool_options options = {.state_dir = folder};
    struct event_base *base = event_base_new();
    unsigned hellos = 0;
    int listener = listen_at("workers/7/sock");
    struct pool *pool = pool_new(base, &options, &events, &hellos);
    pool_adopt(pool, WORKER, &facts);
    int fd = accept_pool(base, listener);
    ck_assert_uint_eq(pool_choose_idle(pool), 0);
    introduce(base, fd, &hellos);
    ck_assert_uint_eq(pool_choose_idle(pool), WORKER);
    (void)close(fd);
    fd = accept_pool(base, listener);
    ck_assert_uint_eq(pool_choose_idle(pool), 0);
    introduce(base, fd, &hellos);
    ck_assert_uint_eq(pool_choose_idle(pool), WORKER);
    pool_each(pool, check_counts, NULL); /* as it says, not once for each time */
    pool_free(pool);
    (void)close(fd);
    (void)close(listener);
    event_base_free(base);
}
END_TEST

/* One that is of an earlier daemon and cannot bind a job goes when it is idle and a job is to be
 * bound, where there is a spawner that makes another; one that says that it can is handed it. */
START_TEST(one_that_cannot_bind_makes_way)
{
    static const struct pool_events events = {.hello = on_hello};
    static const struct worker_facts facts = {.made_at = 1};
    const struct pool_options options = {.state_dir = folder};
    struct event_base *base = event_base_new();
    struct record_writer writer = {.data = NULL};
    unsigned hellos = 0;
    int listener = listen_at("workers/7/sock");
    struct pool *pool = pool_new(base, &options, &events, &hellos);
    pool_adopt(pool, WORKER, &facts);
    int fd = accept_pool(base, listener);
    ck_assert_uint_eq(pool_choose_binding(pool), 0);
    const struct cpu_list has = {.bits = {0x0c}};
    struct cpu_list kept = {.bits = {0x1e}};
    if (_i == 1)
        put_binds(&writer, &has);
    else
        put_empty(&writer, MESSAGE_BINDS); /* it may use any */
    if (_i >= 1)
        ck_assert_int_eq(fd_write_all(fd, writer.data, writer.used), 0);
    introduce(base, fd, &hellos);
    ck_assert_uint_eq(pool_choose_binding(pool), _i >= 1 ? WORKER : 0);
    ck_assert_uint_eq(pool_choose_idle(pool), WORKER);
    const int spawner = listen_at("workers/spawner.sock");
    pool_flush(pool); /* it was looked for */
    ck_assert_uint_eq(pool_choose_binding(pool), _i >= 1 ? WORKER : 0);
    ck_assert_uint_eq(pool_choose_idle(pool), _i >= 1 ? WORKER : 0);
    pool_keep_bindable(pool, WORKER, &kept);
    ck_assert_uint_eq(kept.bits[0], _i == 1 ? 0x0c : 0x1e);
    record_writer_done(&writer);
    pool_free(pool);
    (void)close(fd);
    (void)close(spawner);
    (void)close(listener);
    event_base_free(base);
}
END_TEST

/* Workers go on over an upgrade: those of before do not say what became of their jobs. */
START_TEST(a_worker_of_an_older_version_is_understood)
{
    struct record_writer writer = {.data = NULL};
    struct worker_hello hello = {.ended = 7};
    struct record record;
    size_t used;
    record_begin(&writer, MESSAGE_HELLO);
    record_put_u64(&writer, WORKER);
    record_put_u32(&writer, 3);
    record_put_u32(&writer, 0);
    record_end(&writer);
    ck_assert_int_eq(record_parse(writer.data, writer.used, &record, &used), RECORD_OK);
    ck_assert_int_eq(get_hello(&record, &hello), 0);
    ck_assert_uint_eq(hello.worker, WORKER);
    ck_assert_uint_eq(hello.pid, 3);
    ck_assert_uint_eq(hello.ended, 0);
    record_writer_done(&writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("workers");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_that_comes_again_takes_jobs_when_it_has_said_what_it_has);
    tcase_add_loop_test(tests, one_that_cannot_bind_makes_way, 0, 3);
    tcase_add_test(tests, a_worker_of_an_older_version_is_understood);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
