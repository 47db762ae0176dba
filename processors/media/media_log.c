/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/media_log.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Written from the decoder's threads too. */
static struct {
    pthread_mutex_t lock;
    struct media_account all;   /* for the texts of errors */
    struct media_account stray; /* what names no account */
} media_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool probing;

void media_log_probing(bool on)
{
    probing = on;
}

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

/* The threads of a decoder have copies of its context, `opaque` with it. */
static struct media_account *account_of(void *context)
{
    const AVClass *class = context == NULL ? NULL : *(AVClass **)context;
    struct media_account *account = NULL;
    if (class != NULL && class == avformat_get_class())
        account = ((AVFormatContext *)context)->opaque;
    else if (class != NULL && class == avcodec_get_class())
        account = ((AVCodecContext *)context)->opaque;
    return account == NULL ? &media_log.stray : account;
}

static void note(struct media_account *account, enum media_log_kind kind,
                 const char line[MEDIA_LOG_LINE_BYTES])
{
    if (account->errors[kind]++ == 0)
        memcpy(account->first[kind], line, MEDIA_LOG_LINE_BYTES);
}

__attribute__((format(printf, 3, 0))) static void on_line(void *context, int level,
                                                          const char *format, va_list args)
{
    char line[MEDIA_LOG_LINE_BYTES];
    if (level > AV_LOG_ERROR)
        return;
    (void)vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\r\n")] = '\0';
    enum media_log_kind kind = kind_of(context);
    if (probing && kind != MEDIA_LOG_DEMUXER)
        return;
    (void)pthread_mutex_lock(&media_log.lock);
    note(&media_log.all, kind, line);
    note(account_of(context), kind, line);
    (void)pthread_mutex_unlock(&media_log.lock);
}

void media_log_init(void)
{
    av_log_set_callback(on_line);
}

void media_log_clear(struct media_account *account, enum media_log_kind kind)
{
    struct media_account *const accounts[] = {account, &media_log.stray, &media_log.all};
    (void)pthread_mutex_lock(&media_log.lock);
    for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
        accounts[i]->errors[kind] = 0;
        accounts[i]->first[kind][0] = '\0';
    }
    (void)pthread_mutex_unlock(&media_log.lock);
}

unsigned media_log_errors(const struct media_account *account, enum media_log_kind kind)
{
    (void)pthread_mutex_lock(&media_log.lock);
    unsigned errors = account->errors[kind] + media_log.stray.errors[kind];
    (void)pthread_mutex_unlock(&media_log.lock);
    return errors;
}

void media_log_first(const struct media_account *account, enum media_log_kind kind, char *ret,
                     size_t bytes)
{
    (void)pthread_mutex_lock(&media_log.lock);
    const bool own = account->errors[kind] > 0;
    (void)snprintf(ret, bytes, "%s", own ? account->first[kind] : media_log.stray.first[kind]);
    (void)pthread_mutex_unlock(&media_log.lock);
}

int media_error(struct error *err, enum error_code code, int number, const char *format, ...)
{
    char what[AV_ERROR_MAX_STRING_SIZE] = "";
    char text[200];
    char said[MEDIA_LOG_LINE_BYTES] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)av_strerror(number, what, sizeof(what));
    for (int kind = 0; kind < MEDIA_LOG_COUNT && said[0] == '\0'; kind++)
        media_log_first(&media_log.all, (enum media_log_kind)kind, said, sizeof(said));
    if (number == AVERROR(ENOMEM))
        code = ERROR_BUSY;
    else if (number == AVERROR(ENOSPC) || number == AVERROR(EDQUOT) || number == AVERROR(EFBIG))
        code = ERROR_IO;
    if (said[0] == '\0')
        return error_set(err, code, "%s: %s", text, what);
    return error_set(err, code, "%s: %s (%s)", text, what, said);
}
