/* A parameter of type paths whose text is a pattern of the shell: which files it means. */
#ifndef BATCHD_PROCESSORS_LIB_PATTERN_H
#define BATCHD_PROCESSORS_LIB_PATTERN_H

#include <glob.h>
#include <stdbool.h>

struct request;

/* A text with * ? or [ is one, unless a file has that name. */
bool pattern_is(const struct request *request, const char *text);

/* As glob(3) answers, with the first unreadable folder as an end: 0, GLOB_NOMATCH and so on. The
 * caller calls globfree in any case. */
int pattern_match(const struct request *request, const char *text, glob_t *ret);

/* The folder below which all of it lies, absolute; owned by the caller. */
char *pattern_folder(const struct request *request, const char *text);

#endif
