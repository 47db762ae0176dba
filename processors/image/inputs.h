/* Which files the parameter `input` names: one path, a list of paths, or a pattern of the shell. */
#ifndef BATCHD_PROCESSORS_IMAGE_INPUTS_H
#define BATCHD_PROCESSORS_IMAGE_INPUTS_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

struct request;

/* *ret is a list of absolute paths, owned by the caller; *ret_several whether a list or a pattern
 * named them, however many they are. A text with * ? or [ is a pattern unless a file has that name.
 * ERROR_NOT_FOUND when it matches no file, ERROR_LIMIT when it matches more than a list may hold,
 * ERROR_INVALID for a path that is not UTF-8, which no result can name. */
int inputs_read(const struct request *request, json_t **ret, bool *ret_several, struct error *err);

#endif
