/* JSON at the edges: loading within limits, and typed getters that fail instead of guessing
 * (json_integer_value of a string is 0, which would read as root). Bytes that are not UTF-8 travel
 * as
 * {"b64":"..."} wherever the kernel gives bytes (argv, paths, environment, output). */
#ifndef BATCHD_COMMON_JSON_H
#define BATCHD_COMMON_JSON_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void cleanup_json(json_t **value)
{
    json_decref(*value);
}
#define CLEANUP_JSON CLEANUP(cleanup_json)

/* Parses one text after frame_check; duplicate keys, trailing text and NUL are refused. The caller
 * owns the result. NULL with ERROR_LIMIT or ERROR_INVALID. */
json_t *json_load_limited(const char *text, size_t bytes, struct error *err);

/* Compact text with a NUL behind; the caller frees. Never fails on trees made by this code. */
char *json_to_text(const json_t *value, size_t *ret_bytes);

/* Getters over an object. A missing or null member is an error when `required`, else it leaves *ret
 * alone and returns 0. 1 = present and set, 0 = absent, -1 = error that names the field. */
int json_get_string(const json_t *object, const char *key, bool required, const char **ret,
                    struct error *err); /* borrowed, without NUL inside */
int json_get_int(const json_t *object, const char *key, bool required, int64_t min, int64_t max,
                 int64_t *ret, struct error *err);
int json_get_bool(const json_t *object, const char *key, bool required, bool *ret,
                  struct error *err);
int json_get_object(const json_t *object, const char *key, bool required, json_t **ret,
                    struct error *err); /* borrowed */
int json_get_array(const json_t *object, const char *key, bool required, json_t **ret,
                   struct error *err); /* borrowed */
/* A string or {"b64":...} as bytes with a NUL behind, at most `max` bytes, no NUL inside. The
 * caller frees *ret. */
int json_get_bytes(const json_t *object, const char *key, bool required, size_t max, char **ret,
                   struct error *err);

/* The same of one value, which `field` names in the error text. 0 or -1; the caller frees. */
int json_value_text(const json_t *value, const char *field, size_t max, char **ret,
                    struct error *err);
/* All bytes of one value, with a NUL behind them. 0, or -1: it has none; the caller frees. */
int json_value_data(const json_t *value, char **ret, size_t *ret_bytes);

/* Bytes as a JSON value: a string when valid UTF-8 without NUL, else {"b64":...}. New reference. */
json_t *json_from_bytes(const void *data, size_t bytes);

/* object[key] = value, taking the reference; json_object_set_new with the result checked. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_text(json_t *object, const char *key, const char *text); /* NULL as null */
void json_put_int(json_t *object, const char *key, int64_t value);

/* Refuses members that are not in the NULL-terminated list `known`; names the first. 0 or -1. */
int json_only_known(const json_t *object, const char *const *known, struct error *err);

/* To be called once, before the first value is made: from then on jansson gets memory or the
 * program ends (alloc.h). Its reader leaves bytes of a string out when it gets none (2.14,
 * lex_save), and a value that is not there for want of memory looks like one that was never given.
 */
void json_must_have_memory(void);

#endif
