#include "processors/image/fault.h"

#include "processors/lib/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

#define MESSAGES_MAX 8
#define WORTH_TELLING (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)
#define CAUSE_BYTES 240

static bool said(const char *cause, const char *line)
{
    return *line == '\0' || strstr(cause, line) != NULL;
}

/* vips repeats itself: each line once, joined by "; ". */
static void join_causes(char *text, char ret[CAUSE_BYTES])
{
    size_t used = 0;
    char *rest = text;
    const char *line;
    ret[0] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL && used < CAUSE_BYTES - 1) {
        if (said(ret, line))
            continue;
        (void)snprintf(ret + used, CAUSE_BYTES - used, "%s%s", used == 0 ? "" : "; ", line);
        used = strlen(ret);
    }
    while (used > 0 && ret[used - 1] == ' ')
        ret[--used] = '\0';
}

int fault_set(struct error *err, enum error_code code, const char *format, ...)
{
    char what[ERROR_TEXT_BYTES];
    char cause[CAUSE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    char *text = vips_error_buffer_copy();
    join_causes(text, cause);
    g_free(text);
    return error_set(err, code, "%s%s%s", what, *cause == '\0' ? "" : ": ", cause);
}

static void on_message(const gchar *domain, GLogLevelFlags level, const gchar *message,
                       gpointer user)
{
    gint *count = user;
    (void)domain;
    if ((level & WORTH_TELLING) != 0 && g_atomic_int_add(count, 1) < MESSAGES_MAX)
        report_log("%s", message);
}

void fault_watch(gint *count)
{
    (void)g_log_set_default_handler(on_message, count);
}

void fault_stop(void)
{
    (void)g_log_set_default_handler(g_log_default_handler, NULL);
}
