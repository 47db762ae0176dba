/* The error value: what went wrong, in a code that programs branch on and a text that people read.
 * It lives in the caller's frame, so the error path allocates nothing. Functions that can fail for
 * more than one reason return 0 or -1 and take a `struct error *` (may be NULL) as last parameter.
 * The text says what was refused, the value and the rule; lower case, no full stop. */
#ifndef BATCHD_COMMON_ERROR_H
#define BATCHD_COMMON_ERROR_H

#include <stdint.h>

enum error_code {
    ERROR_NONE,
    ERROR_INVALID,     /* a value breaks a rule; `field` names it */
    ERROR_NOT_FOUND,   /* no such thing, or not this user's */
    ERROR_DENIED,      /* the kernel or a policy forbids it */
    ERROR_CONFLICT,    /* the state of the thing does not allow it */
    ERROR_LIMIT,       /* a configured or built-in bound is reached */
    ERROR_BUSY,        /* cannot now, try again */
    ERROR_DRAINING,    /* takes nothing new for now, because somebody said so */
    ERROR_UNREACHABLE, /* the peer does not answer */
    ERROR_PROTOCOL,    /* the peer speaks nonsense, or another version */
    ERROR_IO,          /* the kernel reported an input/output error */
    ERROR_DAMAGED,     /* stored data fails its checksum or makes no sense */
    ERROR_INTERNAL,    /* a bug */
    ERROR_CODE_COUNT
};

#define ERROR_TEXT_BYTES 400
#define ERROR_FIELD_BYTES 160

struct error {
    enum error_code code;
    int saved_errno;               /* the errno behind it (error_set_errno), else 0 */
    int64_t used, limit;           /* of ERROR_LIMIT (error_set_limit), else 0 */
    char field[ERROR_FIELD_BYTES]; /* the request or configuration field at fault, or "" */
    char text[ERROR_TEXT_BYTES];
};

/* Fills `err` (NULL is allowed) and returns -1, keeping errno, so a failing line is one statement.
 */
int error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": strerror(errno)" appended. The code is ERROR_DENIED for EACCES and EPERM,
 * ERROR_NOT_FOUND for ENOENT, else ERROR_IO. */
int error_set_errno(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As error_set with ERROR_INVALID, naming the field. */
int error_set_field(struct error *err, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set with ERROR_LIMIT: so much is used of the limit. */
int error_set_limit(struct error *err, uint64_t used, uint64_t limit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts context and ": " in front of a text already set; returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A static English word for the code, for logs ("invalid", "not found", ...). */
const char *error_code_word(enum error_code code);

#endif
