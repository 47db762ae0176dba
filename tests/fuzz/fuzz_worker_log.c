/* A worker's log: a text of commands makes one (G, E: GO and EXIT of the attempt in the next byte;
 * S: SWEPT; B: the next byte as it is), which is then cut off everywhere. What a shorter log says,
 * the longer one says too, or more. */
#include "tests/fuzz/fuzz.h"

#include "daemon/exec/worker_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMANDS_MAX 40U

static struct attempt_id attempt_of(uint8_t byte)
{
    return (struct attempt_id){.job = 1U + byte % 2U, .attempt = 1U + byte / 2U % 2U};
}

static void make_log(const uint8_t *data, size_t bytes, struct record_writer *writer)
{
    for (size_t i = 0; i + 1 < bytes && i < COMMANDS_MAX; i += 2) {
        const struct attempt_id id = attempt_of(data[i + 1]);
        const struct job_started go = {.id = id, .started_at = 7};
        const struct job_exit end = {.id = id, .has_code = 1, .exit_code = data[i + 1]};
        if (data[i] == 'G')
            put_started(writer, LOG_GO, &go);
        else if (data[i] == 'E')
            put_exit(writer, LOG_EXIT, &end);
        else if (data[i] == 'S')
            put_empty(writer, LOG_SWEPT);
        else if (data[i] == 'B') /* a byte of damage: nothing behind it counts */
            record_put_u8(writer, data[i + 1]);
    }
}

static const char *state_folder(void)
{
    static bool made;
    const char *folder = fuzz_folder();
    if (!made)
        MUST(chdir(folder) == 0 && mkdir("workers", 0700) == 0 && mkdir("workers/1", 0700) == 0);
    made = true;
    return folder;
}

struct facts {
    enum attempt_fact of[4];
    bool swept;
};

/* What a log says that was made so. */
static struct facts expect(const uint8_t *data, size_t bytes)
{
    struct facts facts = {.swept = false};
    for (size_t i = 0; i + 1 < bytes && i < COMMANDS_MAX && data[i] != 'B'; i += 2) {
        enum attempt_fact *fact = &facts.of[data[i + 1] % 4U];
        if (data[i] == 'G' && *fact == ATTEMPT_NEVER_STARTED)
            *fact = ATTEMPT_STARTED;
        else if (data[i] == 'E')
            *fact = ATTEMPT_ENDED;
        else if (data[i] == 'S')
            facts.swept = true;
    }
    return facts;
}

static struct facts read_log(const char *state)
{
    struct error err;
    struct facts facts;
    struct worker_log *log = worker_log_load(state, 1, &err);
    MUST(log != NULL);
    for (uint8_t i = 0; i < 4; i++) {
        const struct attempt_id id = attempt_of(i);
        struct job_started started;
        struct job_exit end;
        facts.of[i] = worker_log_attempt(log, &id, &started, &end);
        if (facts.of[i] == ATTEMPT_ENDED)
            MUST(attempt_equal(&end.id, &id) && end.exit_code % 4 == i);
        if (facts.of[i] == ATTEMPT_STARTED)
            MUST(attempt_equal(&started.id, &id) && started.started_at == 7);
    }
    facts.swept = worker_log_swept(log);
    worker_log_free(log);
    return facts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *state = state_folder();
    struct record_writer writer = {.data = NULL};
    make_log(data, bytes, &writer);
    int fd = open("workers/1/log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    if (writer.used > 0)
        MUST(write(fd, writer.data, writer.used) == (ssize_t)writer.used);
    struct facts longer = read_log(state);
    const struct facts expected = expect(data, bytes);
    MUST(longer.swept == expected.swept);
    MUST(memcmp(longer.of, expected.of, sizeof(expected.of)) == 0);
    const size_t steps = 17; /* cuts inside of heads, payloads and between records */
    for (size_t cut = writer.used; cut > 0;) {
        cut -= cut < steps ? cut : steps;
        MUST(ftruncate(fd, (off_t)cut) == 0);
        const struct facts shorter = read_log(state);
        for (size_t i = 0; i < 4; i++)
            MUST(shorter.of[i] <= longer.of[i]);
        MUST(!shorter.swept || longer.swept);
        longer = shorter;
    }
    (void)close(fd);
    record_writer_done(&writer);
    return 0;
}
