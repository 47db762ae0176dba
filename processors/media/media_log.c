/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/media_log.h"

#include <libavutil/avutil.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 160

/* Written from the decoder's threads too. */
static struct {
    pthread_mutex_t lock;
    struct {
        unsigned errors;
        char first[LINE_BYTES];
    } kinds[MEDIA_LOG_COUNT];
} media_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum media_log_kind kind_of(void *context)
{
    const AVClass *class = context == NULL ? NULL : *(AVClass **)context;
    if (class == NULL)
        return MEDIA_LOG_OTHER;
    int category =
        (int)(class->get_category == NULL ? class->category : class->get_category(context));
    if (category == AV_CLASS_CATEGORY_DEMUXER)
        return MEDIA_LOG_DEMUXER;
    return category == AV_CLASS_CATEGORY_DECODER ? MEDIA_LOG_DECODER : MEDIA_LOG_OTHER;
}

__attribute__((format(printf, 3, 0))) static void on_line(void *context, int level,
                                                          const char *format, va_list args)
{
    char line[LINE_BYTES];
    if (level > AV_LOG_ERROR)
        return;
    (void)vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\r\n")] = '\0';
    enum media_log_kind kind = kind_of(context);
    (void)pthread_mutex_lock(&media_log.lock);
    if (media_log.kinds[kind].errors++ == 0)
        memcpy(media_log.kinds[kind].first, line, sizeof(line));
    (void)pthread_mutex_unlock(&media_log.lock);
}

void media_log_init(void)
{
    av_log_set_callback(on_line);
}

void media_log_clear(enum media_log_kind kind)
{
    (void)pthread_mutex_lock(&media_log.lock);
    media_log.kinds[kind].errors = 0;
    media_log.kinds[kind].first[0] = '\0';
    (void)pthread_mutex_unlock(&media_log.lock);
}

unsigned media_log_errors(enum media_log_kind kind)
{
    (void)pthread_mutex_lock(&media_log.lock);
    unsigned errors = media_log.kinds[kind].errors;
    (void)pthread_mutex_unlock(&media_log.lock);
    return errors;
}

void media_log_first(enum media_log_kind kind, char *ret, size_t bytes)
{
    (void)pthread_mutex_lock(&media_log.lock);
    (void)snprintf(ret, bytes, "%s", media_log.kinds[kind].first);
    (void)pthread_mutex_unlock(&media_log.lock);
}

int media_error(struct error *err, enum error_code code, int number, const char *format, ...)
{
    char what[AV_ERROR_MAX_STRING_SIZE] = "";
    char text[200];
    char said[LINE_BYTES] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)av_strerror(number, what, sizeof(what));
    for (int kind = 0; kind < MEDIA_LOG_COUNT && said[0] == '\0'; kind++)
        media_log_first((enum media_log_kind)kind, said, sizeof(said));
    if (number == AVERROR(ENOMEM))
        code = ERROR_BUSY;
    else if (number == AVERROR(ENOSPC) || number == AVERROR(EDQUOT) || number == AVERROR(EFBIG))
        code = ERROR_IO;
    if (said[0] == '\0')
        return error_set(err, code, "%s: %s", text, what);
    return error_set(err, code, "%s: %s (%s)", text, what, said);
}
