/* A job that a server of its processor does (worker/server.h): here it has its process, its stdin,
 * its lines and its log, as if the processor were this one, and it ends as the job ends. In: the
 * job on stdin, and the server's ends as descriptors 5 to 7. Out: the lines of the job on
 * descriptor 3, without the number that they begin with, what the server wrote on stdout and stderr
 * meanwhile, and the exit code of the result. Without an answer it kills itself, and the worker
 * looks how the server ended.
 *
 * What the server says is read here, with the rights of the job's user. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/parse.h"
#include "step/notes.h"
#include "step/server_usage.h"
#include "step/steps.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define REPORT_FD 3
/* worker/child.h */
#define TALK_FD 5
#define SERVER_STDOUT_FD 6
#define SERVER_STDERR_FD 7
#define READ_BYTES 65536U
/* As of a processor that runs alone (processors/lib/served_job.c); a longer line is dropped. */
#define LINE_BYTES_MAX ((size_t)16 << 20)
/* A server that closed its files ends within this, or is killed with the job. */
#define END_MS 5000

struct conversation {
    char *line; /* owned; the job, `sent` of `bytes` are sent */
    size_t bytes, sent;
    char *heard; /* owned; of the line that is coming */
    size_t used;
    uint64_t job;
    json_t *answer; /* owned; the line with the result */
    bool broken;    /* a line of its could not be read: that may have been it */
};

static void conversation_done(struct conversation *talk)
{
    free(talk->line);
    free(talk->heard);
    json_decref(talk->answer);
}

/* ---- the job ---- */

/* What the job would have in its environment; the server's is of no one job. */
static json_t *own_environment(void)
{
    json_t *own = json_object();
    for (char **at = environ; *at != NULL; at++) {
        const char *value = strchr(*at, '=');
        if (value == NULL || strncmp(*at, "BATCHD_", 7) != 0)
            continue;
        CLEANUP_FREE char *name = xasprintf("%.*s", (int)(value - *at), *at);
        json_put(own, name, json_from_bytes(value + 1, strlen(value + 1)));
    }
    return own;
}

static int read_job(struct conversation *talk, struct error *err)
{
    struct stat info;
    if (fstat(STDIN_FILENO, &info) < 0)
        return error_set_errno(err, "%s", "cannot read the job");
    CLEANUP_FREE char *text = xcalloc(1, (size_t)info.st_size + 1);
    if (fd_read_at(STDIN_FILENO, text, (size_t)info.st_size, 0) < 0)
        return error_set_errno(err, "%s", "cannot read the job");
    CLEANUP_JSON json_t *job = json_load_limited(text, strlen(text), err);
    if (job == NULL)
        return -1;
    json_put(job, "env", own_environment());
    CLEANUP_FREE char *line = json_to_text(job, NULL);
    talk->line = xasprintf("%s\n", line);
    talk->bytes = strlen(talk->line);
    return 0;
}

/* ---- its lines ---- */

static bool is_result(const json_t *line)
{
    const char *type = json_string_value(json_object_get(line, "type"));
    return type != NULL && strcmp(type, "result") == 0;
}

/* As the processor would have said it alone, its type first: batchd looks for that. */
static void pass_on(json_t *line)
{
    const char *name;
    json_t *value;
    CLEANUP_JSON json_t *own = json_object();
    json_put(own, "type", json_incref(json_object_get(line, "type")));
    json_object_foreach(line, name, value) {
        if (strcmp(name, "job") != 0 && strcmp(name, "usage") != 0)
            json_put(own, name, json_incref(value));
    }
    CLEANUP_FREE char *rest = json_to_text(own, NULL);
    CLEANUP_FREE char *whole = xasprintf("%s\n", rest);
    (void)fd_write_all(REPORT_FD, whole, strlen(whole));
}

/* Lines of another job are of a server that says more than it was asked for. */
static void take_line(struct conversation *talk, const char *text, size_t bytes)
{
    static const char start[] = "{\"job\":";
    CLEANUP_JSON json_t *line = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    if (line == NULL && bytes >= strlen(start) && memcmp(text, start, strlen(start)) == 0)
        talk->broken = true;
    const json_t *number = json_object_get(line, "job");
    if (talk->answer != NULL || !json_is_integer(number) ||
        (uint64_t)json_integer_value(number) != talk->job ||
        !json_is_string(json_object_get(line, "type")))
        return;
    if (is_result(line))
        talk->answer = json_incref(line);
    pass_on(line);
}

static void take_lines(struct conversation *talk)
{
    char *end;
    size_t at = 0;
    while ((end = memchr(talk->heard + at, '\n', talk->used - at)) != NULL) {
        take_line(talk, talk->heard + at, (size_t)(end - talk->heard) - at);
        at = (size_t)(end - talk->heard) + 1;
    }
    memmove(talk->heard, talk->heard + at, talk->used - at);
    talk->used -= at;
    if (talk->used > LINE_BYTES_MAX)
        talk->broken = true;
}

