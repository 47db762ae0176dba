#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_words[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = "none",
    [ERROR_INVALID] = "invalid",
    [ERROR_NOT_FOUND] = "not found",
    [ERROR_DENIED] = "denied",
    [ERROR_CONFLICT] = "conflict",
    [ERROR_LIMIT] = "limit",
    [ERROR_BUSY] = "busy",
    [ERROR_DRAINING] = "draining",
    [ERROR_UNREACHABLE] = "unreachable",
    [ERROR_PROTOCOL] = "protocol",
    [ERROR_IO] = "input/output",
    [ERROR_DAMAGED] = "damaged",
    [ERROR_INTERNAL] = "internal",
};

__attribute__((format(printf, 4, 0))) static void
fill(struct error *err, enum error_code code, const char *field, const char *format, va_list args)
{
    if (err == NULL)
        return;
    err->code = code;
    err->saved_errno = 0;
    err->used = err->limit = 0;
    (void)snprintf(err->field, sizeof(err->field), "%s", field);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(err, code, "", format, args);
    va_end(args);
    errno = saved;
    return -1;
}

static enum error_code code_of_errno(int number)
{
    if (number == EACCES || number == EPERM)
        return ERROR_DENIED;
    return number == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
}

int error_set_errno(struct error *err, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(err, code_of_errno(saved), "", format, args);
    va_end(args);
    if (err != NULL) {
        size_t used = strlen(err->text);
        err->saved_errno = saved;
        (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerrordesc_np(saved));
    }
    errno = saved;
    return -1;
}

int error_set_field(struct error *err, const char *field, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(err, ERROR_INVALID, field, format, args);
    va_end(args);
    errno = saved;
    return -1;
}

int error_set_limit(struct error *err, uint64_t used, uint64_t limit, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(err, ERROR_LIMIT, "", format, args);
    va_end(args);
    if (err != NULL) {
        err->used = (int64_t)used;
        err->limit = (int64_t)limit;
    }
    errno = saved;
    return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char context[ERROR_TEXT_BYTES];
    char text[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(text, err->text, sizeof(text));
    size_t used = strlen(context);
    memcpy(err->text, context, sizeof(context));
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %.*s",
                   (int)(sizeof(err->text) - 3 - (used < sizeof(err->text) - 3 ? used : 0)), text);
    return -1;
}

const char *error_code_word(enum error_code code)
{
    return (unsigned)code < ERROR_CODE_COUNT ? code_words[code] : "unknown";
}
