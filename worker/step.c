#include "worker/step.h"

#include "common/alloc.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool step_begins(const struct job_run *job)
{
    const bool again = job->id.attempt > 1 && (job->flags & RUN_FIRST) == 0;
    return again || job->output_count > 0;
}

/* ---- what is run ---- */

static void add(struct job_run *step, char *word)
{
    step->argv = xreallocarray(step->argv, step->argc + 2, sizeof(char *));
    step->argv[step->argc++] = word;
    step->argv[step->argc] = NULL;
}

static void add_all(struct job_run *step, char *const *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        add(step, xstrdup(words[i]));
}

/* batchd-job WHAT JOB INDEX ATTEMPT */
static struct job_run step_of(const struct job_run *job, const char *program, const char *what)
{
    struct job_run step = *job;
    step.program = xstrdup(program);
    step.argv = NULL;
    step.argc = 0;
    add(&step, xstrdup("batchd-job"));
    add(&step, xstrdup(what));
    add(&step, xasprintf("%" PRIu64, job->id.job));
    add(&step, job->id.is_task ? xasprintf("%" PRIu64, job->id.index) : xstrdup("-"));
    add(&step, xasprintf("%" PRIu32, job->id.attempt));
    return step;
}

static void add_outputs(struct job_run *step, const struct job_run *job)
{
    add(step, xasprintf("%" PRIu32, job->output_count));
    add_all(step, job->outputs, job->output_count);
}

struct job_run step_begin(const struct job_run *job, const char *program)
{
    struct job_run step = step_of(job, program, "begin");
    add_outputs(&step, job);
    add(&step, xstrdup(job->program));
    add_all(&step, job->argv, job->argc);
    return step;
}

/* It is not the processor's: it has no lines, and no input. Nor is it bound: what the job had to
 * itself may have been taken off the machine, or from us, while it ran, and it has ended well. */
static struct job_run step_after(const struct job_run *job, const char *program, const char *what)
{
    static char nothing[] = "";
    struct job_run step = step_of(job, program, what);
    step.is_processor = 0;
    step.stdin_path = nothing;
    step.bound = (struct cpu_list){.bits = {0}};
    return step;
}

struct job_run step_finish(const struct job_run *job, const char *program, int64_t started_at)
{
    struct job_run step = step_after(job, program, "finish");
    add(&step, xasprintf("%" PRId64, started_at));
    add_outputs(&step, job);
    add_all(&step, job->checks, job->check_count);
    return step;
}

struct job_run step_discard(const struct job_run *job, const char *program)
{
    struct job_run step = step_after(job, program, "discard");
    add_outputs(&step, job);
    return step;
}

struct job_run step_serve(const struct job_run *job, const char *program, pid_t server)
{
    struct job_run step = step_of(job, program, "serve");
    add(&step, xstrdup("0")); /* it has none */
    add(&step, xasprintf("%d", server));
    return step;
}

struct job_run step_checkpoint(const struct job_run *job, const char *program, const char *line)
{
    struct job_run step = step_after(job, program, "checkpoint");
    add(&step, xstrdup("0")); /* it is not about the outputs */
    add(&step, xstrdup(job->program));
    add(&step, xstrdup(line));
    return step;
}

void step_done(struct job_run *step)
{
    for (uint32_t i = 0; i < step->argc; i++)
        free(step->argv[i]);
    free(step->argv);
    free(step->program);
    *step = (struct job_run){.argv = NULL};
}

/* ---- what it tells ---- */

bool step_lines_add(struct step_lines *lines, const char *data, size_t bytes)
{
    size_t room = sizeof(lines->text) - 1 - lines->used;
    size_t taken = bytes < room ? bytes : room;
    bool whole = memchr(data, '\n', taken) != NULL;
    memcpy(lines->text + lines->used, data, taken);
    lines->used += taken;
    lines->text[lines->used] = '\0';
    return whole;
}

/* The rest of the line when it begins with this word. */
static const char *after_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static void add_note(char text[200], const char *line, size_t length)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, 200 - used, "%s%.*s", used == 0 ? "" : "; ", (int)length, line);
}

/* Numbers of one line, with a blank between them; what is missing is 0. */
static uint64_t read_number(const char **at)
{
    char *end;
    uint64_t number = strtoull(*at, &end, 10);
    *at = end;
    return number;
}

static void read_line(const char *line, size_t length, struct step_news *news)
{
    const char *rest;
    if ((rest = after_word(line, "note")) != NULL) {
        add_note(news->notes.text, rest, length - (size_t)(rest - line));
    } else if ((rest = after_word(line, "failed")) != NULL) {
        (void)snprintf(news->failed, sizeof(news->failed), "%.*s",
                       (int)(length - (size_t)(rest - line)), rest);
    } else if ((rest = after_word(line, "resumed")) != NULL) {
        news->notes.resumed_number = read_number(&rest);
        news->notes.resumed_attempt = (uint32_t)read_number(&rest);
    } else if ((rest = after_word(line, "spawn")) != NULL) {
        news->spawn_errno = (int)(read_number(&rest) & INT_MAX);
    } else if ((rest = after_word(line, "usage")) != NULL) {
        news->user_us = read_number(&rest);
        news->system_us = read_number(&rest);
        news->max_rss_bytes = read_number(&rest);
        news->told = read_number(&rest) != 0;
    }
}

void step_lines_read(const struct step_lines *lines, struct step_news *ret)
{
    *ret = (struct step_news){.spawn_errno = 0};
    const char *end;
    for (const char *at = lines->text; (end = strchr(at, '\n')) != NULL; at = end + 1)
        read_line(at, (size_t)(end - at), ret);
}