/* False: there is nobody any more. */
static bool hear(struct conversation *talk)
{
    talk->heard = xreallocarray(talk->heard, talk->used + READ_BYTES, 1);
    ssize_t got = recv(TALK_FD, talk->heard + talk->used, READ_BYTES, MSG_DONTWAIT);
    if (got > 0) {
        talk->used += (size_t)got;
        take_lines(talk);
    }
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool say(struct conversation *talk)
{
    ssize_t put = send(TALK_FD, talk->line + talk->sent, talk->bytes - talk->sent,
                       MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0)
        talk->sent += (size_t)put;
    return put >= 0 || errno == EAGAIN || errno == EINTR;
}

/* ---- its log ---- */

/* Whether there was some; *fd is -1 at its end. */
static bool copy_some(int *fd, int to)
{
    char bytes[READ_BYTES];
    ssize_t got = *fd < 0 ? 0 : read(*fd, bytes, sizeof(bytes));
    if (got > 0)
        (void)fd_write_all(to, bytes, (size_t)got);
    else if (got == 0)
        *fd = -1;
    return got > 0;
}

/* ---- the conversation ---- */

/* Until it is answered, or there is nobody any more. */
static void converse(struct conversation *talk)
{
    int logs[] = {SERVER_STDOUT_FD, SERVER_STDERR_FD};
    bool there = true;
    while (there && talk->answer == NULL && !talk->broken) {
        struct pollfd waits[] = {{.fd = TALK_FD, .events = POLLIN},
                                 {.fd = logs[0], .events = POLLIN},
                                 {.fd = logs[1], .events = POLLIN}};
        if (talk->sent < talk->bytes)
            waits[0].events |= POLLOUT;
        if (poll(waits, 3, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < 2; i++) {
            if (waits[1 + i].revents != 0)
                (void)copy_some(&logs[i], STDOUT_FILENO + i);
        }
        if ((waits[0].revents & POLLOUT) != 0)
            there = say(talk);
        if ((waits[0].revents & ~POLLOUT) != 0)
            there = hear(talk);
    }
    for (int i = 0; i < 2; i++) {
        while (copy_some(&logs[i], STDOUT_FILENO + i))
            ;
    }
}

/* What an earlier job's server said behind its answer is no answer to this one. */
static void forget_the_rest(void)
{
    char bytes[READ_BYTES];
    while (recv(TALK_FD, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static int exit_code(const json_t *answer)
{
    const json_t *error = json_object_get(json_object_get(answer, "result"), "error");
    json_int_t code = json_integer_value(json_object_get(error, "exit_code"));
    if (!json_is_object(error))
        return EX_OK;
    return code < 1 || code > 255 ? EX_SOFTWARE : (int)code;
}

/* The process that did it in the server was killed: so is this one, for whoever looks at it. */
static void end_by_signal(const json_t *answer)
{
    const json_t *error = json_object_get(json_object_get(answer, "result"), "error");
    const json_int_t number = json_integer_value(json_object_get(error, "signal"));
    const struct rlimit no_core = {.rlim_cur = 0};
    sigset_t none;
    if (number < 1 || number >= NSIG)
        return;
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal((int)number, SIG_DFL);
    (void)kill(getpid(), (int)number);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* How the server ended is the worker's to see, and then what the job's end is. */
static _Noreturn void end_unanswered(pid_t server)
{
    CLEANUP_CLOSE int ended = pidfd_open(server, 0);
    struct pollfd wait = {.fd = ended, .events = POLLIN};
    if (ended >= 0)
        (void)poll(&wait, 1, END_MS);
    (void)kill(getpid(), SIGKILL);
    abort();
}

int step_serve(const struct step *step)
{
    struct error err;
    uint64_t server = 0;
    CLEANUP(conversation_done) struct conversation talk = {.job = step->id.job};
    struct usage before, after;
    if (parse_u64(step->rest[0], 1, INT_MAX, &server, NULL) < 0)
        return EX_USAGE;
    if (fd_set_nonblock(SERVER_STDOUT_FD, true) < 0 ||
        fd_set_nonblock(SERVER_STDERR_FD, true) < 0 || read_job(&talk, &err) < 0)
        end_unanswered((pid_t)server);
    forget_the_rest();
    server_usage_begin((pid_t)server);
    server_usage_read((pid_t)server, &before);
    converse(&talk);
    if (talk.broken)
        (void)fputs(
            "batchd: what the processor's server said of the job is no JSON, or longer than 16 MiB\n",
            stderr);
    if (talk.answer == NULL)
        end_unanswered((pid_t)server);
    server_usage_read((pid_t)server, &after);
    server_usage_tell(json_object_get(talk.answer, "usage"), &before, &after);
    end_by_signal(talk.answer);
    return exit_code(talk.answer);
}
