/* The manifest of a processor (manifest.json beside the program): who it is, and the list of its
 * parameters with their types, ranges and defaults. One checker for everyone who reads one: batchd
 * at submit, and the program itself, so that it may be run by hand and no number reaches a codec
 * unchecked. processors/README.md describes the file.
 *
 *   {"name", "version", "summary", "licence", "exec", "serve", "sandbox",
 *    "params": [{"name", "type": "string|words|path|paths|int|number|bool", "required", "default",
 *                "min", "max", "enum", "access": "read|write",
 *                "suffixes", "help", "example", "when" (manifest_rules.h)}]} */
#ifndef BATCHD_COMMON_MANIFEST_H
#define BATCHD_COMMON_MANIFEST_H

#include "common/json.h"

#define MANIFEST_BYTES_MAX (256U << 10)
/* Of a value of type path: half of what the kernel takes, so that a folder may be put in front. */
#define MANIFEST_PATH_MAX 2047U
/* Of the list of a value of type paths: a request has at most 1 MiB. */
#define MANIFEST_PATHS_MAX 10000U

/* Parses and checks a manifest: its members, each parameter, and that defaults obey their own
 * rules. The caller owns the result. NULL with ERROR_INVALID that says what is wrong with it. */
json_t *manifest_load(const char *text, size_t bytes, struct error *err);

/* Checks `values` (an object, or NULL) against a manifest from manifest_load and fills in defaults;
 * a text of type words becomes the list that it stands for.
 * *ret is owned by the caller. -1 with ERROR_INVALID; the field is "params.NAME", the text names
 * value and rule, and for an unknown name the nearest one. */
int manifest_check(const json_t *manifest, const json_t *values, json_t **ret, struct error *err);

#endif
