/* The parameters of a job that are paths, as its manifest has them: what the sandbox opens, what is
 * staged, and how outputs may be called. */
#ifndef BATCHD_PROCESSORS_LIB_PATH_PARAMS_H
#define BATCHD_PROCESSORS_LIB_PATH_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct pattern;
struct request;

/* All is borrowed from the request. */
struct path_param {
    const char *name;
    const json_t *declared;        /* in the manifest */
    bool is_written;               /* by the processor; else it is read */
    bool is_list;                  /* it may mean several files: its type is "paths" */
    const struct pattern *pattern; /* NULL: it is none (pattern.h) */
    const json_t *value;           /* a path, a list of them, or NULL: it is absent */
};

/* The next one behind *at, which begins with 0; false: there is none. */
bool path_param_next(const struct request *request, size_t *at, struct path_param *ret);

/* Whether it means a number of files, be it one. */
bool path_param_is_several(const struct path_param *param);

/* Each path that it means, absolute; of a pattern the files that match. */
void path_param_each(const struct request *request, const struct path_param *param,
                     void (*take)(void *arg, const char *path), void *arg);

#endif
