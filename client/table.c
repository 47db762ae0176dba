#include "client/table.h"

#include "client/reply.h"
#include "client/text.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/parse.h"

#include <string.h>

static char *signal_name(const json_t *number)
{
    const char *name = sigabbrev_np((int)json_integer_value(number));
    return name != NULL ? xstrdup(name) : xasprintf("%lld", json_integer_value(number));
}

char *table_reasons(const json_t *job)
{
    const json_t *reason;
    size_t i;
    char *text = xstrdup("");
    json_array_foreach((json_t *)(uintptr_t)json_object_get(job, "reasons"), i, reason) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : ",", json_string_value(reason));
        free(text);
        text = longer;
    }
    return text;
}

char *table_result(const json_t *job)
{
    const json_t *outcome = json_object_get(job, "outcome");
    const json_t *progress = json_object_get(job, "progress");
    const json_t *fraction = json_object_get(progress, "fraction");
    const json_t *number = json_object_get(outcome, "signal");
    const char *class = json_string_value(json_object_get(outcome, "class"));
    const json_t *array = json_object_get(job, "array");
    long long exit_code = json_integer_value(json_object_get(outcome, "exit_code"));
    if (class == NULL && json_is_object(array)) {
        long long ended = reply_number(array, "completed") + reply_number(array, "failed") +
                          reply_number(array, "cancelled");
        CLEANUP_FREE char *reasons = table_reasons(job);
        return xasprintf("%lld/%lld%s%s", ended, (long long)reply_number(array, "count"),
                         reasons[0] == '\0' ? "" : " ", reasons);
    }
    if (class == NULL)
        return json_is_number(fraction) ? xasprintf("%.0f %%", 100 * json_number_value(fraction))
                                        : table_reasons(job);
    if (strcmp(class, "success") == 0)
        return xstrdup("ok");
    if (strcmp(class, "exit") == 0 && exit_code == 0) /* its outputs are not as declared */
        return xstrdup("bad output");
    if (strcmp(class, "exit") == 0 || strcmp(class, "processor") == 0)
        return xasprintf("exit %lld", exit_code);
    if (strcmp(class, "signal") == 0 && json_is_integer(number)) {
        CLEANUP_FREE char *name = signal_name(number);
        return xasprintf("signal %s", name);
    }
    return xstrdup(class);
}

char *table_outcome(const json_t *job)
{
    const json_t *outcome = json_object_get(job, "outcome");
    const json_t *said = json_object_get(json_object_get(job, "result"), "error");
    const char *class = reply_text(outcome, "class");
    const char *message = reply_text(outcome, "message");
    if (message[0] == '\0') /* a processor says why by itself */
        message = reply_text(said, "message");
    const json_t *code = json_object_get(outcome, "exit_code");
    const json_t *number = json_object_get(outcome, "signal");
    if (strcmp(class, "signal") == 0 && json_is_integer(number)) {
        CLEANUP_FREE char *name = signal_name(number);
        return xasprintf("killed by signal %s", name);
    }
    if (strcmp(class, "exit") == 0) /* with a message when its outputs are not as declared */
        return text_tame(xasprintf("exit %lld%s%s", json_integer_value(code),
                                   message[0] == '\0' ? "" : ": ", message));
    if (strcmp(class, "timeout") == 0)
        return xstrdup("timed out");
    return text_tame(xasprintf("%s%s%s", class, message[0] == '\0' ? "" : ": ", message));
}

char *table_command(const json_t *job)
{
    const json_t *argv = json_object_get(job, "argv");
    const json_t *word;
    size_t i;
    char *text = xstrdup("");
    json_array_foreach(argv, i, word) {
        CLEANUP_FREE char *next = text_quoted(json_is_string(word) ? json_string_value(word) : "?");
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : " ", next);
        free(text);
        text = longer;
    }
    return text_tame(text);
}

int64_t table_span(const json_t *job)
{
    int64_t started = reply_number(job, "started_at");
    int64_t ended = reply_number(job, "ended_at");
    int64_t from = started > 0 ? started : reply_number(job, "submitted_at");
    int64_t to = ended > 0 ? ended : clock_wall_us();
    return to > from ? to - from : 0;
}

char *table_time(const json_t *job)
{
    char text[32];
    format_span((uint64_t)table_span(job) / US_PER_MS, text, sizeof(text));
    return xstrdup(text);
}
