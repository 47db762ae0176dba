/* TOML 1.0 by libtomlplusplus, behind a small C face: a document is a flat list of values, each
 * with its dotted key and where it stands. Tables nest by dots; arrays and dates are refused,
 * because no setting has one. */
#ifndef BATCHD_COMMON_TOML_H
#define BATCHD_COMMON_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toml_kind { TOML_STRING, TOML_INTEGER, TOML_REAL, TOML_BOOLEAN, TOML_TABLE, TOML_OTHER };

struct toml_value {
    const char *key; /* "workers.max" */
    enum toml_kind kind;
    const char *string;
    int64_t integer;
    double real;
    bool boolean;
    unsigned line, column;         /* of the value, from 1 */
    unsigned key_line, key_column; /* of the last word of its key */
};

/* Called for every value, and for every table (empty ones too), in the order of the document. What
 * it points to is valid during the call. Non-zero stops. */
typedef int (*toml_value_fn)(void *arg, const struct toml_value *value);

struct toml_error {
    char text[200];
    unsigned line, column;
};

/* 0; the callback's non-zero value; or -1 with *ret_error when the text is not TOML. */
int toml_each(const char *text, size_t bytes, toml_value_fn each, void *arg,
              struct toml_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
